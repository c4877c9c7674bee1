"""Requests at a steady rate, or as fast as possible, against a server on this machine.

At a rate each request is due at its own time, whether or not earlier requests were answered.
Two durations are reported: from the due time (what a caller sees of a server that can't keep up)
and from the first byte.
"""

import http.client
import statistics
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.report import Line

SENDERS: Final = 24


@dataclass(frozen=True, slots=True)
class Request:
    """One request to send."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Load:
    """Requests and their responses. With a `rate` of 0 requests are sent as fast as possible."""

    address: tuple[str, int]
    requests: Sequence[Request]
    rate: float
    begin: float = 0.0
    seconds: float = 0.0
    next_one: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[int] = field(default_factory=Counter)
    from_due: list[float] = field(default_factory=list)
    from_sent: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Send all requests, each at its due time."""
        self.begin = time.perf_counter() + 0.1
        senders = [threading.Thread(target=self._send_all, daemon=True) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        self.seconds = time.perf_counter() - self.begin

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        while True:
            with self.lock:
                number, self.next_one = self.next_one, self.next_one + 1
            if number >= len(self.requests):
                connection.close()
                return
            self._send(connection, number)

    def _send(self, connection: http.client.HTTPConnection, number: int) -> None:
        due = self.begin + number / self.rate if self.rate else self.begin
        time.sleep(max(0.0, due - time.perf_counter()))
        one = self.requests[number]
        sent = time.perf_counter()
        connection.request(one.method, one.path, one.body or None, dict(one.headers))
        answer = connection.getresponse()
        answer.read()
        done = time.perf_counter()
        with self.lock:
            self.statuses[answer.status] += 1
            self.from_due.append((done - (due if self.rate else sent)) * 1000)
            self.from_sent.append((done - sent) * 1000)

    @property
    def whole(self) -> bool:
        """Return True if every response was 200."""
        return self.statuses == {200: len(self.requests)}

    def line(self, route: str) -> Line:
        """Return the table's line."""
        cuts = statistics.quantiles(self.from_due, n=1000, method="inclusive")
        sent = statistics.quantiles(self.from_sent, n=100, method="inclusive")
        return {
            "route": route,
            "sent": f"{self.rate:g}/s" if self.rate else "as fast as answered",
            "requests/s": len(self.requests) / self.seconds,
            "p50 ms": cuts[499],
            "p90 ms": cuts[899],
            "p99 ms": cuts[989],
            "p99.9 ms": cuts[998],
            "most": max(self.from_due),
            "p99 from first byte": sent[98],
            "answers": str(dict(self.statuses)),
        }
