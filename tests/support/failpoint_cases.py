"""One fault at one named point, over and over: start, strike, recover, judge.

A `Case` is a point, a kind and a way to break something there; `play` tells its story as a
generator, so that many cases run side by side in one thread (see `side_by_side`).
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
from satyapan import State, Verification, Verifications
from satyapan.failpoints import FAILPOINTS, HINTED, INSERTED, OPENED, STORED, SWEPT
from satyapan.ids import generation_id
from tests.support.history import History, Submit, Verdict, judge, rows_of
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
from tests.support.proxy import Proxy

KINDS: Final = ("passport", "digilocker", "static_kyc_link")
WEBHOOK_POINTS: Final = {
    OPENED: ("digilocker", "static_kyc_link"),
    HINTED: ("digilocker",),
    STORED: ("digilocker", "static_kyc_link"),
}
COMBINATIONS: Final = tuple(
    (point, kind) for point in FAILPOINTS for kind in WEBHOOK_POINTS.get(point, KINDS)
)
DEADLY: Final = ("kill", "kill-child", "kill-parent")
WIRES: Final = ("redis-reply", "redis-cut", "vendor-reply", "vendor-cut")
ACTIONS: Final = (*DEADLY, "stop", "redis-restart", *WIRES)
SURVIVED: Final = ("kill-child", "redis-restart", *WIRES)
PATIENCE_S: Final = 4 * LEASE_S + 60
PREFORK: Final = {"SATYAPAN_WORKER_POOL": "prefork", "SATYAPAN_WORKER_CONCURRENCY": "1"}
_IN_POOL: Final = frozenset(FAILPOINTS) - {"popped", SWEPT, INSERTED, STORED}
"""Points that a prefork worker's child reaches; the others are its main process's."""


def applies(action: str, point: str) -> bool:
    """Tell whether this can be done at this point: a pool's child never reaches every one."""
    return action not in {"kill-child", "kill-parent"} or point in _IN_POOL


@dataclass(frozen=True)
class FailpointCase:
    """What is broken where, and how often. `batch` tells equal cases apart."""

    point: str
    kind: str
    action: str = "kill"
    runs: int = 3
    batch: int = 0

    @property
    def name(self) -> str:
        """Name the case; also its installation's prefix, so short."""
        short = self.kind.partition("_")[0]
        return f"{self.point}-{short}-{self.action}-{self.batch}"

    @property
    def struck_as(self) -> str:
        """Name the action as the point knows it."""
        if self.action in {"stop", "kill", "kill-parent"}:
            return self.action
        return "kill" if self.action == "kill-child" else "hold"


@dataclass(frozen=True)
class CaseOutcome:
    """How a case ended: what the judge says, and the ends that its verifications came to."""

    case: FailpointCase
    verdict: Verdict
    ends: tuple[str, ...]
    recovery_s: tuple[float, ...]
    """Seconds from each strike to the end of its verification, as the ledger's clock has them."""


Report = Callable[[CaseOutcome], None]


def run_case(case: FailpointCase, services: Services, report: Report) -> Iterator[None]:
    """Strike `case.runs` times, recover, judge, report."""
    with ExitStack() as stack:
        story = _CaseRun(case, services, stack)
        for number in range(case.runs):
            yield from story.strike(number)
        yield from story.recover()
        report(story.outcome())


def interleave(stories: Iterable[Iterator[None]], at_once: int) -> None:
    """Step through stories in turn, so many at a time, in this thread."""
    waiting, playing = deque(stories), deque[Iterator[None]]()
    try:
        while waiting or playing:
            while waiting and len(playing) < at_once:
                playing.append(waiting.popleft())
            for _ in range(len(playing)):
                story = playing.popleft()
                with suppress(StopIteration):
                    next(story)
                    playing.append(story)
            time.sleep(0.05)
    finally:
        for story in playing:
            close = getattr(story, "close", None)
            if close is not None:
                close()


class _CaseRun:
    def __init__(self, case: FailpointCase, services: Services, stack: ExitStack) -> None:
        self.case = case
        self.services = services
        self.history = History()
        self.redis_wire, self.vendor_wire, env = _wires(case, services, stack)
        self.place = Installation(services, case.name, **env)
        stack.callback(self.place.end)
        self.ids: list[str] = []
        self.struck: list[float] = []
        self.stopped: list[int] = []
        self.visited: set[str] = set()
        self.allowed: set[str] = set()
        self.hooks = ""

    # ---- one strike ----

    def strike(self, number: int) -> Iterator[None]:
        """Bring one verification to the point and let the fault happen there."""
        yield from self._clear()
        one = f"{self.case.name}-{number}"
        mark = self.services.folder / f"{one}.struck"
        fault = f"{self.case.point}:{self.case.struck_as}:{mark}"
        request = self._request(one)
        if self.case.point == INSERTED:
            child = self._produce(fault, request, one)
        else:
            child = yield from self._work(fault, request, one)
        yield from self._tended(mark.exists, f"{one} reaches the point")
        self.struck.append(time.time())
        yield from self._act(mark, child)

    def _clear(self) -> Iterator[None]:
        """End what came through the strike before: unarmed by now, it would take this one's work.

        Not before it has shown that it recovers. A wire that nothing used at the point is whole
        again: the next link's paid call is another case.
        """
        works = self.case.point != INSERTED  # there the producer is struck, and no worker runs yet
        if works and self.struck and self.case.action in SURVIVED:
            yield from self._tended(self._all_settled, f"{self.case.name} recovers", PATIENCE_S)
            for child in self.place.children:
                kill_group(child)
            if self.vendor_wire:
                self.vendor_wire.drop_replies(0)

    def _request(self, one: str) -> dict[str, Any]:
        if self.case.kind == "passport":
            return {"file_number": "PA1079341954215", "dob": "2007-03-01"}
        if self.case.kind == "digilocker":
            return {"document_requested": ["PAN"]}
        self.services.stack.control("templates", {"name": one, "steps": ["AADHAAR"]})
        return {"template_name": one}

    def _produce(self, fault: str, request: dict[str, Any], one: str) -> Child:
        resource = str(request.get("template_name", ""))
        self.history.submits.append(Submit(one, "unknown", json.dumps(request), resource))
        self.ids.append(one)
        return self.place.run_producer(fault, self.case.kind, json.dumps(request), one)

    def _work(self, fault: str, request: dict[str, Any], one: str) -> Generator[None, None, Child]:
        case, place = self.case, self.place
        at_callbacks = case.point == STORED
        if case.point in WEBHOOK_POINTS:
            yield from self._open_callbacks(fault if at_callbacks else "")
        if (case.point, case.kind) == (OPENED, "static_kyc_link"):
            yield from self._make_link(request, one)
        pool = PREFORK if case.action in {"kill-child", "kill-parent"} else {}
        worker = yield from self._worker("" if at_callbacks else fault, **pool)
        producer = place.mute_producer() if case.point == SWEPT else place.producer
        self.ids.append(one)
        yield from self._submit(producer, request, one)
        return place.children[-2] if at_callbacks else worker

    def _make_link(self, request: dict[str, Any], one: str) -> Iterator[None]:
        """Have the link before anything is armed.

        The webhook of the strike before is still in the inbox and is opened at any moment: a kill
        there would meet this link's own paid call, which is another case.
        """
        place = self.place
        maker = yield from self._worker()
        yield from self._submit(place.producer, request, one)
        yield from until(lambda: _has_settled(place.producer, one), f"{one} is made")
        kill_group(maker)

    def _submit(self, producer: Verifications, request: dict[str, Any], one: str) -> Iterator[None]:
        yield from until(
            lambda: self.history.submit(producer, self.case.kind, request, one) == "ok",
            f"submit {one}",
        )

    def _worker(self, fault: str = "", **env: str) -> Generator[None, None, Child]:
        """Start a worker; one that found the server away and ended is started again."""
        worker = self.place.start_worker(fault, **env)
        yield from until(lambda: said(worker, "worker ready") or gone(worker), worker.name)
        if said(worker, "worker ready"):
            return worker
        return (yield from self._worker(fault, **env))

    def _open_callbacks(self, fault: str) -> Iterator[None]:
        app = self.place.start_callbacks(fault)
        yield from until(partial(listens_at, app), f"{app.name} listens")
        self.hooks = f"{listens_at(app)}/webhooks/cashfree"
        for text in [*self.ids, *self.visited, f"{self.case.name}-"]:
            self.services.relay.deliver_to(text, self.hooks)

    # ---- what happens at the point ----

    def _act(self, mark: Path, child: Child) -> Iterator[None]:
        case = self.case
        if case.action == "stop":
            self.stopped.append(_stopped_by(child))
        elif case.point == STORED and case.struck_as == "kill":
            return  # gunicorn's worker died; its main process starts another
        elif case.action == "kill-child":
            return  # the pool starts another
        elif case.struck_as in DEADLY:
            yield from until(partial(gone, child), f"{child.name} is gone")
            kill_group(child)  # what its container would take along
        else:
            yield from self._break(case.action)
            mark.unlink()

    def _break(self, action: str) -> Iterator[None]:
        if action == "redis-restart":
            self.services.stack.server.kill()
            self.services.stack.server.restart()
            return
        wire = self.redis_wire if action.startswith("redis") else self.vendor_wire
        assert wire is not None
        if action.endswith("cut"):
            wire.reset()
        else:
            wire.drop_replies(1)
        yield

    # ---- after the strikes ----

    def recover(self) -> Iterator[None]:
        """Let a healthy worker do its work until everything is settled, and then a little more."""
        if self.case.point == INSERTED or self.case.action in {"kill", "kill-parent", "stop"}:
            yield from self._worker()
        yield from self._tended(self._all_settled, f"{self.case.name} recovers", PATIENCE_S)
        for pid in self.stopped:
            with suppress(ProcessLookupError):  # gunicorn ends a worker that hangs
                os.kill(pid, signal.SIGCONT)
        calm = time.monotonic() + (4 if self.stopped else 0.5)
        yield from until(lambda: time.monotonic() > calm, "calm")
        yield from self._tended(self._all_settled, f"{self.case.name} stays settled")

    def _tended(
        self, condition: Callable[[], object], what: str, within: float = 60.0
    ) -> Iterator[None]:
        def tend_and_look() -> object:
            self._tend()
            return condition()

        yield from until(tend_and_look, what, within=within)

    def _tend(self) -> None:
        """Be the persons: allow what is asked for; come by every new shared link once."""
        if self.case.kind == "passport":
            return
        for one in self.ids:
            seen = self.history.read(self.place.producer, one)
            if seen is not None and seen.link:
                self._allow(seen) if self.case.kind == "digilocker" else self._visit(seen)

    def _allow(self, seen: Verification) -> None:
        name = generation_id(seen.id, seen.generation)
        if name not in self.allowed and not seen.settled:
            self.allowed.add(name)
            self.services.stack.control(f"journeys/{name}", {"decision": "allow"})

    def _visit(self, seen: Verification) -> None:
        if self.case.point in WEBHOOK_POINTS and seen.link not in self.visited:
            self.visited.add(seen.link)
            self.services.relay.deliver_to(seen.link, self.hooks)
            requests.post(seen.link, data={"name": "A Person"}, timeout=10)

    def _all_settled(self) -> bool:
        states = (self.history.read(self.place.producer, one) for one in self.ids)
        return all(seen is not None and seen.settled for seen in states) and self._visits_told()

    def _visits_told(self) -> bool:
        """Wait for the end of every visit to a shared link: each is a verification of its own."""
        self.history.listen(self.place.producer)
        ends = [event for event in self.history.events if event.parent and event.name == "done"]
        return len({event.verification_id for event in ends}) >= len(self.visited)

    def outcome(self) -> CaseOutcome:
        """Judge what happened by the vendor's audit and the ledger."""
        children = {event.verification_id for event in self.history.events}
        rows = rows_of(self.place.producer, [*self.ids, *children])
        own = (f"{self.case.name}-", *self.ids)
        audit = [e for e in self.services.audit() if str(_name(e)).startswith(own)]
        verdict = judge(self.history, audit, rows, least_done=0.0)
        ends = tuple(f"{rows[one].state} {rows[one].reason}".strip() for one in self.ids)
        took = tuple(
            rows[one].updated / 1000 - struck
            for one, struck in zip(self.ids, self.struck, strict=True)
        )
        return CaseOutcome(self.case, verdict, ends, took)


def _has_settled(producer: Verifications, one: str) -> bool:
    seen = producer.get(one)
    return seen is not None and seen.settled


def _name(entry: Any) -> str:
    return str(entry["verification_id"] or entry["detail"])


def _wires(
    case: FailpointCase, services: Services, stack: ExitStack
) -> tuple[Proxy | None, Proxy | None, dict[str, str]]:
    """Put a faulty wire where the case wants one."""
    if case.action.startswith("redis") and case.action in WIRES:
        wire = stack.enter_context(services.wire_to_redis())
        return wire, None, {"SATYAPAN_REDIS_URL": f"redis://127.0.0.1:{wire.port}/0"}
    if case.action.startswith("vendor"):
        wire = stack.enter_context(services.wire_to_vendor())
        url = f"http://127.0.0.1:{wire.port}/verification"
        return None, wire, {"SATYAPAN_CASHFREE_BASE_URL": url}
    return None, None, {}


def _stopped_by(child: Child) -> int:
    """Find the process that stopped itself: the child, or one of its own."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
            if fields[0] == "T" and int(fields[2]) == child.pid:
                return int(entry.name)
    return child.pid


SURE_ENDS: Final = {
    ("answered", "passport"): f"{State.PARKED} lost_answer",
    ("sent", "static_kyc_link"): f"{State.PARKED} unknown_outcome/worker_lost",
    ("answered", "static_kyc_link"): f"{State.PARKED} unknown_outcome/worker_lost",
}
"""Where a killed worker takes knowledge along; everywhere else the end is DONE."""
