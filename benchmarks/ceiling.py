"""How many requests a second the stub can answer. Measured rates must stay far below that.

    python -m benchmarks.ceiling
    python -m benchmarks.ceiling --seconds 10

A raw client sends requests in batches on open connections and only counts the bytes of the answers,
so that it needs little CPU. It shares the machine's cores with the stub, as the workers do.
"""

import json
import selectors
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from benchmarks.machine import bounded, tree_cpu, vendor
from benchmarks.report import Report, json_option

DELAYS: Final = (0, 20, 300)
_CONNECTIONS: Final = 64
_TOGETHER: Final = 16
_BODY: Final = json.dumps(
    {"verification_id": "b-0", "file_number": "PA1079341954215", "dob": "2007-03-01"}
).encode()


def ceiling(address: str, delay: int, seconds: float) -> float:
    """Return how many requests a second the stub answers with a delay of `delay` ms."""
    parts = urlsplit(address)
    head = f"POST /{delay}/passport HTTP/1.1\r\nContent-Length: {len(_BODY)}\r\n\r\n"
    together = _TOGETHER + delay  # enough in flight that the delay is not the limit
    batch = (head.encode() + _BODY) * together
    place = (str(parts.hostname), int(parts.port or 0))
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(socket.create_connection(place, timeout=30))
            for _ in range(_CONNECTIONS)
        ]
        size = _warm(sockets, batch, together)
        return _batches(sockets, batch, size, seconds) * together / seconds


def _warm(sockets: Sequence[socket.socket], batch: bytes, together: int) -> int:
    """Send one batch on each connection; return the bytes of its answers."""
    for one in sockets:
        one.sendall(batch)
    size = 0
    for one in sockets:
        had = b""
        while had.count(b"HTTP/1.1 200") < together or not had.endswith(b"}"):
            had += one.recv(1 << 20)
        size = len(had)
    return size


def _batches(sockets: Sequence[socket.socket], batch: bytes, size: int, seconds: float) -> int:
    """Keep one batch in flight on each connection; return how many were answered."""
    due = dict.fromkeys(sockets, size)
    with selectors.DefaultSelector() as waiting:
        for one in sockets:
            waiting.register(one, selectors.EVENT_READ, data=one)
            one.sendall(batch)
        end, done = time.perf_counter() + seconds, 0
        while time.perf_counter() < end:
            for key, _ in waiting.select(0.1):
                done += _answered(key.data, due, batch, size)
    return done


def _answered(one: socket.socket, due: dict[socket.socket, int], batch: bytes, size: int) -> int:
    """Read from a connection. If that completes a batch, send the next one and return 1."""
    due[one] -= len(one.recv(1 << 20))
    if due[one]:
        return 0
    due[one] = size
    one.sendall(batch)
    return 1


@click.command()
@click.option("--seconds", default=3.0, show_default=True, help="Duration for each delay.")
@json_option
def main(seconds: float, file: Path | None) -> None:
    """Measure how many requests the stub can answer."""
    lines = []
    with (
        bounded(60 + seconds * 10),
        tempfile.TemporaryDirectory(prefix="satyapan-ceiling-") as place,
        vendor(Path(place)) as stub,
    ):
        for delay in DELAYS:
            before = tree_cpu(stub.pid)
            rate = ceiling(stub.address, delay, seconds)
            cores = (tree_cpu(stub.pid) - before) / seconds
            lines.append({"vendor ms": delay, "requests/s": rate, "stub's cores": cores})
    Report(name="what the stub can answer", lines=lines).tell(file)


if __name__ == "__main__":
    main()
