"""The judge finds every kind of violation, and none in a good history."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from satyapan.events import Event
from satyapan.ids import hashed_id
from satyapan.records import Row, State
from tests.support.history import CHECKS, History, Read, Submit, Verdict, judge, request_name


@dataclass
class Story:
    """Passports, a second id, a static link, a call without an id of ours, and a derived id."""

    history: History = field(default_factory=History)
    audit: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    def verdict(self) -> Verdict:
        return judge(self.history, self.audit, self.rows)

    def change(self, one: str, **fields: Any) -> None:
        self.rows[one] = replace(self.rows[one], **fields)


def charge(kind: str, vendor_id: str | None, reference: int | None, detail: str = "") -> Any:
    return {
        "charge": kind,
        "verification_id": vendor_id,
        "reference_id": reference,
        "detail": detail,
    }


def event(one: str, state: State, seq: int = 1) -> Event:
    return Event(
        id=f"{one}.{seq}",
        type=f"in.satyapan.verification.{state.lower()}",
        verification_id=one,
        kind="passport",
        state=state,
        status="",
        reason="",
        generation=1,
        parent="",
        time="",
    )


CALL = request_name({"pan": "ABCPV1234D", "name": "c1"})


@pytest.fixture
def story() -> Story:
    done: dict[str, Any] = {"state": State.DONE, "attempts": 1}
    rows = [
        Row(id="p1", kind="passport", reference="11", **done),
        Row(id="p2", kind="passport", reference="12", **done),
        Row(
            id="d1",
            kind="digilocker",
            reference="14",
            generation=2,
            generations=("2 lost_link 1700000000000 d1.g2",),
            **done,
        ),
        Row(id="s1", kind="static_kyc_link", **done),
        Row(id="c1", kind="toy_pan_check", reference="15", **done),
        Row(id="a-1", kind="toy_account", reference="16", **done),
    ]
    audit = [charge("passport", "p1", 11), charge("passport", "p2", 12)]
    audit += [charge("digilocker", "d1", 13), charge("digilocker", "d1.g2", 14)]
    audit += [charge("document", "d1.g2", 14, "PAN"), charge("document", "d1.g2", 14, "PAN")]
    audit.append(charge("static_link", None, None, "template-1"))
    audit.append(charge("toy_pan_check", None, 15, CALL))
    audit.append(charge("toy_account", hashed_id("a-1"), 16))
    submits = [Submit(one, "ok", "{}") for one in ("p1", "p2", "d1", "a-1")]
    submits.append(Submit("c1", "ok", "{}", call=CALL))
    submits.append(Submit("s1", "ok", "{}", "template-1"))
    reads = [Read(row.id, b"same") for row in rows] * 2
    events = [event(row.id, State.DONE) for row in rows]
    return Story(History(submits, reads, events), audit, {row.id: row for row in rows})


@pytest.mark.parametrize(
    ("kind", "call"),
    [("pan", CALL), ("toy_pan_check", CALL), ("passport", ""), ("static_kyc_link", "")],
)
def test_a_call_without_an_id_of_ours_is_known_by_its_request(kind: str, call: str) -> None:
    history = History()

    history.note(kind, {"name": "c1", "pan": "ABCPV1234D"}, "c1", "ok")

    assert [submit.call for submit in history.submits] == [call]


def test_a_good_history_is_good(story: Story) -> None:
    verdict = story.verdict()

    assert verdict.good, str(verdict)
    assert verdict.figures["accepted"] == verdict.figures["done"] == 6
    assert verdict.figures["charges"] == 7


Spoil = Callable[[Story], object]
BAD: list[tuple[str, str, Spoil]] = [
    ("gone", "I1 lost", lambda s: s.rows.pop("p1")),
    ("still open", "I1 lost", lambda s: s.change("p1", state=State.SENT)),
    (
        "open although never confirmed",
        "I1 lost",
        lambda s: s.rows.update(x=Row(id="x", kind="passport")),
    ),
    ("twice", "I2 paid twice", lambda s: s.audit.append(charge("passport", "p1", 99))),
    (
        "two links for one template",
        "I2 paid twice",
        lambda s: s.audit.append(charge("static_link", None, None, "template-1")),
    ),
    (
        "twice without an id",
        "I2 paid twice",
        lambda s: s.audit.append(charge("toy_pan_check", None, 98, CALL)),
    ),
    (
        "twice under a derived id",
        "I2 paid twice",
        lambda s: s.audit.append(charge("toy_account", hashed_id("a-1"), 99)),
    ),
    (
        "a call that nobody asked for",
        "I3 id without record",
        lambda s: s.audit.append(charge("toy_pan_check", None, 98, "request 0")),
    ),
    (
        "a derived id of an unknown verification",
        "I3 id without record",
        lambda s: s.audit.append(charge("toy_account", hashed_id("a-2"), 99)),
    ),
    ("never sent, without an id", "I4 not written ahead", lambda s: s.change("c1", attempts=0)),
    (
        "another's answer, without an id",
        "I5 guessed",
        lambda s: s.change("c1", reference="16"),
    ),
    (
        "unrecorded id",
        "I3 id without record",
        lambda s: s.audit.append(charge("passport", "p1.g2", 99)),
    ),
    ("no record", "I3 id without record", lambda s: s.change("d1", generations=())),
    (
        "record of another id",
        "I3 id without record",
        lambda s: s.change("d1", generations=("2 lost_link 1 other.g2",)),
    ),
    ("never sent", "I4 not written ahead", lambda s: s.change("p1", attempts=0)),
    ("refused but paid", "I5 guessed", lambda s: s.change("p1", state=State.REFUSED)),
    (
        "failed but paid",
        "I5 guessed",
        lambda s: s.change("p1", state=State.FAILED, reason="deadline"),
    ),
    ("result without charge", "I5 guessed", lambda s: s.audit.pop(0)),
    ("another's answer", "I5 guessed", lambda s: s.change("p1", reference="12")),
    ("two answers", "I6 not final", lambda s: s.history.reads.append(Read("p1", b"other"))),
    (
        "two ends",
        "I6 not final",
        lambda s: s.history.events.append(event("p1", State.PARKED, seq=2)),
    ),
    ("end without event", "I6 not final", lambda s: s.history.events.pop()),
    ("event of another end", "I6 not final", lambda s: s.change("p1", state=State.LOST)),
    ("two payloads", "I8 mixed up", lambda s: s.history.submits.append(Submit("p1", "ok", "[]"))),
    ("nothing done", "no progress", lambda s: s.change("p1", state=State.PARKED)),
    ("nothing at all", "no progress", lambda s: s.history.submits.clear()),
]


@pytest.mark.parametrize(("name", "spoil"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_each_violation_is_found(story: Story, name: str, spoil: Spoil) -> None:
    spoil(story)

    verdict = story.verdict()

    assert name in verdict.violations, str(verdict)


def test_every_check_has_a_violation_that_it_finds() -> None:
    assert {name for _, name, _ in BAD} == set(CHECKS)


def test_repeated_events_and_unconfirmed_submits_are_no_violation(story: Story) -> None:
    story.history.submits.append(Submit("p3", "unknown", "{}"))
    story.history.submits.append(Submit("p1", "conflict", "[]"))
    story.history.events.append(event("p1", State.DONE))

    assert story.verdict().good, str(story.verdict())
