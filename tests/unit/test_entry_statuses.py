"""The status of a batch: PROCESSING until each entry that was sent has its answer."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from satyapan.kinds import Registry
from satyapan.kinds.model import AnswerMeaning, Recovery, Role
from satyapan.records import State
from tests.support.decision_builders import DAY, NOW, POLICY, answered, row
from worker.rules.answer import Answer, Outcome
from worker.rules.decide import decide
from worker.rules.model import Call, Woken
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

ACCOUNTS: Final = Registry()["bank_account_batch"]
PANS: Final = Registry()["pan_batch"]
VENDOR: Final = "cashfree"
VALID: Final = {"account_status": "VALID", "account_status_code": "ACCOUNT_IS_VALID"}
FAILED: Final = {"account_status": "FAILED", "account_status_code": "FAILED_AT_BANK"}
OPEN: Final = {"account_status": "RECEIVED", "account_status_code": "VALIDATION_IN_PROGRESS"}
NEW: Final = {"account_status": "APPROVAL_PENDING", "account_status_code": "NEW"}
SENT: Final = [{"bank_account": "026291800001191"}, {"bank_account": "1233943142"}]


def read(entries: object, sent: Sequence[Any] = SENT) -> Answer:
    """Judge a read that has these entries, of a batch that was sent with some."""
    operation = ACCOUNTS.operation(VENDOR)
    asked = Asked(operation, Role.STATUS, "b-1", {"entries": sent})
    body = {"bulk_verification_id": "b-1", "bulk_reference_id": 12, "entries": entries}
    return classify(asked, Raw(200, {}, b""), body, 0.0)


@pytest.mark.parametrize(
    ("entries", "status"),
    [
        ([VALID, FAILED], "PROCESSED"),
        ([VALID, FAILED, VALID], "PROCESSED"),
        ([VALID, OPEN], "PROCESSING"),
        ([OPEN, NEW], "PROCESSING"),
        ([VALID, {}], "PROCESSING"),
        ([VALID, None], "PROCESSING"),
        ([VALID, {"account_status": "VALID"}], "PROCESSING"),
        ([VALID], "PROCESSING"),
        ([], "PROCESSING"),
        ([VALID, NEW], "APPROVAL_PENDING/NEW"),
    ],
)
def test_a_batch_is_processed_when_each_entry_has_its_answer(
    entries: list[Any], status: str
) -> None:
    answer = read(entries)

    assert (answer.outcome, answer.status, answer.reference) == (Outcome.OK, status, "12")


def test_equal_entries_may_share_an_answer() -> None:
    assert read([VALID], [SENT[0], dict(SENT[0])]).status == "PROCESSED"


@pytest.mark.parametrize("entries", [None, {}, "x", 7])
def test_a_read_without_a_list_of_entries_is_garbled(entries: object) -> None:
    assert read(entries).code == "garbled"


def test_a_number_of_an_entry_is_not_masked() -> None:
    entry = {**VALID, "utr": "234123412346", "bank_account": 234123412346}

    answer = read([entry, entry])

    assert answer.body
    assert answer.body["entries"] == [entry, entry]


def test_a_batch_with_an_unknown_word_is_parked_with_its_answers() -> None:
    before = row("bank_account_batch", state=State.PENDING, status="RECEIVED")
    body = {"entries": [VALID, NEW]}
    event = answered(Outcome.OK, Role.STATUS, body=body)
    event = replace(event, answer=replace(event.answer, status="APPROVAL_PENDING/NEW"))

    after, _ = decide(before, event, NOW, ACCOUNTS, POLICY)

    assert (after.state, after.reason, after.draft) == (State.PARKED, "unknown_status", body)


# ---- no refusal of a repeat is documented for a batch of PANs ----


def test_only_a_vendor_that_refuses_a_repeat_gets_one() -> None:
    assert ACCOUNTS.operation(VENDOR).repeatable
    assert not PANS.operation(VENDOR).repeatable


@pytest.mark.parametrize("recovery", Recovery)
def test_a_repeat_needs_a_known_refusal_whatever_the_recovery(recovery: Recovery) -> None:
    operation = replace(PANS.operation(VENDOR), recovery=recovery)

    assert not operation.repeatable


def test_a_lost_batch_of_pans_is_never_sent_again_even_if_the_vendor_does_not_know_it() -> None:
    found = row("pan_batch", state=State.UNKNOWN, ambiguous=1, attempts=1)
    missing = answered(Outcome.MISSING, Role.STATUS, http=404)

    for _ in range(3):
        found, effects = decide(found, missing, NOW, PANS, POLICY)
        assert effects == () or found.state is State.PARKED
        if found.state is State.PARKED:
            break
        found, effects = decide(found, Woken(), NOW, PANS, POLICY)
        assert effects == (Call(Role.STATUS),)

    assert (found.state, found.reason) == (State.PARKED, "unknown_outcome")


def test_a_lost_batch_of_pans_is_parked_at_its_deadline() -> None:
    lost = row("pan_batch", state=State.UNKNOWN, ambiguous=1, attempts=1)

    after, _ = decide(lost, Woken(), NOW + DAY, PANS, POLICY)

    assert (after.state, after.reason) == (State.PARKED, "unknown_outcome")


def test_no_answer_to_a_read_of_pans_means_that_the_id_is_unknown() -> None:
    operation = PANS.operation(VENDOR)

    assert operation.status
    assert AnswerMeaning.MISSING not in operation.status.answers.values()
