"""Inject one fault at one named point, several times: start, inject, recover, judge.

A `FailpointCase` is a point, a kind and an action; `run_case` is a generator, so that `interleave`
runs many cases in one thread.
"""

import json
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import requests

from demo.supervisor import Child
from satyapan import Verification, Verifications
from satyapan.failpoints import Failpoint
from satyapan.ids import generation_id, hashed_id
from tests.support.fault_kinds import DECISIONS, KINDS, WEBHOOK_POINTS, request_for
from tests.support.history import History, Verdict, judge, own_entries, rows_of
from tests.support.installation import (
    LEASE_S,
    Installation,
    Services,
    gone,
    kill_group,
    listens_at,
    said,
    until,
)
from tests.support.proxy import FaultProxy

COMBINATIONS: Final = tuple(
    (point, kind) for point in Failpoint for kind in WEBHOOK_POINTS.get(point, KINDS)
)
DEADLY: Final = ("kill", "kill-child", "kill-parent")
PROXY_ACTIONS: Final = ("redis-reply", "redis-cut", "vendor-reply", "vendor-cut")
ACTIONS: Final = (*DEADLY, "stop", "redis-restart", *PROXY_ACTIONS)
SURVIVED: Final = ("kill-child", "redis-restart", *PROXY_ACTIONS)
PATIENCE_S: Final = 4 * LEASE_S + 60
PREFORK: Final = {"SATYAPAN_WORKER_POOL": "prefork", "SATYAPAN_WORKER_CONCURRENCY": "1"}
_IN_POOL: Final = frozenset(Failpoint) - {
    "popped",
    Failpoint.SWEPT,
    Failpoint.INSERTED,
    Failpoint.STORED,
}
"""Points that a prefork worker's child reaches; its main process reaches the others."""


def applies(action: str, point: str) -> bool:
    """Return True if the action is possible at this point: a pool's child doesn't reach all."""
    return action not in {"kill-child", "kill-parent"} or point in _IN_POOL


@dataclass(frozen=True)
class FailpointCase:
    """A point, a kind, an action and the number of runs; `batch` distinguishes equal cases."""

    point: str
    kind: str
    action: str = "kill"
    runs: int = 3
    batch: int = 0

    @property
    def name(self) -> str:
        """Name the case; short, because it is also its installation's prefix."""
        short = self.kind.removeprefix("toy_").partition("_")[0]
        return f"{self.point}-{short}-{self.action}-{self.batch}"

    @property
    def failpoint_action(self) -> str:
        """Return the action as the failpoint knows it."""
        if self.action in {"stop", "kill", "kill-parent"}:
            return self.action
        return "kill" if self.action == "kill-child" else "hold"


@dataclass(frozen=True)
class CaseOutcome:
    """How a case ended: the verdict, and the end of each verification."""

    case: FailpointCase
    verdict: Verdict
    ends: tuple[str, ...]
    recovery_s: tuple[float, ...]
    """Seconds from each fault to the end of its verification, on the ledger's clock."""
    judged: frozenset[int]
    """The numbers of the audit's entries that were judged as its own."""


Report = Callable[[CaseOutcome], None]


def run_case(case: FailpointCase, services: Services, report: Report) -> Iterator[None]:
    """Inject the fault `case.runs` times, recover, judge, report."""
    with ExitStack() as stack:
        run = _CaseRun(case, services, stack)
        for number in range(case.runs):
            yield from run.inject(number)
        yield from run.recover()
        report(run.outcome())


def interleave(runs: Iterable[Iterator[None]], at_once: int) -> None:
    """Step through generators in turn, `at_once` at a time, in this thread."""
    waiting, running = deque(runs), deque[Iterator[None]]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(waiting.popleft())
            for _ in range(len(running)):
                run = running.popleft()
                with suppress(StopIteration):
                    next(run)
                    running.append(run)
            time.sleep(0.05)
    finally:
        for run in running:
            close = getattr(run, "close", None)
            if close is not None:
                close()


class _CaseRun:
    def __init__(self, case: FailpointCase, services: Services, stack: ExitStack) -> None:
        self.case = case
        self.services = services
        self.history = History()
        self.redis_proxy, self.vendor_proxy, env = _proxies(case, services, stack)
        self.installation = Installation(services, case.name, **env)
        stack.callback(self.installation.end)
        self.ids: list[str] = []
        self.reached_at: list[float] = []
        self.stopped: list[int] = []
        self.visited: set[str] = set()
        self.decided: set[str] = set()
        self.webhook_url = ""

    # ---- one fault ----

    def inject(self, number: int) -> Iterator[None]:
        """Bring one verification to the point and inject the fault there."""
        yield from self._end_survivors()
        one = f"{self.case.name}-{number}"
        mark = self.services.folder / f"{one}.reached"
        fault = f"{self.case.point}:{self.case.failpoint_action}:{mark}"
        request = self._request(one)
        if self.case.point == Failpoint.INSERTED:
            child = self._start_producer(fault, request, one)
        else:
            child = yield from self._work_with_fault(fault, request, one)
        yield from self._wait_until(mark.exists, f"{one} reaches the point")
        self.reached_at.append(time.time())
        yield from self._apply(mark, child)

    def _end_survivors(self) -> Iterator[None]:
        """End the processes of the last run: they would process the next verification.

        First wait until they have recovered. A pending fault of the vendor's proxy is cancelled: it
        would hit another call.
        """
        works = self.case.point != Failpoint.INSERTED  # there no worker runs yet
        if works and self.reached_at and self.case.action in SURVIVED:
            yield from self._wait_until(self._all_settled, f"{self.case.name} recovers", PATIENCE_S)
            for child in self.installation.children:
                kill_group(child)
            if self.vendor_proxy:
                self.vendor_proxy.drop_replies(0)

    def _request(self, one: str) -> dict[str, Any]:
        if self.case.kind == "static_kyc_link":
            self.services.stack.control("templates", {"name": one, "steps": ["AADHAAR"]})
        return request_for(self.case.kind, one)

    def _start_producer(self, fault: str, request: dict[str, Any], one: str) -> Child:
        self.history.note(self.case.kind, request, one, "unknown")
        self.ids.append(one)
        return self.installation.run_producer(fault, self.case.kind, json.dumps(request), one)

    def _work_with_fault(
        self, fault: str, request: dict[str, Any], one: str
    ) -> Generator[None, None, Child]:
        case, installation = self.case, self.installation
        at_callbacks = case.point == Failpoint.STORED
        if case.point in WEBHOOK_POINTS:
            yield from self._open_callbacks(fault if at_callbacks else "")
        if (case.point, case.kind) == (Failpoint.OPENED, "static_kyc_link"):
            yield from self._make_link(request, one)
        pool = PREFORK if case.action in {"kill-child", "kill-parent"} else {}
        worker = yield from self._ready_worker("" if at_callbacks else fault, **pool)
        producer = (
            installation.mute_producer() if case.point == Failpoint.SWEPT else installation.producer
        )
        self.ids.append(one)
        yield from self._submit(producer, request, one)
        return installation.children[-2] if at_callbacks else worker

    def _make_link(self, request: dict[str, Any], one: str) -> Iterator[None]:
        """Create the link before a failpoint is enabled.

        The last run's webhook is still in the inbox and may be opened at any moment: a kill there
        would hit this link's own paid call, which is another case.
        """
        installation = self.installation
        maker = yield from self._ready_worker()
        yield from self._submit(installation.producer, request, one)
        yield from until(lambda: _has_settled(installation.producer, one), f"{one} is made")
        kill_group(maker)

    def _submit(self, producer: Verifications, request: dict[str, Any], one: str) -> Iterator[None]:
        yield from until(
            lambda: self.history.submit(producer, self.case.kind, request, one) == "ok",
            f"submit {one}",
        )

    def _ready_worker(self, fault: str = "", **env: str) -> Generator[None, None, Child]:
        """Start a worker; start it again if it ended because the server was away."""
        worker = self.installation.start_worker(fault, **env)
        yield from until(lambda: said(worker, "worker ready") or gone(worker), worker.name)
        if said(worker, "worker ready"):
            return worker
        return (yield from self._ready_worker(fault, **env))

    def _open_callbacks(self, fault: str) -> Iterator[None]:
        app = self.installation.start_callbacks(fault)
        yield from until(partial(listens_at, app), f"{app.name} listens")
        self.webhook_url = f"{listens_at(app)}/webhooks/cashfree"
        derived = [hashed_id(f"{self.case.name}-{number}") for number in range(self.case.runs)]
        for text in [*derived, *self.visited, f"{self.case.name}-"]:
            self.services.relay.deliver_to(text, self.webhook_url)

    # ---- at the point ----

    def _apply(self, mark: Path, child: Child) -> Iterator[None]:
        case = self.case
        if case.action == "stop":
            self.stopped.append(_stopped_by(child))
        elif case.point == Failpoint.STORED and case.failpoint_action == "kill":
            return  # gunicorn's worker died; its main process starts another
        elif case.action == "kill-child":
            return  # the pool starts another
        elif case.failpoint_action in DEADLY:
            yield from until(partial(gone, child), f"{child.name} is gone")
            kill_group(child)  # as the end of its container would
        else:
            yield from self._disturb(case.action)
            mark.unlink()

    def _disturb(self, action: str) -> Iterator[None]:
        if action == "redis-restart":
            self.services.stack.server.kill()
            self.services.stack.server.restart()
            return
        proxy = self.redis_proxy if action.startswith("redis") else self.vendor_proxy
        assert proxy is not None
        if action.endswith("cut"):
            proxy.reset()
        else:
            proxy.drop_replies(1)
        yield

    # ---- after the faults ----

    def recover(self) -> Iterator[None]:
        """Let a healthy worker run until everything is settled, and for some seconds after."""
        if self.case.point == Failpoint.INSERTED or self.case.action in {
            "kill",
            "kill-parent",
            "stop",
        }:
            yield from self._ready_worker()
        yield from self._wait_until(self._all_settled, f"{self.case.name} recovers", PATIENCE_S)
        for pid in self.stopped:
            with suppress(ProcessLookupError):  # gunicorn ends a worker that hangs
                os.kill(pid, signal.SIGCONT)
        calm = time.monotonic() + (4 if self.stopped else 0.5)
        yield from until(lambda: time.monotonic() > calm, "calm")
        yield from self._wait_until(self._all_settled, f"{self.case.name} stays settled")

    def _wait_until(
        self, condition: Callable[[], object], what: str, within: float = 60.0
    ) -> Iterator[None]:
        def act_and_check() -> object:
            self._act_as_persons()
            return condition()

        yield from until(act_and_check, what, within=within)

    def _act_as_persons(self) -> None:
        """Act as the persons: consent or pay, and visit every new shared link once."""
        if self.case.kind not in {*DECISIONS, "static_kyc_link"}:
            return
        for one in self.ids:
            seen = self.history.read(self.installation.producer, one)
            if seen is not None and seen.link:
                self._decide(seen) if self.case.kind in DECISIONS else self._visit(seen)

    def _decide(self, seen: Verification) -> None:
        name = generation_id(seen.id, seen.generation)
        if name not in self.decided and not seen.settled:
            self.decided.add(name)
            decision = DECISIONS[self.case.kind]
            self.services.stack.control(f"journeys/{name}", {"decision": decision})

    def _visit(self, seen: Verification) -> None:
        if self.case.point in WEBHOOK_POINTS and seen.link not in self.visited:
            self.visited.add(seen.link)
            self.services.relay.deliver_to(seen.link, self.webhook_url)
            requests.post(seen.link, data={"name": "A Person"}, timeout=10)

    def _all_settled(self) -> bool:
        states = (self.history.read(self.installation.producer, one) for one in self.ids)
        return all(seen is not None and seen.settled for seen in states) and self._visits_ended()

    def _visits_ended(self) -> bool:
        """Return True if every visit to a shared link has ended: each is a verification."""
        self.history.listen(self.installation.producer)
        ends = [event for event in self.history.events if event.parent and event.name == "done"]
        return len({event.verification_id for event in ends}) >= len(self.visited)

    def outcome(self) -> CaseOutcome:
        """Judge the case by the vendor's audit and the ledger."""
        children = {event.verification_id for event in self.history.events}
        rows = rows_of(self.installation.producer, [*self.ids, *children])
        audit = own_entries(self.history, self.services.audit(), f"{self.case.name}-")
        verdict = judge(self.history, audit, rows, least_done=0.0)
        ends = tuple(f"{rows[one].state} {rows[one].reason}".strip() for one in self.ids)
        took = tuple(
            rows[one].updated / 1000 - at for one, at in zip(self.ids, self.reached_at, strict=True)
        )
        judged = frozenset(int(entry["n"]) for entry in audit)
        return CaseOutcome(self.case, verdict, ends, took, judged)


def _has_settled(producer: Verifications, one: str) -> bool:
    seen = producer.get(one)
    return seen is not None and seen.settled


def _proxies(
    case: FailpointCase, services: Services, stack: ExitStack
) -> tuple[FaultProxy | None, FaultProxy | None, dict[str, str]]:
    """Start the proxy that the case needs."""
    if case.action.startswith("redis") and case.action in PROXY_ACTIONS:
        proxy = stack.enter_context(services.redis_proxy())
        return proxy, None, {"SATYAPAN_REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0"}
    if case.action.startswith("vendor"):
        proxy = stack.enter_context(services.vendor_proxy())
        url = f"http://127.0.0.1:{proxy.port}/verification"
        return None, proxy, {"SATYAPAN_CASHFREE_BASE_URL": url}
    return None, None, {}


def _stopped_by(child: Child) -> int:
    """Find the process that stopped itself: the child, or one of its children."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
            if fields[0] == "T" and int(fields[2]) == child.pid:
                return int(entry.name)
    return child.pid
