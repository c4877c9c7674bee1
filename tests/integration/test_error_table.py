"""Published answers to create calls, sent by the sandbox, and the resulting state of the row.

The answers are those of the excerpts in tests/contract/vendor/, for every kind.
"""

from typing import Final, NamedTuple

import pytest

from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED
from satyapan import State
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Recovery
from tests.conftest import Sandbox
from tests.contract.excerpts import Excerpt, PublishedAnswer, find_excerpt
from tests.support.worker_harness import Harness


class Expected(NamedTuple):
    """The outcome of a run with one answer."""

    state: State
    reason: str = ""
    refused_field: str = ""


WAITS: Final = State.ACCEPTED
"""Nothing was executed: the account or the route is held, and the row waits without an attempt."""
VENDOR: Final = "cashfree"
KINDS: Final = tuple(Registry())


class Case(NamedTuple):
    """A published answer to the create call of a kind."""

    kind: Kind
    excerpt: Excerpt
    answer: PublishedAnswer

    def decisive(self) -> tuple[object, ...]:
        """Return everything on which the resulting state depends."""
        operation, answer = self.kind.operation(VENDOR), self.answer
        policy = (operation.mode, operation.recovery, self.kind.lost_answer)
        return (*policy, answer.means, answer.http, answer.code, answer.field)

    def __repr__(self) -> str:
        return f"{self.kind.name}/{self.answer.name}"


def cases() -> list[Case]:
    """Return the errors, and the replies to a kind's example; one of those that decide the same."""
    creates = [(kind, kind.operation(VENDOR).create) for kind in KINDS]
    found = [(kind, find_excerpt(create.method, create.path)) for kind, create in creates]
    every = [Case(k, e, answer) for k, e in found if e for answer in e.answers]
    sent = [case for case in every if not (case.answer.is_reply and case.answer.changes_request)]
    return list({case.decisive(): case for case in reversed(sent)}.values())[::-1]


def readable(kind: Kind, answer: PublishedAnswer) -> bool:
    """Return True if an unknown outcome can be recovered from."""
    recovery = kind.operation(VENDOR).recovery
    return bool(answer.reference) if recovery is Recovery.REFERENCE else recovery != Recovery.NONE


def expected(kind: Kind, answer: PublishedAnswer) -> Expected:
    """Say by a kind's policies what becomes of a row after its first call has this answer."""
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
        "unknown": unsure if readable(kind, answer) else parked,
    }
    return by_meaning.get(answer.means) or Expected(State(answer.means.split("/")[0]))


@pytest.mark.parametrize("case", cases(), ids=repr)
def test_each_published_answer_leads_to_its_state(harness: Harness, case: Case) -> None:
    answer = case.answer
    row_id = harness.submit(case.kind.name)
    if not answer.is_reply:
        fault = {name: answer.whole_body.get(name) for name in ("type", "code", "message")}
        how = {"status": answer.http, "executed": bool(answer.error), **fault}
        harness.vendor.post("faults", route=case.excerpt.name, **how)

    found = harness.run_once(row_id)

    outcome = Expected(found.state, found.reason, found.refused_field)
    assert outcome == expected(case.kind, answer)
    assert harness.vendor.get("faults")["waiting"] == 0


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
