"""How fast the callbacks app is: webhooks and returns, with store and wake-up, on a real server.

    python -m benchmarks.webhooks
    python -m benchmarks.webhooks --rate 200 --seconds 30

The deployed command answers. A webhook is verified and stored in the inbox, and workers are woken.
A person's return reads the row, marks the status check and wakes the workers. Each return here is
about another verification, so that none saves its wake-up. Both are sent at a steady rate first,
then as fast as they are answered. Generator, web processes and server share this machine. Exits 1
if a response is not 2xx, something is missing in the inbox or the queue, or a goal is missed.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
import redis

from benchmarks.load import Load, Request
from benchmarks.machine import bounded, ledger
from benchmarks.report import Figure, Line, Report, json_option
from config.settings import read_settings
from demo.environment import fresh_settings
from demo.supervisor import Supervisor
from satyapan import Verification, Verifications
from satyapan.names import FOLLOW_QUEUE
from shared.return_tokens import ReturnTokens, return_url

GOAL_MS: Final = 50.0
WARM_UP: Final = 100
SECRET: Final = b"sandbox-secret"
COMMAND: Final = (sys.executable, "-m", "satyapan.cli", "callbacks", "--bind", "127.0.0.1:0")
KIND: Final = "digilocker"
Make = Callable[[int], Sequence[Request]]


@dataclass(frozen=True)
class Site:
    """The callbacks app and its installation."""

    address: tuple[str, int]
    env: Mapping[str, str]
    server: Any
    numbers: Iterator[int]

    def webhooks(self, many: int) -> list[Request]:
        """Create and sign `many` webhooks."""
        return [delivery(next(self.numbers)) for _ in range(many)]

    def returns(self, many: int) -> list[Request]:
        """Submit `many` journeys, and create the return of each person."""
        items = [
            {"request": {"document_requested": ["AADHAAR"]}, "key": f"r-{next(self.numbers)}"}
            for _ in range(many)
        ]
        hooks = read_settings(self.env).callbacks
        tokens = ReturnTokens([key.reveal() for key in hooks.token_keys], hooks.token_life_s)
        done = Verifications.from_env(self.env).submit_many(KIND, items)
        ids = [one.id for one in done if isinstance(one, Verification)]
        return [Request("GET", return_url("", KIND, tokens.sign(KIND, each))) for each in ids]

    def wakeups(self) -> int:
        """Return the number of wake-ups in the queue. No worker takes any."""
        return int(self.server.llen(f"satyapan:broker:{FOLLOW_QUEUE}"))

    def kept(self) -> int:
        """Return the number of webhooks in the inbox."""
        return sum(1 for _ in self.server.scan_iter("satyapan:inbox:*", count=1000))


def delivery(number: int) -> Request:
    """Create and sign a webhook of the usual size, as the vendor does."""
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
    event = {"event_type": name, "event_time": datetime.now(UTC).isoformat(), "version": "v1"}
    body = json.dumps({**event, "data": data}).encode()
    timestamp = str(time.time_ns() // 1_000_000)
    mac = hmac.digest(SECRET, timestamp.encode() + body, hashlib.sha256)
    headers = {
        "Content-Type": "application/json",
        "x-webhook-timestamp": timestamp,
        "x-webhook-signature": base64.b64encode(mac).decode(),
    }
    return Request("POST", "/webhooks/cashfree", body, headers)


@contextmanager
def site(folder: Path, workers: int) -> Iterator[Site]:
    """Run the callbacks command with its own Redis server."""
    with ledger(folder / "redis") as server, Supervisor(folder / "logs") as processes:
        env = {"PATH": os.environ["PATH"], **fresh_settings(server.url)}
        command = [*COMMAND, "--workers", str(workers)]
        ready = r"listening on (?P<url>http://\S+)"
        child = processes.start("callbacks", command, env=env, ready=ready)
        parts = urlsplit(child.ready["url"] if child.ready else "")
        address = (str(parts.hostname), int(parts.port or 0))
        with redis.Redis.from_url(server.url) as client:
            yield Site(address, env, client, count(1))


def play(place: Site, make: Make, rate: float, many: int) -> list[Load]:
    """Send a warm-up, `many` requests at the rate, and `many` as fast as they are answered."""
    Load(place.address, make(WARM_UP), rate).run()
    loads = [Load(place.address, make(many), each) for each in (rate, 0.0)]
    for load in loads:
        load.run()
    return loads


def faults(place: Site, hooks: Sequence[Load], returns: Sequence[Load], before: int) -> list[str]:
    """Return what is missing; `before` is the number of wake-ups when the returns began."""
    sent = [WARM_UP + sum(len(load.requests) for load in loads) for loads in (hooks, returns)]
    found = [f"answers {dict(load.statuses)}" for load in (*hooks, *returns) if not load.whole]
    pairs = {
        "webhooks in the inbox": (place.kept(), sent[0]),
        "wake-ups of webhooks": (before, sent[0]),
        "wake-ups of returns": (place.wakeups() - before, sent[1]),
    }
    return found + [
        f"{what}: {is_} of {all_}" for what, (is_, all_) in pairs.items() if is_ != all_
    ]


def figures(lines: Sequence[Line]) -> list[Figure]:
    """Return the latencies at a steady rate, with their goal."""
    return [
        Figure(
            what=f"p99 of {each['route']} at {each['sent']}",
            value=each["p99 ms"],
            goal=GOAL_MS,
            unit="ms",
        )
        for each in lines
        if "/s" in each["sent"]
    ]


@click.command()
@click.option("--rate", default=200.0, show_default=True, help="Requests a second.")
@click.option("--seconds", default=10.0, show_default=True, help="Duration of each part.")
@click.option("--workers", default=2, show_default=True, help="Web processes.")
@json_option
def main(rate: float, seconds: float, workers: int, file: Path | None) -> None:
    """Measure how fast webhooks and returns are answered, store and wake-up included."""
    many = round(rate * seconds)
    with (
        bounded(120 + seconds * 10),
        tempfile.TemporaryDirectory(prefix="satyapan-hooks-") as folder,
        site(Path(folder), workers) as place,
    ):
        hooks = play(place, place.webhooks, rate, many)
        before = place.wakeups()
        returns = play(place, place.returns, rate, many)
        missing = faults(place, hooks, returns, before)
    lines = [load.line("webhooks") for load in hooks] + [load.line("returns") for load in returns]
    goals = figures(lines)
    Report(name="webhooks and returns", lines=lines, figures=goals, notes=missing).tell(file)
    sys.exit(bool(missing) or any(goal.verdict != "reached" for goal in goals))


if __name__ == "__main__":
    main()
