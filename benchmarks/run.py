"""One table: what a verification costs with each contender, interleaved on one machine.

    python -m benchmarks.run
    python -m benchmarks.run --rounds 7 --count 600 --peers PYTHON --arq PYTHON
    python -m benchmarks.run --tls --count 100 ours celery_bare

Figures are medians over the rounds, with the least and the most of CPU. CPU is the worker's tree +
the producer + the server, in ms a verification; it is steadier than the rate on a shared machine.
"""

import argparse
import ast
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks.machine import (
    drive,
    running,
    server_cpu,
    server_reads,
    settings,
    tree_cpu,
    tree_memory,
    vendor,
)
from benchmarks.tls import make_certificate
from demo.server import EmbeddedServer

OWN = ("ours", "ours_bulk", "celery_bare", "floor")
PEERS = ("dramatiq_peer", "huey_peer", "rq_peer", "taskiq_peer")
ARQ = ("arq_peer",)
BASE = "celery_bare"
_COLUMNS = (
    "contender",
    "CPU ms (min to max)",
    "x bare Celery",
    "worker + producer + Redis",
    "round trips",
    "verif/s",
    "p50 ms, one in flight",
    "worker MB",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One round of one contender. CPU in ms a verification, memory in MB."""

    rate: float
    worker: float
    producer: float
    server: float
    trips: float
    memory: float
    p50: float

    @property
    def cpu(self) -> float:
        """Give the CPU of all three."""
        return self.worker + self.producer + self.server


class Round:
    """Runs one contender once: its workers, a warm-up, a burst, and calls one at a time."""

    def __init__(self, server: EmbeddedServer, env: Mapping[str, str], folder: Path) -> None:
        self._server = server
        self._env = env
        self._folder = folder

    def tried(self, python: str, contender: str, count: int, pings: int) -> Figures | None:
        """Run; one contender's failure must not lose the others' rounds."""
        try:
            return self.run(python, contender, count, pings)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(str(error)[-300:], file=sys.stderr)
            return None

    def run(self, python: str, contender: str, count: int, pings: int) -> Figures:
        """Measure; the server is emptied first."""
        with redis.Redis.from_url(self._server.url) as client:
            client.flushall()
            command = [python, *_worker(contender, self._env)]
            log = self._folder / f"{contender}.log"
            with running(command, self._env, log) as pid:
                drive(python, contender, "burst", min(count, 150), self._env)
                found = self._burst(client, pid, python, contender, count)
                spans = drive(python, contender, "ping", pings, self._env)["spans_ms"]
        return Figures(**found, p50=statistics.median(spans))

    def _burst(
        self, client: "redis.Redis", pid: int, python: str, contender: str, count: int
    ) -> dict[str, float]:
        worker, server, trips = tree_cpu(pid), server_cpu(client), server_reads(client)
        told = drive(python, contender, "burst", count, self._env)
        time.sleep(0.2)  # the last acknowledgements
        done = count + 20  # the producer's own warm-up ran on the same worker and server
        return {
            "rate": count / told["seconds"],
            "worker": (tree_cpu(pid) - worker) * 1000 / done,
            "producer": told["cpu_s"] * 1000 / count,
            "server": (server_cpu(client) - server) * 1000 / done,
            "trips": (server_reads(client) - trips) / done,
            "memory": tree_memory(pid),
        }


def _worker(contender: str, env: Mapping[str, str]) -> list[str]:
    """Read WORKER from the contender's source: its library may not be importable here."""
    name = "ours" if contender == "ours_bulk" else contender
    source = (Path(__file__).parent / "contenders" / f"{name}.py").read_text()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WORKER":
            words = [each for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            ordered = sorted(words, key=lambda word: (word.lineno, word.col_offset))
            return [env.get(str(word.value), str(word.value)) for word in ordered]
    raise LookupError(f"{contender} names no WORKER")


def main() -> None:
    """Run all rounds, then print the table."""
    given = _options()
    names = given.contenders or [*OWN, *(PEERS if given.peers else ()), *(ARQ if given.arq else ())]
    pythons = dict.fromkeys(PEERS, given.peers) | dict.fromkeys(ARQ, given.arq)
    found: dict[str, list[Figures | None]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="satyapan-bench-") as place:
        folder = Path(place)
        more = make_certificate(folder) if given.tls else {}
        more |= dict(pair.split("=", 1) for pair in given.set)
        with EmbeddedServer(folder / "redis") as server, vendor(folder, tls=given.tls) as address:
            env = settings(server.url, f"{address}/{given.latency}", more)
            for number in range(given.rounds):
                for name in names:
                    python = pythons.get(name, sys.executable)
                    this = Round(server, env, folder)
                    figures = this.tried(python, name, given.count, given.pings)
                    found[name].append(figures)
                    told = f"{figures.cpu:.2f} ms CPU" if figures else "failed"
                    print(f"round {number + 1} {name}: {told}", file=sys.stderr, flush=True)
    print(table(found))


def table(found: Mapping[str, Sequence[Figures | None]]) -> str:
    """Write the table, with each contender's CPU beside bare Celery's of the same round."""
    lines = [
        f"| {' | '.join(_COLUMNS)} |",
        "|---" * len(_COLUMNS) + "|",
    ]
    return "\n".join([*lines, *(_line(name, found) for name in found)])


def _line(name: str, found: Mapping[str, Sequence[Figures | None]]) -> str:
    rounds = [each for each in found[name] if each]
    if not rounds:
        return f"| {name} | failed in every round |"
    cpu = [each.cpu for each in rounds]
    pairs = zip(found[name], found.get(BASE, ()), strict=False)
    ratios = [mine.cpu / base.cpu for mine, base in pairs if mine and base]
    ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
    middle = {
        part: statistics.median(getattr(each, part) for each in rounds)
        for part in Figures.__slots__
    }
    parts = f"{middle['worker']:.2f} + {middle['producer']:.2f} + {middle['server']:.2f}"
    return (
        f"| {name} | {statistics.median(cpu):.2f} ({min(cpu):.2f} to {max(cpu):.2f}) | {ratio} "
        f"| {parts} | {middle['trips']:.1f} | {middle['rate']:.0f} | {middle['p50']:.1f} "
        f"| {middle['memory']:.0f} |"
    )


def _options() -> argparse.Namespace:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    options.add_argument("contenders", nargs="*", help="default: all")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--count", type=int, default=500, help="verifications a round")
    options.add_argument("--pings", type=int, default=30, help="calls one at a time")
    options.add_argument("--latency", type=int, default=20, help="the vendor's, in ms")
    options.add_argument("--tls", action="store_true", help="HTTPS, with the usual CA bundle")
    options.add_argument("--peers", default="", help="a Python that has requirements.txt")
    options.add_argument("--arq", default="", help="a Python that has arq and aiohttp")
    options.add_argument("--set", action="append", default=[], help="NAME=VALUE for all processes")
    return options.parse_args()


if __name__ == "__main__":
    main()
