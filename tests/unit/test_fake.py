"""The fake client for producers' tests: the behaviour that only the fake has.

Behaviour that it shares with the real client is tested on both in tests/integration/test_client.py.
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
DOCUMENTS = {"document_requested": ["AADHAAR"]}


@pytest.fixture
def fake() -> FakeVerifications:
    return FakeVerifications()


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: float) -> None:
        raise AssertionError("the fake slept")

    monkeypatch.setattr(time, "sleep", refuse)


def public(kind: type) -> dict[str, object]:
    return {name: value for name, value in vars(kind).items() if not name.startswith("_")}


def test_the_fake_inherits_the_methods_of_the_real_client() -> None:
    """It overrides only from_env; its own methods have other names."""
    assert set(public(FakeVerifications)) & set(public(Verifications)) == {"from_env"}
    assert isinstance(FakeVerifications.from_env(), FakeVerifications)


def test_the_parts_of_the_fake_do_not_inherit_from_classes_that_need_a_server(
    fake: FakeVerifications,
) -> None:
    """A method added to the real class isn't inherited by accident; mypy reports it missing."""
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


def test_an_answer_by_kind_applies_to_open_and_later_verifications(fake: FakeVerifications) -> None:
    early = fake.submit("passport", PERSON, key="a")
    journey = fake.submit("digilocker", DOCUMENTS, key="a")

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
def test_an_answer_may_have_any_final_state(
    fake: FakeVerifications, state: State, reason: str, field: str
) -> None:
    verification = fake.submit("passport", PERSON, key="a")

    fake.answer(verification.id, state=state, reason=reason, refused_field=field)

    ended = fake.wait(verification.id)
    assert (ended.state, ended.reason, ended.refused_field) == (state, reason, field)
    assert ended.terminal
    assert [event.name for event in fake.events("billing")] == [state.lower()]


def test_a_journey_is_pending_with_its_link_until_it_is_answered(fake: FakeVerifications) -> None:
    fake.link("digilocker", "https://vendor.example/journey")
    journey = fake.submit("digilocker", DOCUMENTS, key="a")

    shown = fake.wait(journey.id, until=linked)
    fake.answer(journey.id, state=State.DENIED, status="CONSENT_DENIED")

    assert (shown.link, shown.state) == ("https://vendor.example/journey", State.PENDING)
    ended = fake.wait(journey.id)
    assert (ended.state, ended.link, ended.handoff) == (State.DENIED, "", {})
    assert [event.name for event in fake.events("billing")] == ["link_ready", "denied"]


@pytest.mark.parametrize(
    ("documents", "reason"),
    [
        ({}, "nothing_shared"),
        ({"AADHAAR": {"uid": "x"}}, "partial"),
        ({"AADHAAR": {"uid": "x"}, "PAN": {"status": "UNAVAILABLE"}}, "partial"),
        ({"AADHAAR": {"uid": "x"}, "PAN": {"pan": "y"}}, ""),
    ],
)
def test_a_journey_gets_the_reason_that_a_worker_would_give(
    fake: FakeVerifications, documents: dict[str, object], reason: str
) -> None:
    request = {"document_requested": ["AADHAAR", "PAN"]}
    journey = fake.submit("digilocker", request, key="a")

    fake.answer(journey.id, status="AUTHENTICATED", result={"documents": documents})

    assert fake.wait(journey.id).reason == reason
    other = fake.submit("digilocker", request, key="b")
    fake.answer(other.id, status="AUTHENTICATED", result={"documents": {}}, reason="my own")
    assert fake.wait(other.id).reason == "my own"


def test_a_parked_verification_is_settled_and_can_still_be_answered(
    fake: FakeVerifications,
) -> None:
    verification = fake.submit("passport", PERSON, key="a")

    fake.park(verification.id)

    assert fake.wait(verification.id).reason == "lost_answer"
    fake.answer(verification.id, status="VALID")
    assert fake.wait(verification.id).state is State.DONE


def test_each_visitor_of_a_shared_link_has_a_verification(fake: FakeVerifications) -> None:
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


def test_an_ended_verification_cannot_be_answered_again(fake: FakeVerifications) -> None:
    verification = fake.submit("passport", PERSON, key="a")
    fake.answer(verification.id, status="VALID", result={"name": "JOHN DOE"})
    before = fake.get(verification.id)

    with pytest.raises(ValueError, match="is DONE already"):
        fake.answer(verification.id, status="INVALID")

    assert fake.get(verification.id) == before


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (lambda fake, id_: fake.answer(id_, state=State.PENDING), "PENDING isn't final"),
        (lambda fake, id_: fake.answer(id_, status="valid"), "choose one of INVALID, VALID"),
    ],
)
def test_an_answer_that_cannot_happen_is_refused(
    fake: FakeVerifications, action: Callable[[FakeVerifications, str], None], message: str
) -> None:
    verification = fake.submit("passport", PERSON, key="a")

    with pytest.raises(ValueError, match=message):
        action(fake, verification.id)

    assert fake.newest(State.ACCEPTED) == [fake.get(verification.id)]


def test_an_unknown_id_or_kind_is_not_found(fake: FakeVerifications) -> None:
    for action in (fake.answer, fake.park, lambda name: fake.visit(name, "person-1")):
        with pytest.raises(NotFound):
            action("order-17")


def test_a_stored_result_is_a_copy_of_the_given_one(fake: FakeVerifications) -> None:
    given = {"name": "JOHN DOE"}
    verification = fake.submit("passport", PERSON, key="a")
    fake.answer(verification.id, status="VALID", result=given)

    given["name"] = "SOMEBODY ELSE"
    stored = fake.get(verification.id)

    assert stored is not None
    assert stored.result == {"name": "JOHN DOE"}


def test_every_call_raises_while_unavailable_and_nothing_is_stored(
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


def test_a_refused_request_stores_nothing(fake: FakeVerifications) -> None:
    fake.submit("passport", PERSON, key="a")

    with pytest.raises(InvalidRequest):
        fake.submit("passport", {"dob": "x"}, verification_id="a b")
    with pytest.raises(Conflict):
        fake.submit("passport", {**PERSON, "dob": "2007-03-02"}, key="a")

    assert sum(fake.counts().values()) == 1


def run_sequence(fake: FakeVerifications) -> list[object]:
    """Run a fixed sequence of calls; return everything that a caller can observe."""
    fake.answer("passport", status="VALID", result={"name": "JOHN DOE"})
    submitted = [fake.submit("passport", PERSON, key=str(n)) for n in range(3)]
    ended: list[object] = [fake.wait(each.id) for each in submitted]
    return [*submitted, *ended, *fake.events("billing"), fake.newest(State.DONE), fake.counts()]


def test_the_fake_is_deterministic() -> None:
    assert run_sequence(FakeVerifications()) == run_sequence(FakeVerifications())


def test_fakes_share_nothing() -> None:
    first, second = FakeVerifications(), FakeVerifications()

    verification = first.submit("passport", PERSON, key="a")

    assert second.get(verification.id) is None


def test_a_kind_of_the_producer_is_loaded() -> None:
    fake = FakeVerifications(kinds=["tests.unit.test_kinds:PLUGIN_KIND"])

    with pytest.raises(InvalidRequest, match="day"):
        fake.submit("plugin", {"day": "x"}, key="a")


@pytest.mark.parametrize("url", ["https://evil.example/", "https://shop.example@evil.example/"])
def test_a_return_url_on_another_host_is_refused(url: str) -> None:
    fake = FakeVerifications(return_hosts=["shop.example"])
    request = {"document_requested": [], "return_url": url}

    with pytest.raises(InvalidRequest) as refused:
        fake.submit("digilocker", request, key="a")

    fields = {fault.field for fault in refused.value.faults}
    assert fields == {"return_url", "document_requested"}


def test_a_return_url_on_an_allowed_host_is_accepted() -> None:
    fake = FakeVerifications(return_hosts=["Shop.example"])
    request = {"document_requested": ["PAN"], "return_url": "https://shop.example/done"}

    assert fake.submit("digilocker", request, key="a").id
