"""The control routes: refused requests, and the effects of accepted ones."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.contract.conftest import KEYS

GOOD = {"verification_id": "p-1", "file_number": "PA1079341954215", "dob": "2007-03-01"}


def verify(client: FlaskClient) -> int:
    return client.post("/verification/passport", json=GOOD, headers=KEYS).status_code


@pytest.mark.parametrize("path", ["audit", "calls", "health", "quota", "clock", "webhooks"])
def test_only_this_machine_may_read(client: FlaskClient, path: str) -> None:
    here, away = {"REMOTE_ADDR": "127.0.0.2"}, {"REMOTE_ADDR": "192.0.2.1"}

    assert client.get(f"/_control/{path}", environ_base=here).status_code == 200
    assert client.get(f"/_control/{path}", environ_base=away).status_code == 403


def test_only_this_machine_may_change_anything(client: FlaskClient) -> None:
    away = {"REMOTE_ADDR": "192.0.2.1"}

    refused = client.post("/_control/stop", json={"code": None}, environ_base=away)

    assert refused.status_code == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance_s": -1}),
        ("clock", {"advance_s": "soon"}),
        ("clock", {"advance": 1}),
        ("webhooks", {"ulr": "http://127.0.0.1"}),
        ("webhooks", {"duplicate": True}),
        ("webhooks", {"reorder": 1}),
        ("journeys/d-1", {"decision": "perhaps"}),
        ("journeys/d-1", {"person": {"nmae": "A"}}),
        ("journeys/d-1", {"documents": "PAN"}),
        ("templates", {}),
        ("templates", {"name": "a b"}),
        ("quota", {"route": "passport"}),
        ("quota", {"route": "nowhere", "per_minute": 1}),
        ("stop", {"code": "tired"}),
        ("faults", {"cut": "refuse"}),
    ],
)
def test_an_invalid_control_request_is_refused_with_a_hint(
    client: FlaskClient, path: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"/_control/{path}", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["error"]


@pytest.mark.parametrize("raw", [b"{", b"[]", b'"x"'])
def test_a_body_that_is_not_an_object_is_refused(client: FlaskClient, raw: bytes) -> None:
    assert client.post("/_control/stop", data=raw).status_code == 400


@pytest.mark.parametrize(
    ("code", "status"),
    [("insufficient_balance", 422), ("authentication_failed", 401), ("ip_validation_failed", 403)],
)
def test_a_stop_applies_to_every_call_until_it_is_removed(
    client: FlaskClient, code: str, status: int
) -> None:
    client.post("/_control/stop", json={"code": code})
    stopped = [verify(client), verify(client)]
    found = client.get("/verification/digilocker?verification_id=d", headers=KEYS)

    client.post("/_control/stop", json={"code": None})

    assert stopped == [status, status]
    assert (found.status_code, found.get_json()["code"]) == (status, code)
    assert verify(client) == 200, "a stopped call uses up no id"


def test_a_reset_forgets_everything(client: FlaskClient) -> None:
    verify(client)
    client.post("/_control/stop", json={"code": "insufficient_balance"})
    client.post("/_control/clock", json={"advance_s": 600})

    client.post("/_control/reset")

    clock = client.get("/_control/clock").get_json()
    assert clock["now"] == clock["steady"]
    for name in ("audit", "calls", "quota", "webhooks"):
        assert client.get(f"/_control/{name}").get_json() == {name: []}
    assert verify(client) == 200


def test_an_unknown_path_is_an_empty_404(client: FlaskClient) -> None:
    answer = client.post("/verification/no-such-operation", json={}, headers=KEYS)

    assert (answer.status_code, answer.data) == (404, b"")


def test_other_methods_get_405_with_the_allowed_methods(client: FlaskClient) -> None:
    answer = client.put("/verification/digilocker", headers=KEYS)

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_cleared_faults_affect_no_further_call(client: FlaskClient) -> None:
    client.post("/_control/faults", json={"route": "passport", "status": 502, "times": None})
    during = verify(client)

    cleared = client.post("/_control/faults/clear", json={})

    assert (during, cleared.get_json(), verify(client)) == (502, {"waiting": 0}, 200)
