"""Everything that an installation writes and that could be read without a key, as bytes."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import redis

from demo.local_stack import LocalStack


def redis_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Yield every key and its whole value, of whatever type."""
    client = redis.Redis.from_url(stack.server.url, protocol=2)
    readers: dict[bytes, Any] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        kind: Any = client.type(key)
        yield key
        yield repr(readers[kind](key)).encode()


def aof_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Yield the append-only files: every write command that the server received."""
    for path in (stack.folder / "redis").rglob("*"):
        if path.is_file():
            yield path.read_bytes()


def log_bytes(stack: LocalStack) -> Iterator[bytes]:
    """Yield everything that the child processes printed."""
    for path in Path(stack.logs).iterdir():
        yield path.read_bytes()


def titles(_: LocalStack) -> Iterator[bytes]:
    """Yield the command lines of all processes of this machine (where /proc has them)."""
    yield b"this test: " + " ".join(sys.argv).encode() + b" " * 100
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            yield process.read_bytes()


SINKS: Final[Mapping[str, Callable[[LocalStack], Iterator[bytes]]]] = {
    "redis": redis_bytes,
    "aof": aof_bytes,
    "logs": log_bytes,
    "processes": titles,
}
