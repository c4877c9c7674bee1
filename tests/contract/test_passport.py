"""Passport beyond the documented examples: test data, ids and charges."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from tests.contract.conftest import KEYS, FixedClock, FixedIds

GOOD = {"verification_id": "p-1", "file_number": "PA1079341954215", "dob": "2007-03-01"}
MISSING: Any = object()


def verify(client: FlaskClient, **changes: object) -> TestResponse:
    body = {key: value for key, value in {**GOOD, **changes}.items() if value is not MISSING}
    return client.post("/verification/passport", json=body, headers=KEYS)


def audit(client: FlaskClient) -> list[dict[str, Any]]:
    return list(client.get("/_control/audit").get_json()["audit"])


@pytest.mark.parametrize("digits", [12, 13])
def test_file_numbers_for_load_are_valid_with_the_data_of_the_request(
    client: FlaskClient, digits: int
) -> None:
    answer = verify(client, file_number="PA2" + "0" * digits, name="Asha", dob="1991-02-03")

    body = answer.get_json()
    assert (body["status"], body["name"], body["dob"]) == ("VALID", "Asha", "1991-02-03")


@pytest.mark.parametrize(
    "changes", [{"file_number": "PA9999999999999"}, {"dob": "2007-03-02"}, {"file_number": " "}]
)
def test_other_file_numbers_fail_and_are_not_charged(
    client: FlaskClient, changes: dict[str, str]
) -> None:
    answer = verify(client, **changes)

    assert (answer.status_code, answer.get_json()["code"]) == (502, "verification_failed")
    assert "test data" in answer.get_json()["message"]
    assert audit(client) == []
    assert verify(client).status_code == 200, "the id is still free"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"verification_id": None}, "verification_id_missing"),
        ({"verification_id": ""}, "verification_id_missing"),
        ({"verification_id": 7}, "verification_id_value_invalid"),
        ({"verification_id": "a b"}, "verification_id_value_invalid"),
        ({"verification_id": "अ"}, "verification_id_value_invalid"),
        ({"verification_id": "a\n"}, "verification_id_value_invalid"),
        ({"verification_id": "x" * 51}, "verification_id_length_exceeded"),
        ({"file_number": ["PA"]}, "file_number_value_invalid"),
        ({"file_number": MISSING, "dob": MISSING}, "file_number_missing"),
        ({"dob": "2007-02-30"}, "dob_value_invalid"),
        ({"dob": "20070301"}, "dob_value_invalid"),
        ({"dob": "２００７-03-01"}, "dob_value_invalid"),
        ({"name": 5}, "name_value_invalid"),
        ({"name": None}, "name_value_invalid"),
    ],
)
def test_bad_input_is_refused_one_fault_at_a_time(
    client: FlaskClient, changes: dict[str, object], code: str
) -> None:
    answer = verify(client, **changes)

    assert (answer.status_code, answer.get_json()["code"]) == (400, code)


def test_the_longest_id_and_no_name_are_accepted(client: FlaskClient) -> None:
    assert verify(client, verification_id="x" * 50).status_code == 200
    assert verify(client, verification_id="A.b-c_9", name=MISSING).status_code == 200


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_an_object_is_refused(client: FlaskClient, raw: bytes) -> None:
    answer = client.post("/verification/passport", data=raw, headers=KEYS)

    assert (answer.status_code, answer.get_json()["code"]) == (400, "invalid_request")


def test_an_oversized_body_is_refused(client: FlaskClient) -> None:
    answer = client.post("/verification/passport", data=b"x" * 1_000_001, headers=KEYS)

    assert answer.status_code == 413


def test_a_repeated_id_is_refused_also_after_an_invalid_passport(client: FlaskClient) -> None:
    assert verify(client, file_number="PA0379341954215").get_json()["status"] == "INVALID"

    again = verify(client)

    assert (again.status_code, again.get_json()["code"]) == (
        409,
        "verification_id_already_exists",
    )
    assert len(audit(client)) == 1, "the INVALID answer is charged, the repeated call is not"


def test_the_audit_contains_ids_but_no_personal_data(client: FlaskClient) -> None:
    verify(client, file_number="PA2000000000001", name="Canary Person")

    (row,) = audit(client)

    assert row == {
        "n": 1,
        "at": FixedClock().at,
        "charge": "passport",
        "account": "sandbox-client",
        "route": "passport",
        "verification_id": "p-1",
        "reference_id": 1358,
        "detail": None,
        "executed": True,
        "answered": True,
    }


def test_the_record_of_calls_contains_only_legal_ids_and_codes(client: FlaskClient) -> None:
    verify(client, verification_id="Canary Person")
    verify(client)

    bad, good = client.get("/_control/calls").get_json()["calls"]

    assert (bad["status"], bad["code"], bad["verification_id"]) == (
        400,
        "verification_id_value_invalid",
        None,
    )
    assert (good["status"], good["code"], good["verification_id"]) == (200, None, "p-1")


@pytest.fixture
def strict() -> Callable[[], FlaskClient]:
    """Start sandboxes in which a failed call uses up its id."""
    config = SandboxConfig(failed_consumes_id=True)
    return lambda: create_app(config, FixedClock(), FixedIds()).test_client()


def test_failed_attempts_use_up_the_id_if_configured(strict: Callable[[], FlaskClient]) -> None:
    client = strict()
    assert verify(client, file_number="PA9999999999999").status_code == 502

    again = verify(client)

    assert again.status_code == 409
    assert audit(client) == []


def test_accounts_do_not_share_ids() -> None:
    config = SandboxConfig(accounts={"one": "1", "two": "2"})
    client = create_app(config, FixedClock(), FixedIds()).test_client()

    answers = [
        client.post(
            "/verification/passport",
            json=GOOD,
            headers={"x-client-id": name, "x-client-secret": secret},
        ).status_code
        for name, secret in config.accounts.items()
    ]

    assert answers == [200, 200]
