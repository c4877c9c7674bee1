"""One round of a contender: workers, warm-up, a burst, 16 in flight, one in flight, commands."""

import ast
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis

from benchmarks.commands import count, watched
from benchmarks.machine import (
    drive,
    running,
    server_cpu,
    server_reads,
    tree_cpu,
    tree_memory,
    tree_ports,
)

OWN: Final = ("ours", "ours_bulk", "celery_bare", "floor")
LIBRARY: Final = {
    "dramatiq_peer": "dramatiq",
    "huey_peer": "huey",
    "rq_peer": "rq",
    "taskiq_peer": "taskiq_redis",
    "arq_peer": "arq",
}
"""The library that a peer's interpreter must have."""
WARM_UP: Final = 20
"""Verifications of every producer process before it measures."""
FLIGHT: Final = 16
"""Verifications in flight in the second part, between the burst and one in flight."""
_COUNTED: Final = 80
_NEED: Final = "see benchmarks/requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One round of one contender. CPU is in ms per verification, memory in MB."""

    rate: float
    worker: float
    producer: float
    server: float
    trips: float
    memory: float
    p50: float
    flight_cpu: float
    flight_p50: float
    worker_commands: float
    producer_commands: float
    inside_scripts: float
    stub_cores: float

    @property
    def cpu(self) -> float:
        """Return the CPU of worker, producer and server together."""
        return self.worker + self.producer + self.server

    @property
    def commands(self) -> float:
        """Return the number of commands that clients send for one verification."""
        return self.worker_commands + self.producer_commands


@dataclass(frozen=True)
class Testbed:
    """The surroundings of all rounds: the server, the stub, and the environment of processes."""

    url: str
    stub_pid: int
    env: Mapping[str, str]
    folder: Path

    @contextmanager
    def workers(self, python: str, contender: str) -> Iterator[tuple[int, Any]]:
        """Run a contender's workers on an emptied server; yield their process id and a client."""
        command = [python, *_worker(contender, self.env)]
        with redis.Redis.from_url(self.url) as client:
            client.flushall()
            with running(command, self.env, self.folder / f"{contender}.log") as pid:
                drive(python, contender, "burst", 100, self.env)
                yield pid, client

    def tried(self, python: str, contender: str, size: int, pings: int) -> Figures | None:
        """Run a round; return None if it fails, so that the other rounds aren't lost."""
        try:
            return self.run(python, contender, size, pings)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(str(error)[-300:], file=sys.stderr)
            return None

    def run(self, python: str, contender: str, size: int, pings: int) -> Figures:
        """Run a round and return its figures."""
        with self.workers(python, contender) as (pid, client):
            stub, start = tree_cpu(self.stub_pid), time.perf_counter()
            burst = self._cost(client, pid, [python, contender, "burst"], size)
            stub_cores = (tree_cpu(self.stub_pid) - stub) / (time.perf_counter() - start)
            some = self._cost(client, pid, [python, contender, "load"], size, FLIGHT)
            spans = drive(python, contender, "load", pings, self.env)["spans_ms"]
            found = self._commands(client, pid, python, contender)
            memory = tree_memory(pid)
        return Figures(
            **{name: burst[name] for name in ("rate", "worker", "producer", "server", "trips")},
            **found,
            memory=memory,
            stub_cores=stub_cores,
            p50=statistics.median(spans),
            flight_cpu=some["worker"] + some["producer"] + some["server"],
            flight_p50=some["p50"],
        )

    def _cost(
        self, client: Any, pid: int, what: Sequence[str], size: int, flight: int = 1
    ) -> dict[str, float]:
        """Run one part of a round and measure its cost: CPU in ms per verification."""
        worker, server, trips = tree_cpu(pid), server_cpu(client), server_reads(client)
        found = drive(what[0], what[1], what[2], size, self.env, flight)
        time.sleep(0.2)  # the last acknowledgements
        done = size + WARM_UP  # the producer's warm-up used the same worker and server
        return {
            "rate": size / found["seconds"],
            "worker": (tree_cpu(pid) - worker) * 1000 / done,
            "producer": found["cpu_s"] * 1000 / size,
            "server": (server_cpu(client) - server) * 1000 / done,
            "trips": (server_reads(client) - trips) / done,
            "p50": statistics.median(found["spans_ms"] or [0]),
        }

    def _commands(self, client: Any, pid: int, python: str, contender: str) -> dict[str, float]:
        def some() -> None:
            drive(python, contender, "burst", _COUNTED, self.env)
            time.sleep(0.3)  # the last acknowledgements

        ports = tree_ports(pid)
        found = count(watched(client, some), ports | tree_ports(pid))
        done = _COUNTED + WARM_UP
        return {
            "worker_commands": found.worker / done,
            "producer_commands": found.producer / done,
            "inside_scripts": found.inside / done,
        }


def pythons(wanted: Sequence[str], peers: str, arq: str) -> tuple[dict[str, str], list[str]]:
    """Return each contender's interpreter, and notes about contenders that are left out."""
    found, missing = {}, []
    for name in wanted or (*OWN, *LIBRARY):
        python = sys.executable if name in OWN else arq if name == "arq_peer" else peers
        option = "--arq" if name == "arq_peer" else "--peers"
        if not python:
            missing.append(f"{name} is left out: {option} names no interpreter, {_NEED}")
        elif name in LIBRARY and not _has(python, LIBRARY[name]):
            missing.append(f"{name} is left out: {python} has no {LIBRARY[name]}, {_NEED}")
        else:
            found[name] = python
    return found, missing


def _has(python: str, library: str) -> bool:
    command = [python, "-c", f"import {library}"]
    try:
        return not subprocess.run(command, capture_output=True, timeout=60, check=False).returncode
    except OSError:
        return False


def _worker(contender: str, env: Mapping[str, str]) -> list[str]:
    """Read WORKER from the contender's source, because its library may be missing here."""
    name = "ours" if contender == "ours_bulk" else contender
    source = (Path(__file__).parent / "contenders" / f"{name}.py").read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WORKER":
            words = [each for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            ordered = sorted(words, key=lambda word: (word.lineno, word.col_offset))
            return [env.get(str(word.value), str(word.value)) for word in ordered]
    raise LookupError(f"{contender} names no WORKER")
