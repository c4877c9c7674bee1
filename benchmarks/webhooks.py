"""How fast webhooks are accepted: a steady rate against the deployed command and a real server.

    python -m benchmarks.webhooks --rate 200 --seconds 30

Each delivery is due at its own moment, whether or not the ones before it were answered. Two times
are told: from that moment (what the vendor would see of a server that can't keep up) and from the
first byte. Generator, web processes and server share this machine. Exits 1 when an answer is not
2xx, a webhook is missing from the inbox, or the goal is missed.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
import redis

from demo.environment import fresh_settings
from demo.server import EmbeddedServer
from demo.supervisor import Supervisor

GOAL_MS: Final = 50.0
SENDERS: Final = 24
WARM_UP: Final = 100
SECRET: Final = b"sandbox-secret"
COMMAND: Final = (sys.executable, "-m", "satyapan.cli", "callbacks", "--bind", "127.0.0.1:0")


@dataclass
class Load:
    """What is sent, and what came back."""

    address: tuple[str, int]
    deliveries: Sequence[tuple[bytes, dict[str, str]]]
    rate: float
    begin: float = 0.0
    next_one: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    statuses: Counter[int] = field(default_factory=Counter)
    from_due: list[float] = field(default_factory=list)
    from_sent: list[float] = field(default_factory=list)

    def run(self) -> None:
        """Send everything, each at its time."""
        self.begin = time.perf_counter() + 0.1
        senders = [threading.Thread(target=self._send_all) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    def _send_all(self) -> None:
        connection = http.client.HTTPConnection(*self.address, timeout=30)
        while True:
            with self.lock:
                number, self.next_one = self.next_one, self.next_one + 1
            if number >= len(self.deliveries):
                connection.close()
                return
            self._send(connection, number)

    def _send(self, connection: http.client.HTTPConnection, number: int) -> None:
        due = self.begin + number / self.rate
        time.sleep(max(0.0, due - time.perf_counter()))
        body, headers = self.deliveries[number]
        sent = time.perf_counter()
        connection.request("POST", "/webhooks/cashfree", body, headers)
        answer = connection.getresponse()
        answer.read()
        done = time.perf_counter()
        with self.lock:
            self.statuses[answer.status] += 1
            self.from_due.append((done - due) * 1000)
            self.from_sent.append((done - sent) * 1000)


def delivery(number: int) -> tuple[bytes, dict[str, str]]:
    """Write and sign a webhook of the usual size, as the vendor does."""
    person = {"name": "Asha Namuna", "dob": "15-08-1990", "gender": "F", "mobile": "9000000001"}
    data = {
        "user_details": {**person, "eaadhaar": "Y"},
        "status": "AUTHENTICATED",
        "document_requested": ["AADHAAR", "PAN"],
        "document_consent": ["AADHAAR", "PAN"],
        "verification_id": f"bench-{number}",
        "reference_id": number,
    }
    name = "DIGILOCKER_VERIFICATION_SUCCESS"
    event = {"event_type": name, "event_time": "2026-01-05T10:11:12Z", "version": "v1"}
    body = json.dumps({**event, "data": data}).encode()
    timestamp = str(time.time_ns() // 1_000_000)
    mac = hmac.digest(SECRET, timestamp.encode() + body, hashlib.sha256)
    return body, {
        "Content-Type": "application/json",
        "x-webhook-timestamp": timestamp,
        "x-webhook-signature": base64.b64encode(mac).decode(),
    }


def kept(url: str, prefix: str = "satyapan") -> int:
    """Count the webhooks in the inbox."""
    with redis.Redis.from_url(url) as client:
        return sum(1 for _ in client.scan_iter(f"{prefix}:inbox:*", count=1000))


def line(name: str, times: Sequence[float]) -> str:
    """Write a distribution."""
    cuts = statistics.quantiles(times, n=1000, method="inclusive")
    p50, p90, p99, p999 = (cuts[at - 1] for at in (500, 900, 990, 999))
    return f"{name:16}{p50:9.1f}{p90:9.1f}{p99:9.1f}{p999:9.1f}{max(times):9.1f}"


def report(load: Load, stored: int) -> bool:
    """Tell how it went; returns whether the goal was met."""
    count = len(load.deliveries)
    p99 = statistics.quantiles(load.from_due, n=100, method="inclusive")[98]
    click.echo(f"{count} webhooks at {load.rate:g}/s, answers {dict(load.statuses)}")
    click.echo(f"in the inbox: {stored - WARM_UP}; load of the machine: {os.getloadavg()[0]:.1f}")
    click.echo(f"{'ms':16}{'p50':>9}{'p90':>9}{'p99':>9}{'p99.9':>9}{'max':>9}")
    click.echo(line("from due moment", load.from_due))
    click.echo(line("from first byte", load.from_sent))
    whole = load.statuses == {200: count} and stored == count + WARM_UP
    click.echo(f"goal p99 <= {GOAL_MS:g} ms: {'met' if p99 <= GOAL_MS else 'missed'}")
    return whole and p99 <= GOAL_MS


@click.command()
@click.option("--rate", default=200.0, show_default=True, help="Webhooks a second.")
@click.option("--seconds", default=30.0, show_default=True, help="How long.")
@click.option("--workers", default=2, show_default=True, help="Web processes.")
def main(rate: float, seconds: float, workers: int) -> None:
    """Measure how fast webhooks are accepted, store included."""
    with tempfile.TemporaryDirectory() as place, EmbeddedServer(Path(place) / "redis") as server:
        with Supervisor(Path(place) / "logs") as processes:
            env = {"PATH": os.environ["PATH"], **fresh_settings(server.url)}
            command = [*COMMAND, "--workers", str(workers)]
            ready = r"listening on (?P<url>http://\S+)"
            child = processes.start("callbacks", command, env=env, ready=ready)
            parts = urlsplit(child.ready["url"] if child.ready else "")
            address = (str(parts.hostname), int(parts.port or 0))
            Load(address, [delivery(-n) for n in range(1, WARM_UP + 1)], rate).run()
            load = Load(address, [delivery(n) for n in range(round(rate * seconds))], rate)
            load.run()
        good = report(load, kept(server.url))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
