"""How one producer's deep backlog affects other producers, and what it costs while it waits.

    python -m benchmarks.backlog                              # 200,000 rows, 8 to 15 minutes
    python -m benchmarks.backlog --count 20000 --single       # a message for each row
    python -m benchmarks.backlog --count 3000 --limit 40 --window 12 --margin 200 --length 36 \
        --every 6 --idle 8 --patience 30                      # the short form

Producer "big" submits its rows while the workers run. The measured phase begins right afterwards:
at regular intervals producer "small" submits one row, and producer "urgent" one with high priority.

CPU is that of the worker processes and of the Redis server, in per cent of one core. It is measured
before the backlog is submitted, and again when nothing else is submitted and the broker's queue is
empty (or was not empty in time). The calls that the quota allows are part of the second figure.

An idle installation admits the calls of a whole window at once. If the backlog's first rows use up
the quota like that, a row that comes later waits for the rest of the window. The goal for the other
producers therefore applies to rows submitted after the first window.

The share of the quota that was used is counted over the last whole windows of the measured phase,
because calls are not spread evenly within a window. The first window after the first submission is
excluded, because the backlog does not compete for all of it.
Exits 1 if a goal is missed.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import click
import redis

from benchmarks.backlog_figures import (
    DRAIN_S,
    HIGH,
    NORMAL,
    Costs,
    Cpu,
    Plan,
    Probe,
    Seen,
    as_report,
    judge,
)
from benchmarks.machine import bounded, server_cpu, tree_cpu
from benchmarks.report import json_option
from benchmarks.scene import calls_of, missed, quota_environment, sandbox_options
from demo.local_stack import LocalStack
from satyapan import SatyapanError, State, Verification, Verifications
from satyapan.client import Priority
from satyapan.names import RUN_QUEUE

ROUTE: Final = "passport"
PASSPORT: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
_BATCH: Final = 1000
_WARM_S: Final = 5
_CHECK_S: Final = 1.0


class Queue:
    """The broker's queue of new submissions, observed from the end of the submission on."""

    def __init__(self, client: "redis.Redis", key: str) -> None:
        self._redis: Any = client
        self._key = key
        self._start = time.monotonic()
        self.messages = int(self._redis.llen(key))
        self.drained_s: float | None = None

    def watch(self, until_s: float, over: Callable[[], bool] = lambda: True) -> None:
        """Check every second, until `until_s` after the submission and until `over` is true."""
        while (since := time.monotonic() - self._start) < until_s or not over():
            self._check(since)
            time.sleep(_CHECK_S)

    def drain(self, most_s: float) -> None:
        """Check every second until the queue was empty, at most `most_s` after the submission."""
        while self.drained_s is None and (since := time.monotonic() - self._start) < most_s:
            self._check(since)
            time.sleep(_CHECK_S)

    def _check(self, since: float) -> None:
        if self.drained_s is None and not self._redis.llen(self._key):
            self.drained_s = since


def run(plan: Plan, folder: Path) -> tuple[Seen, Costs]:
    """Run a plan in a folder."""
    limits = {ROUTE: plan.limit}
    with LocalStack(
        folder,
        workers=plan.workers,
        env=quota_environment(limits, plan.window_s, plan.margin_ms),
        sandbox_args=sandbox_options(limits, plan.window_s),
        callbacks=False,
    ) as stack:
        client = redis.Redis.from_url(stack.server.url)
        time.sleep(_WARM_S)
        before, began = _cpu(stack, client, plan), time.time()
        accepted = _submit(stack.verifications("big"), plan)
        start = time.time()
        queue = Queue(client, f"{stack.settings.producer.prefix}:broker:{RUN_QUEUE}")
        probes = _measure(stack, queue, plan)
        queue.drain(DRAIN_S)
        costs = Costs(
            submit_s=start - began,
            accepted=accepted,
            messages=queue.messages,
            drained_s=queue.drained_s,
            before=before,
            after=_cpu(stack, client, plan),
        )
        return judge(plan, calls_of(stack, ROUTE), probes, began=began, start=start), costs


def _cpu(stack: LocalStack, client: "redis.Redis", plan: Plan) -> Cpu:
    """Measure the CPU of workers and server over the plan's idle seconds."""
    pids = [stack.pid(f"worker-{n}") for n in range(1, plan.workers + 1)]

    def used() -> tuple[float, float, float]:
        return time.monotonic(), sum(map(tree_cpu, pids)), server_cpu(client)

    had = used()
    time.sleep(plan.idle_s)
    seconds, workers, server = (late - early for early, late in zip(had, used(), strict=True))
    return Cpu(workers=100 * workers / seconds, server=100 * server / seconds)


def _submit(producer: Verifications, plan: Plan) -> int:
    """Submit the backlog; return how many rows were accepted."""
    accepted = 0
    for start in range(0, plan.count, _BATCH):
        keys = [f"row-{n}" for n in range(start, min(start + _BATCH, plan.count))]
        accepted += _submit_batch(producer, keys, single=plan.single)
        print(f"{accepted:,} submitted", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return accepted


def _submit_batch(producer: Verifications, keys: Iterable[str], *, single: bool) -> int:
    if single:
        return sum(_submit_one(producer, key) for key in keys)
    made = producer.submit_many(ROUTE, [{"request": PASSPORT, "key": key} for key in keys])
    return sum(isinstance(each, Verification) for each in made)


def _submit_one(producer: Verifications, key: str) -> bool:
    try:
        producer.submit(ROUTE, PASSPORT, key=key)
    except SatyapanError:
        return False
    return True


def _measure(stack: LocalStack, queue: Queue, plan: Plan) -> list[Probe]:
    """Submit as the other producers in the measured phase; return their rows once all settled."""
    producers = {name: stack.verifications(name) for name in (NORMAL, HIGH)}
    moments = range(0, plan.length_s, plan.every_s)
    with ThreadPoolExecutor(len(producers) * len(moments)) as pool:
        pending: list[Future[Probe]] = []
        for moment in moments:
            queue.watch(moment)
            pending += [
                pool.submit(_probe, producer, name, moment, plan.patience_s)
                for name, producer in producers.items()
            ]
        queue.watch(plan.length_s, lambda: all(one.done() for one in pending))
        return [one.result() for one in pending]


def _probe(producer: Verifications, name: str, moment: int, patience_s: float) -> Probe:
    """Submit one row as another producer and wait for it."""
    at, begun, row_id, done = time.time(), time.monotonic(), "", False
    priority: Priority = "high" if name == HIGH else "normal"
    try:
        row_id = producer.submit(ROUTE, PASSPORT, key=f"{name}-{moment}", priority=priority).id
        left = begun + patience_s - time.monotonic()
        done = producer.wait(row_id, max(0.0, left)).state is State.DONE
    except SatyapanError as error:
        print(f"{name} at {moment} s: {type(error).__name__}", file=sys.stderr, flush=True)
    took = time.monotonic() - begun if done else patience_s
    return Probe(producer=name, id=row_id, at=at, took_s=took, done=done)


@click.command()
@click.option("--workers", default=1, show_default=True)
@click.option("--count", default=200_000, show_default=True, help="Rows of the backlog.")
@click.option("--limit", default=100, show_default=True, help="Calls a window.")
@click.option("--window", "window_s", default=60, show_default=True, help="Seconds.")
@click.option("--margin", "margin_ms", default=1000, show_default=True)
@click.option("--length", "length_s", default=180, show_default=True, help="Seconds measured.")
@click.option("--every", "every_s", default=15, show_default=True, help="Seconds between others.")
@click.option(
    "--idle", "idle_s", default=30, show_default=True, help="Seconds for each measurement of CPU."
)
@click.option("--patience", "patience_s", default=180, show_default=True, help="Seconds.")
@click.option("--single", is_flag=True, help="Submit one by one, with a message each.")
@json_option
def main(file: Path | None, **options: Any) -> None:
    """Measure the effect of a deep backlog on other producers, the quota and CPU."""
    plan = Plan(**options)
    with (
        bounded(plan.most_s),
        tempfile.TemporaryDirectory(prefix="satyapan-backlog-") as folder,
    ):
        found = as_report(plan, *run(plan, Path(folder)))
    found.tell(file)
    sys.exit(missed(found))


if __name__ == "__main__":
    main()
