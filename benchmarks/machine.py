"""Processes and their cost: CPU and memory of process trees from /proc, and Redis' own figures."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import redis

from demo.process import end, spawn, tail
from demo.server import EmbeddedServer

ROOT = Path(__file__).parents[1]
_TICKS = os.sysconf("SC_CLK_TCK")
_KEPT = ("PATH", "HOME", "LANG")
_ID_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
_SEAL_KEY = f"k1:{_ID_KEY}"


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Return a small environment, because `requests` reads all of it at every call."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def settings(redis_url: str, vendor_url: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the addresses for every contender, and for ours also keys and a very large quota."""
    return clean_environment(
        {
            "BENCH_REDIS_URL": redis_url,
            "BENCH_VENDOR_URL": vendor_url,
            "SATYAPAN_REDIS_URL": redis_url,
            "SATYAPAN_SEAL_KEYS": _SEAL_KEY,
            "SATYAPAN_ID_KEY": _ID_KEY,
            "SATYAPAN_CASHFREE_BASE_URL": vendor_url,
            "SATYAPAN_CASHFREE_CLIENT_ID": "bench",
            "SATYAPAN_CASHFREE_CLIENT_SECRET": "bench-secret",
            "SATYAPAN_QUOTA_PER_MINUTE": "passport=10000000",
            "SATYAPAN_WORKER_CONCURRENCY": "64",
            **more,
        }
    )


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after `seconds`, and SystemExit at SIGTERM.

    In both cases every `finally` runs, so that no process or folder is left behind. Works in the
    main thread only.
    """

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    def stopped(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = [signal.signal(signal.SIGALRM, late), signal.signal(signal.SIGTERM, stopped)]
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip((signal.SIGALRM, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)
        signal.setitimer(signal.ITIMER_REAL, *timer)


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[int]:
    """Run a process in its own group during the block; yield its id."""
    process = spawn(command, log=log, env=env)
    try:
        yield process.pid
    finally:
        end(process, 10)


def ledger(folder: Path) -> EmbeddedServer:
    """Return a server with one fsync a second, like that of the published figures.

    `benchmarks.durability` measures the additional cost of `always`.
    """
    return EmbeddedServer(folder, appendfsync="everysec")


@dataclass(frozen=True)
class Stub:
    """The stub's process, and its address, to which the delay is appended."""

    address: str
    pid: int


@contextmanager
def vendor(folder: Path, *, tls: bool = False) -> Iterator[Stub]:
    """Run the stub during the block."""
    log = folder / f"stub-{tls}.log"
    options = ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")] if tls else []
    command = [sys.executable, "-m", "benchmarks.stub", *options]
    with running(command, clean_environment({}), log) as pid:
        port = said(log, r"^([0-9]+)\n")
        yield Stub(f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}", pid)


def said(log: Path, pattern: str) -> str:
    """Wait until a process has logged `pattern`; return the first group of the match."""
    for _ in range(400):
        text = log.read_text(errors="replace") if log.exists() else ""
        if found := re.search(pattern, text, re.MULTILINE):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} did not start; its output:\n{tail(log)}")


def drive(
    python: str, contender: str, mode: str, count: int, env: Mapping[str, str], flight: int = 1
) -> dict[str, Any]:
    """Run a producer to its end and return its measurements."""
    command = [python, "-m", "benchmarks.drive", contender, mode, str(count), str(flight)]
    done = subprocess.run(
        command, env=dict(env), capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{contender} failed: {done.stderr[-600:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def tree_cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its living descendants."""
    return sum(map(_cpu, _tree(pid)))


def machine_cpu() -> float:
    """Return the CPU seconds that all processes of the machine have used."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS  # without idle and iowait


def tree_memory(pid: int) -> float:
    """Return the proportional memory (MB) of a process and its descendants."""
    return sum(map(_memory, _tree(pid)))


def tree_resident(pid: int) -> float:
    """Return the resident memory (MB) of a process and its descendants."""
    return sum(_memory(each, "Rss") for each in _tree(pid))


def tree_ports(pid: int) -> set[int]:
    """Return the local TCP ports of a process and its descendants, to attribute commands."""
    inodes = {inode for each in _tree(pid) for inode in _sockets(each)}
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    entries = [line.split() for line in lines]
    return {int(entry[1].split(":")[1], 16) for entry in entries if entry[9] in inodes}


def server_cpu(client: "redis.Redis") -> float:
    """Return the CPU seconds of a server."""
    found: Any = client.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


def server_reads(client: "redis.Redis") -> int:
    """Return how often a server has read from clients: roughly once for each round trip."""
    found: Any = client.info("stats")
    return int(found["total_reads_processed"])


def _tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _sockets(pid: int) -> Iterator[str]:
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if found := re.match(r"socket:\[([0-9]+)\]", str(entry.readlink())):
                    yield found[1]


def _memory(pid: int, sort: str = "Pss") -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    found = re.search(rf"^{sort}: +([0-9]+)", text, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0
