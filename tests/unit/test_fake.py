"""The fake that producers test with: its own promises.

What it shares with the real client is tested on both, in tests/integration/test_client.py.
"""

import time
from collections.abc import Callable

import pytest

from satyapan import (
    Conflict,
    InvalidRequest,
    NotFound,
    State,
    StillOpen,
    Unavailable,
    Verifications,
    linked,
)
from satyapan.testing import FakeVerifications

PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
TEMPLATE = {"template_name": "Aadhaar_verification"}
PAPERS = {"document_requested": ["AADHAAR"]}


@pytest.fixture
def fake() -> FakeVerifications:
    return FakeVerifications()


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: float) -> None:
        raise AssertionError("the fake slept")

    monkeypatch.setattr(time, "sleep", refuse)


def public(kind: type) -> dict[str, object]:
    return {name: what for name, what in vars(kind).items() if not name.startswith("_")}


def test_it_has_the_real_clients_methods_themselves() -> None:
    """Not copies of them: what it adds has other names, and only from_env is its own."""
    assert set(public(FakeVerifications)) & set(public(Verifications)) == {"from_env"}
    assert isinstance(FakeVerifications.from_env(), FakeVerifications)


def test_its_parts_inherit_nothing_from_those_that_need_a_server(fake: FakeVerifications) -> None:
    """A method that the real ones get later can't run half-built here; mypy finds it missing."""
    parts: list[object] = [fake._ledger, fake._results]

    assert [type(part).__bases__ for part in parts] == [(object,)] * 2


def test_from_env_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SATYAPAN_SEAL_KEYS", "malformed")

    fake = FakeVerifications.from_env({"SATYAPAN_REPLY_TO": "shop"})
    fake.answer(fake.submit("passport", PERSON, key="a").id, status="VALID")

    assert [event.name for event in fake.events("billing")] == ["done"]


def test_an_answer_by_id_ends_one_verification(fake: FakeVerifications) -> None:
    first = fake.submit("passport", PERSON, key="a")
    other = fake.submit("passport", PERSON, key="b")

    fake.answer(first.id, status="VALID", result={"name": "JOHN DOE"})

    answered = fake.wait(first.id, timeout=60)
    assert (first.state, answered.state) == (State.ACCEPTED, State.DONE)
    assert (answered.status, answered.result) == ("VALID", {"name": "JOHN DOE"})
    assert answered.updated > answered.created
    with pytest.raises(StillOpen):
        fake.wait(other.id, timeout=60)


def test_an_answer_by_kind_holds_for_open_and_later_ones(fake: FakeVerifications) -> None:
    early = fake.submit("passport", PERSON, key="a")
    journey = fake.submit("digilocker", PAPERS, key="a")

    fake.answer("passport", status="INVALID")
    late = fake.submit("passport", PERSON, key="b")

    assert late.state is State.ACCEPTED  # as in production: the answer comes after submit
    assert fake.wait(early.id).status == fake.wait(late.id).status == "INVALID"
    assert fake.newest(State.ACCEPTED) == [fake.get(journey.id)]


@pytest.mark.parametrize(
    ("state", "reason", "field"),
    [
        (State.REFUSED, "dob_value_invalid", "dob"),
        (State.FAILED, "deadline", ""),
        (State.LOST, "lost_answer", ""),
    ],
)
def test_an_answer_may_be_any_end(
    fake: FakeVerifications, state: State, reason: str, field: str
) -> None:
    one = fake.submit("passport", PERSON, key="a")

    fake.answer(one.id, state=state, reason=reason, refused_field=field)

    ended = fake.wait(one.id)
    assert (ended.state, ended.reason, ended.refused_field) == (state, reason, field)
    assert ended.terminal
    assert [event.name for event in fake.events("billing")] == [state.lower()]


def test_a_journey_gets_its_link_and_then_its_end(fake: FakeVerifications) -> None:
    fake.link("digilocker", "https://vendor.example/journey")
    journey = fake.submit("digilocker", PAPERS, key="a")

    shown = fake.wait(journey.id, until=linked)
    fake.answer(journey.id, state=State.DENIED, status="CONSENT_DENIED")

    assert (shown.link, shown.state) == ("https://vendor.example/journey", State.PENDING)
    assert fake.wait(journey.id).state is State.DENIED
    assert [event.name for event in fake.events("billing")] == ["link_ready", "denied"]


def test_a_parked_one_is_settled_and_can_still_be_answered(fake: FakeVerifications) -> None:
    one = fake.submit("passport", PERSON, key="a")

    fake.park(one.id)

    assert fake.wait(one.id).reason == "lost_answer"
    fake.answer(one.id, status="VALID")
    assert fake.wait(one.id).state is State.DONE


def test_people_come_by_a_shared_link(fake: FakeVerifications) -> None:
    fake.answer("static_kyc_link", status="ACTIVE", result={"static_link": "https://v.example"})
    link = fake.submit("static_kyc_link", TEMPLATE, key="front desk")

    begun = fake.visit(link.id, "person-1", state=State.PENDING, status="RECEIVED")
    ended = fake.visit(link.id, "person-1", result={"name": "JOHN DOE"})
    other = fake.visit(link.id, "person-2")

    assert begun.id == ended.id != other.id
    assert (begun.state, ended.state, ended.parent) == (State.PENDING, State.DONE, link.id)
    assert [(event.name, event.parent) for event in fake.events("billing")] == [
        ("done", ""),
        ("progress", link.id),
        ("done", link.id),
        ("done", link.id),
    ]


def test_what_ended_is_final(fake: FakeVerifications) -> None:
    one = fake.submit("passport", PERSON, key="a")
    fake.answer(one.id, status="VALID", result={"name": "JOHN DOE"})
    before = fake.get(one.id)

    with pytest.raises(ValueError, match="is DONE already"):
        fake.answer(one.id, status="INVALID")

    assert fake.get(one.id) == before


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda fake, one: fake.answer(one, state=State.PENDING), "PENDING is no end"),
        (lambda fake, one: fake.answer(one, status="valid"), "choose one of INVALID, VALID"),
    ],
)
def test_what_cannot_happen_cannot_be_played(
    fake: FakeVerifications, act: Callable[[FakeVerifications, str], None], message: str
) -> None:
    one = fake.submit("passport", PERSON, key="a")

    with pytest.raises(ValueError, match=message):
        act(fake, one.id)

    assert fake.newest(State.ACCEPTED) == [fake.get(one.id)]


def test_an_id_or_kind_that_is_none_is_not_found(fake: FakeVerifications) -> None:
    for act in (fake.answer, fake.park, lambda name: fake.visit(name, "person-1")):
        with pytest.raises(NotFound):
            act("order-17")


def test_results_can_not_be_changed_by_who_reads_them(fake: FakeVerifications) -> None:
    mine = {"name": "JOHN DOE"}
    one = fake.submit("passport", PERSON, key="a")
    fake.answer(one.id, status="VALID", result=mine)

    mine["name"] = "SOMEBODY ELSE"
    found = fake.get(one.id)

    assert found is not None
    assert found.result == {"name": "JOHN DOE"}


def test_while_unavailable_every_call_says_so_and_nothing_is_stored(
    fake: FakeVerifications,
) -> None:
    fake.answer("passport", status="VALID")
    fake.unavailable = True

    for call in (
        lambda: fake.submit("passport", PERSON, verification_id="order-17"),
        lambda: fake.get("order-17"),
        lambda: fake.wait("order-17"),
        lambda: next(fake.events("billing")),
        lambda: next(fake.watch("billing")),
        lambda: fake.newest(State.DONE),
        fake.counts,
    ):
        with pytest.raises(Unavailable):
            call()

    fake.unavailable = False
    assert fake.get("order-17") is None
    assert fake.submit("passport", PERSON, verification_id="order-17").id == "order-17"


def test_refused_requests_leave_no_trace(fake: FakeVerifications) -> None:
    fake.submit("passport", PERSON, key="a")

    with pytest.raises(InvalidRequest):
        fake.submit("passport", {"dob": "x"}, verification_id="a b")
    with pytest.raises(Conflict):
        fake.submit("passport", {**PERSON, "dob": "2007-03-02"}, key="a")

    assert sum(fake.counts().values()) == 1


def play(fake: FakeVerifications) -> list[object]:
    """Do the same as ever; return all that can be seen."""
    fake.answer("passport", status="VALID", result={"name": "JOHN DOE"})
    made = [fake.submit("passport", PERSON, key=str(n)) for n in range(3)]
    seen: list[object] = [fake.wait(each.id) for each in made]
    return [*made, *seen, *fake.events("billing"), fake.newest(State.DONE), fake.counts()]


def test_it_is_deterministic() -> None:
    assert play(FakeVerifications()) == play(FakeVerifications())


def test_fakes_share_nothing() -> None:
    first, second = FakeVerifications(), FakeVerifications()

    one = first.submit("passport", PERSON, key="a")

    assert second.get(one.id) is None


def test_a_kind_of_the_producers_own_is_known() -> None:
    fake = FakeVerifications(kinds=["tests.unit.test_kinds:ELSEWHERE"])

    with pytest.raises(InvalidRequest, match="day"):
        fake.submit("elsewhere", {"day": "x"}, key="a")


@pytest.mark.parametrize("url", ["https://evil.example/", "https://shop.example@evil.example/"])
def test_nobody_is_promised_to_be_sent_to_a_host_that_is_not_allowed(url: str) -> None:
    fake = FakeVerifications(return_hosts=["shop.example"])
    request = {"document_requested": [], "return_url": url}

    with pytest.raises(InvalidRequest) as refused:
        fake.submit("digilocker", request, key="a")

    fields = {fault.field for fault in refused.value.faults}
    assert fields == {"return_url", "document_requested"}


def test_an_allowed_host_is_taken() -> None:
    fake = FakeVerifications(return_hosts=["Shop.example"])
    request = {"document_requested": ["PAN"], "return_url": "https://shop.example/done"}

    assert fake.submit("digilocker", request, key="a").id
