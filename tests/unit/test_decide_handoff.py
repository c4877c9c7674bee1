"""What a person gets to act, and until when: hand-off fields and the link's end."""

from dataclasses import replace
from typing import Any

import pytest

from satyapan.kinds import Kind
from satyapan.kinds.fields import request
from satyapan.kinds.model import Mode, Operation, Recovery, Role, Route
from satyapan.kinds.values import time_ms
from satyapan.records import Row, State, view
from tests.support.decision_builders import NOW, answered, sent
from worker.rules.answer import Outcome
from worker.rules.decide import decide
from worker.rules.model import Emit, Policy

PAYMENT = Kind(
    name="payment",
    title="A payment by a person",
    request=request(),
    operations={
        "cashfree": Operation(
            mode=Mode.JOURNEY,
            recovery=Recovery.READ,
            create=Route("pay", "POST", "/pay", implied_status=("link", "CREATED")),
            status=Route("pay_status", "GET", "/pay"),
            status_map={"CREATED": State.PENDING, "SUCCESS": State.DONE, "LATE": State.EXPIRED},
            handoff_fields=("link", "gpay", "qr_code"),
            deadline_field="valid_upto",
            link_life_s=600,
            data_life_s=60,
        )
    },
    public_fields=(),
    result_fields=("status",),
)
POLICY = Policy(lost_answer={"payment": "reissue"})
REPLY = {"link": "https://pay/1", "gpay": "tez://1", "qr_code": "iVBO", "ref_id": 7}


def after(row: Row, role: Role, status: str, body: dict[str, Any]) -> tuple[Row, object]:
    body = {**body, "status": status}
    event = answered(Outcome.OK, role, http=200, body=body)
    return decide(row, event, NOW, PAYMENT, POLICY, jitter=0.5)


def begun(**reply: object) -> Row:
    row, effects = after(sent("payment"), Role.CREATE, "CREATED", {**REPLY, **reply})
    assert effects == (Emit("link_ready"),)
    return row


def test_the_first_field_is_the_link_and_the_others_are_handed_over_with_it() -> None:
    row = begun()

    assert row.link == "https://pay/1"
    assert row.handoff == {"gpay": "tez://1", "qr_code": "iVBO"}
    assert view(row).picture("qr_code") == b"\x89P\x4e"


def test_what_was_handed_over_goes_when_the_journey_ends() -> None:
    row, _ = after(begun(), Role.STATUS, "SUCCESS", {"utr": "1"})

    assert (row.state, row.handoff) == (State.DONE, {})
    assert row.result == {"utr": "1", "status": "SUCCESS"}


def test_a_new_generation_begins_without_the_old_links() -> None:
    lost = replace(begun(), link="")  # as read after a lost create reply

    row, _ = after(lost, Role.STATUS, "LATE", {})

    assert (row.state, row.reason, row.handoff) == (State.ACCEPTED, "lost_link", {})


def test_an_answer_without_a_link_is_judged_and_begins_no_journey() -> None:
    row, effects = after(sent("payment"), Role.CREATE, "SUCCESS", {})

    assert (row.state, row.result, effects) == (State.DONE, {"status": "SUCCESS"}, (Emit("done"),))


def test_the_reference_of_a_failed_attempt_is_not_that_of_the_answered_one() -> None:
    """A later read would be taken for another verification's: it repeats its own reference."""
    doubtful = sent("payment", attempts=2, ambiguous=1, reference="R1")

    repeated, _ = after(doubtful, Role.CREATE, "CREATED", REPLY)
    found, _ = after(
        replace(doubtful, state=State.UNKNOWN, link="https://pay/1"), Role.STATUS, "CREATED", {}
    )

    assert (repeated.state, repeated.reference) == (State.PENDING, "")
    assert (found.state, found.reference) == (State.PENDING, "")


@pytest.mark.parametrize(
    ("said", "life_s"),
    [
        ("2027-01-15T08:05:00.000Z", 300),
        ("2027-01-15T13:35:00+05:30", 300),
        ("2027-01-15 08:05:00", 300),
        (None, 600),
        ("soon", 600),
        ("2027-01-15T07:59:59Z", 600),  # over already: our clocks differ
        ("2037-01-15T08:05:00Z", 600),
        (1_800_000_300, 600),
    ],
)
def test_the_link_ends_when_the_vendor_says_if_that_is_plausible(said: object, life_s: int) -> None:
    assert time_ms("2027-01-15T08:00:00Z") == NOW

    assert begun(valid_upto=said).deadline == NOW + (life_s + 60) * 1000
