"""Published answers to create calls, sent by the sandbox, and the resulting state of the row.

The answers are those of the excerpts in tests/contract/vendor/, for every kind.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import pytest

from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED
from demo.supervisor import Supervisor
from satyapan import State
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Mode, Operation, Recovery, operation_name
from tests.conftest import Sandbox, start_sandbox
from tests.contract.excerpts import Excerpt, PublishedAnswer, find_excerpt
from tests.support.worker_harness import Harness, SandboxControl


class Expected(NamedTuple):
    """The outcome of a run with one answer."""

    state: State
    reason: str = ""
    refused_field: str = ""


WAITS: Final = State.ACCEPTED
"""Nothing was executed: the account or the route is held, and the row waits without an attempt."""
KINDS: Final = tuple(Registry())
ROUTES: Final = tuple(route.name for route in Registry().routes())
PLENTY: Final = 100_000
UNHINDERED: Final = {
    "SATYAPAN_QUOTA_PER_MINUTE": ",".join(f"{name}={PLENTY}" for name in ROUTES),
    "SATYAPAN_BREAKER_CALLS": str(PLENTY),
    "SATYAPAN_BREAKER_IN_A_ROW": str(PLENTY),
}
"""Settings with which many rows of a kind can fail one after the other."""
HOLDS: Final = frozenset({"stopped", "throttled", "not_enabled", "misconfigured"})
"""Meanings of answers after which other calls of the account or of the route wait."""


class Case(NamedTuple):
    """A published answer to the create call of a kind's operation."""

    kind: Kind
    key: str
    excerpt: Excerpt
    answer: PublishedAnswer

    @property
    def operation(self) -> Operation:
        return self.kind.operation(self.key)

    @property
    def alone(self) -> bool:
        """Return True if other rows notice the answer: calls are held, or the row is shared."""
        return self.answer.means in HOLDS or self.operation.mode is Mode.RESOURCE

    def decisive(self) -> tuple[object, ...]:
        """Return everything on which the resulting state depends."""
        operation, answer = self.operation, self.answer
        policy = (operation.mode, operation.recovery, self.kind.lost_answer)
        return (*policy, answer.means, answer.http, answer.code, answer.field)

    def __repr__(self) -> str:
        return f"{self.excerpt.name}/{self.answer.name}"


def cases() -> list[Case]:
    """Return the errors, and the replies to a kind's example."""
    every = []
    for kind, key in [(each, key) for each in KINDS for key in each.operations]:
        create = kind.operation(key).create
        if excerpt := find_excerpt(create.method, create.path):
            every += [Case(kind, key, excerpt, answer) for answer in excerpt.answers]
    return [case for case in every if not (case.answer.is_reply and case.answer.changes_request)]


def groups() -> list[list[Case]]:
    """Group the answers of each call that can share an installation; each of the others is alone.

    Of those that are alone and decide the same, the first stands for all: an installation each
    would take minutes.
    """
    every = cases()
    shared: dict[str, list[Case]] = {}
    for case in every:
        if not case.alone:
            shared.setdefault(case.excerpt.name, []).append(case)
    alone = {case.decisive(): [case] for case in reversed(every) if case.alone}
    return list(shared.values()) + list(alone.values())[::-1]


def name(group: list[Case]) -> str:
    """Name a test after its only case, or after the call."""
    return repr(group[0]) if len(group) == 1 else group[0].excerpt.name


def readable(case: Case) -> bool:
    """Return True if an unknown outcome can be recovered from."""
    recovery, answer = case.operation.recovery, case.answer
    return bool(answer.reference) if recovery is Recovery.REFERENCE else recovery != Recovery.NONE


def expected(case: Case) -> Expected:
    """Say by a kind's policies what becomes of a row after its first call has this answer."""
    kind, answer = case.kind, case.answer
    refused = Expected(State.REFUSED, answer.code, answer.field)
    waits = Expected(WAITS, answer.code)
    unsure = Expected(State.UNKNOWN, answer.code)
    parked = Expected(State.PARKED, f"unknown_outcome/{answer.code}")
    # A duplicate of a row that Redis lost: a journey continues under a new vendor-side id.
    continued, stranger = Expected(State.PENDING), Expected(State.PARKED, "foreign_duplicate")
    by_meaning: dict[str, Expected] = {
        "refused": refused,
        "missing": refused,
        "stopped": waits,
        "throttled": waits,
        "not_enabled": Expected(WAITS, NOT_ENABLED),
        "misconfigured": Expected(WAITS, PUBLIC_URL_REFUSED),  # the address is ours
        "duplicate": continued if kind.lost_answer == "reissue" else stranger,
        "unknown": unsure if readable(case) else parked,
    }
    return by_meaning.get(answer.means) or answered(*answer.means.split("/", 1))


def answered(state: str, status: str) -> Expected:
    """Say what becomes of a row that has a status as its answer."""
    why = "" if state in {State.DONE, State.PENDING} else status.lower()
    return Expected(State(state), why)


@pytest.fixture(scope="module")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Supervisor(tmp_path_factory.mktemp("logs"), grace=20) as processes:
        yield start_sandbox(processes, *(f"--quota={name}={PLENTY}" for name in ROUTES))


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Sandbox:
    """The module's sandbox, without the state of earlier tests: a start takes a second."""
    SandboxControl(shared_sandbox.root).post("reset")
    return shared_sandbox


def outcome(harness: Harness, case: Case) -> Expected:
    """Run a new row once with this answer to its call."""
    answer = case.answer
    key = f"{answer.name} {answer.http}"
    row_id = harness.submit(case.kind.name, key=key, operation=operation_name(case.key))
    if not answer.is_reply:
        fault = {name: answer.whole_body.get(name) for name in ("type", "code", "message")}
        how = {"status": answer.http, "executed": bool(answer.error), **fault}
        harness.vendor.post("faults", route=case.excerpt.name, **how)
    found = harness.run_once(row_id)
    assert harness.vendor.get("faults")["waiting"] == 0, f"{case} was not requested"
    return Expected(found.state, found.reason, found.refused_field)


@pytest.mark.parametrize("group", groups(), ids=name)
def test_each_published_answer_leads_to_its_state(
    redis_url: str, sandbox: Sandbox, group: list[Case]
) -> None:
    harness = Harness(redis_url, sandbox.root, **UNHINDERED)

    outcomes = [(case, outcome(harness, case)) for case in group]

    assert outcomes == [(case, expected(case)) for case in group]


@pytest.mark.parametrize("code", ["insufficient_balance", "ip_validation_failed"])
def test_a_stopped_account_holds_all_calls_and_resumes_by_itself(
    redis_url: str, sandbox: Sandbox, code: str
) -> None:
    # Both are held before the first probe may be sent, even if the machine stalls for a moment.
    harness = Harness(redis_url, sandbox.root, SATYAPAN_WORKER_PROBE_S="4")
    harness.vendor.post("stop", code=code)
    first, second = harness.submit("passport", "a"), harness.submit("passport", "b")
    held = [harness.run_once(first), harness.run_once(second)]
    calls = len(harness.vendor.get("calls")["calls"])

    harness.vendor.post("stop", code=None)
    ended = [harness.settle(first), harness.settle(second)]

    assert calls == 1, "the second row must not be called"
    assert [row.attempts for row in held] == [0, 0]
    assert [(row.state, row.attempts) for row in ended] == [(State.DONE, 1)] * 2
    assert len(harness.vendor.charges()) == 2


def test_too_many_calls_from_our_address_hold_every_route(harness: Harness) -> None:
    code = "too_many_requests_per_ip"
    headers = {"Retry-After": "2"}
    harness.vendor.post("faults", route="passport", status=429, code=code, headers=headers)
    held = harness.run_once(harness.submit("passport"))
    other = harness.submit("static_kyc_link")

    ended = harness.settle(other)

    assert (held.state, held.reason, held.attempts) == (State.ACCEPTED, code, 0)
    assert ended.state is State.DONE
    first, second = (call["at"] for call in harness.vendor.get("calls")["calls"])
    assert second - first >= 2


def test_too_many_calls_of_one_operation_hold_its_route_alone(harness: Harness) -> None:
    code = "too_many_requests_per_operation"
    headers = {"Retry-After": "3000"}
    harness.vendor.post("faults", route="passport", status=429, code=code, headers=headers)
    harness.run_once(harness.submit("passport"))

    assert harness.run_once(harness.submit("static_kyc_link")).state is State.DONE


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_a_product_that_is_not_enabled_is_no_fault_of_the_request(
    harness: Harness, kind: str
) -> None:
    harness.vendor.post("faults", status=404, empty_body=True)

    found = harness.run_once(harness.submit(kind))

    assert (found.state, found.reason, found.refused_field) == Expected(WAITS, "not_enabled")
