"""A producer's program for the type checker only: it is never run or imported."""

from collections.abc import Iterator, Mapping
from typing import Any, assert_never, assert_type

from satyapan import (
    Conflict,
    Event,
    Fault,
    InvalidRequest,
    NotFound,
    ProducerSettings,
    SatyapanError,
    SettingsError,
    State,
    StillOpen,
    Unavailable,
    Unreadable,
    Verification,
    Verifications,
    linked,
    settled,
)
from satyapan.testing import FakeVerifications


def start() -> Verifications:
    try:
        return Verifications.from_env()
    except SettingsError as error:
        assert_type(error.faults[0].name, str)
        assert_type(error.faults[0].message, str)
        raise


def from_settings(settings: ProducerSettings) -> Verifications:
    assert_type(Verifications.from_env({"SATYAPAN_REDIS_URL": ""}), Verifications)
    return Verifications(settings)


def submit(verifications: Verifications, customer: str) -> str | None:
    request: Mapping[str, Any] = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
    try:
        accepted = verifications.submit("passport", request, key=customer)
        assert_type(verifications.submit("passport", {}, verification_id="a"), Verification)
    except InvalidRequest as error:
        assert_type(error.faults, tuple[Fault, ...])
        fault = error.faults[0]
        assert_type((fault.field, fault.code, fault.message), tuple[str, str, str])
        return None
    except (Conflict, Unavailable) as error:
        assert_type(error.verification_id, str)
        return None
    return accepted.id


def get(verifications: Verifications, verification_id: str) -> Verification | None:
    try:
        verification = verifications.get(verification_id)
    except Unreadable as error:
        assert_type((error.record, error.key_id), tuple[str, str])
        return None
    assert_type(verification, Verification | None)
    return verification


def wait(verifications: Verifications, verification_id: str) -> Verification:
    try:
        assert_type(verifications.wait(verification_id, 10, until=linked), Verification)
        return verifications.wait(verification_id, timeout=0.5, until=settled)
    except StillOpen as error:
        timed_out: TimeoutError = error
        assert_type(error.verification, Verification)
        raise timed_out from error
    except NotFound as error:
        assert_type(error.verification_id, str)
        raise


def wait_for_another_state(verifications: Verifications, before: Verification) -> Verification:
    return verifications.wait(before.id, until=lambda current: current.state is not before.state)


def show(verification: Verification) -> str:
    assert_type((verification.id, verification.kind, verification.state), tuple[str, str, State])
    assert_type(
        (verification.status, verification.reason, verification.refused_field), tuple[str, str, str]
    )
    assert_type(
        (
            verification.generation,
            verification.attempts,
            verification.created,
            verification.updated,
        ),
        tuple[int, int, int, int],
    )
    assert_type(
        (verification.parent, verification.reference, verification.link), tuple[str, str, str]
    )
    assert_type((verification.settled, verification.terminal), tuple[bool, bool])
    assert_type(verification.result, Mapping[str, Any] | None)
    assert_type(verification.picture("qr_code"), bytes)
    verification.state = State.DONE  # type: ignore[misc] # frozen: this line must stay an error
    return verification.status


def watch(verifications: Verifications) -> None:
    assert_type(verifications.events("billing", reader="one", block=0.5), Iterator[Event])
    for event in verifications.watch("billing", reader="one", block=1.0):
        assert_type(event, Event)
        assert_type((event.id, event.type, event.name, event.time), tuple[str, str, str, str])
        assert_type((event.verification_id, event.parent), tuple[str, str])
        assert_type((event.kind, event.state, event.generation), tuple[str, State, int])


def count(verifications: Verifications) -> int:
    assert_type(verifications.newest(State.PARKED, limit=5), list[Verification])
    assert_type(verifications.counts(), dict[State, int])
    return verifications.counts()[State.DONE]


def advise(state: State) -> str:
    """Handle every state: the type checker reports a new one here."""
    match state:
        case State.ACCEPTED | State.CLAIMED | State.SENT | State.PENDING | State.UNKNOWN:
            return "wait"
        case State.DONE | State.EXPIRED | State.DENIED | State.FAILED | State.LOST:
            return "final"
        case State.REFUSED:
            return "correct"
        case State.PARKED:
            return "ask a person"
        case _:
            assert_never(state)


def use_the_fake(fake: FakeVerifications) -> None:
    verifications: Verifications = fake
    submit(verifications, "customer-17")
    fake.answer("passport", state=State.DONE, status="VALID", result={"name": "JOHN DOE"})
    fake.answer("a", state=State.REFUSED, reason="dob_value_invalid", refused_field="dob")
    fake.link("digilocker", "https://vendor.example/journey")
    fake.park("passport", "lost_answer")
    assert_type(fake.visit("a", "person-1", state=State.PENDING), Verification)
    fake.unavailable = True
    fake.answer("passport", state="DONE")  # type: ignore[arg-type] # must stay an error


def raise_any_error_of_ours(error: SatyapanError) -> None:
    raise error
