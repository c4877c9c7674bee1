"""A server whose disk is slow: each fsync takes a given time.

The delay is a small library in C that is loaded before the system's. Without a C compiler, or if
the server ignores the library, the test is skipped: the project needs no compiler.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import redis

from demo.server import EmbeddedServer, find_server

_SOURCE: Final = """
#include <sys/syscall.h>
#include <unistd.h>
static int late(long call, int file) { usleep(DELAY_US); return syscall(call, file); }
int fsync(int file) { return late(SYS_fsync, file); }
int fdatasync(int file) { return late(SYS_fdatasync, file); }
"""


@contextmanager
def slow_disk(folder: Path, seconds: float) -> Iterator[EmbeddedServer]:
    """Run a server on a disk whose fsync takes these seconds; else skip the test."""
    with EmbeddedServer(folder / "redis", binary=_slowed(folder, seconds)) as server:
        if _write_s(server) < seconds:
            pytest.skip("this server's fsync can't be slowed down")
        yield server


def _write_s(server: EmbeddedServer) -> float:
    """Return the seconds that a write takes if it is confirmed after its fsync."""
    with redis.Redis.from_url(server.url) as client:
        before = client.config_get("appendfsync")
        client.config_set("appendfsync", "always")
        start = time.monotonic()
        client.set("slow", "")
        took = time.monotonic() - start
        client.config_set("appendfsync", *before.values())
    return took


def _slowed(folder: Path, seconds: float) -> str:
    """Return the path of a program that runs the server with the library."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("a slow disk needs Linux and a C compiler")
    source, library, program = (folder / name for name in ("slow.c", "slow.so", "slow-server"))
    source.write_text(_SOURCE)
    delay = f"-DDELAY_US={int(seconds * 1e6)}"
    subprocess.run(
        [compiler, "-shared", "-fPIC", delay, "-o", library, source], check=True, timeout=60
    )
    program.write_text(f'#!/bin/sh\nLD_PRELOAD="{library}" exec "{find_server()}" "$@"\n')
    program.chmod(0o755)
    return str(program)
