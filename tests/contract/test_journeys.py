"""DigiLocker on a real socket: consent, denial, expiry, documents."""

import base64
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.conftest import KEYS, Vendor

ALL = ["AADHAAR", "PAN", "DRIVING_LICENSE"]
BACK = "http://127.0.0.1:9/back"


def create(vendor: Vendor, verification_id: str = "d-1", **changes: object) -> dict[str, Any]:
    body = {
        "verification_id": verification_id,
        "document_requested": ALL,
        "redirect_url": BACK,
        **changes,
    }
    body = {name: value for name, value in body.items() if value is not None}
    answer = vendor.call("POST", "/digilocker", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def status(vendor: Vendor, **ids: str) -> dict[str, Any]:
    answer = vendor.call("GET", "/digilocker", params=ids or {"verification_id": "d-1"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def fetch(vendor: Vendor, document: str, verification_id: str = "d-1") -> requests.Response:
    return vendor.call(
        "GET", f"/digilocker/document/{document}", params={"verification_id": verification_id}
    )


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_journey_starts_pending(vendor: Vendor) -> None:
    created = create(vendor, user_flow="signin")

    assert created == {
        "verification_id": "d-1",
        "reference_id": 1358,
        "url": f"{vendor.root}/dgl/h7562ci7us0",
        "status": "PENDING",
        "document_requested": ALL,
        "redirect_url": BACK,
        "user_flow": "signin",
    }
    assert status(vendor) == {
        "user_details": {},
        "status": "PENDING",
        "document_requested": ALL,
        "document_consent": [],
        "verification_id": "d-1",
        "reference_id": 1358,
    }
    assert refusal(fetch(vendor, "PAN")) == (400, "consent_not_granted")


def test_a_person_consents_to_some_documents_and_is_redirected(vendor: Vendor) -> None:
    url = create(vendor)["url"]
    page = vendor.open(url)
    assert page.status_code == 200
    assert all(f'value="{document}"' in page.text for document in ALL)
    assert "sandbox" in page.text
    assert "<script" not in page.text

    sent = vendor.open(url, decision="allow", documents=["PAN", "AADHAAR"])

    assert (sent.status_code, sent.headers["location"]) == (302, f"{BACK}?verification_id=d-1")
    assert status(vendor) == {
        "user_details": {
            "name": "Asha Namuna",
            "dob": "15-08-1990",
            "gender": "F",
            "eaadhaar": "Y",
            "mobile": "9000000001",
        },
        "status": "AUTHENTICATED",
        "document_requested": ALL,
        "document_consent": ["AADHAAR", "PAN"],
        "document_consent_validity": "2026-01-05T11:11:12Z",
        "verification_id": "d-1",
        "reference_id": 1358,
    }
    assert refusal(fetch(vendor, "DRIVING_LICENSE")) == (400, "consent_not_granted")


def test_the_consented_documents_can_be_fetched(vendor: Vendor) -> None:
    url = create(vendor)["url"]
    vendor.open(url, decision="allow", documents=ALL)

    aadhaar, pan, licence = (fetch(vendor, document).json() for document in ALL)

    assert aadhaar["status"] == pan["status"] == licence["status"] == "SUCCESS"
    assert aadhaar["uid"] == "xxxxxxxx0019"
    assert base64.b64decode(aadhaar["photo_link"]).startswith(b"\x89PNG")
    assert aadhaar["split_address"]["pincode"] == "411001"
    assert aadhaar["year_of_birth"] == "1990"
    assert (pan["pan"], pan["name_pan_card"]) == ("ABCPN1234Z", "Asha Namuna")
    assert licence["categories"]["categories"][0]["class_of_vehicle"] == "LMV"
    packed = zipfile.ZipFile(io.BytesIO(vendor.open(aadhaar["xml_file"]).content))
    assert b"Asha Namuna" in packed.read("AADHAAR.xml")


def test_creation_and_each_fetch_are_separate_charges(vendor: Vendor) -> None:
    vendor.open(create(vendor)["url"], decision="allow", documents=ALL)
    status(vendor)
    fetch(vendor, "PAN")
    fetch(vendor, "PAN")

    charges = [(row["charge"], row["detail"]) for row in vendor.read("audit")]

    assert charges == [("digilocker", None), ("document", "PAN"), ("document", "PAN")]


def test_a_person_denies(vendor: Vendor) -> None:
    url = create(vendor)["url"]

    sent = vendor.open(url, decision="deny")

    assert sent.headers["location"] == f"{BACK}?verification_id=d-1"
    assert status(vendor)["status"] == "CONSENT_DENIED"
    assert status(vendor)["user_details"] == {}
    assert refusal(fetch(vendor, "PAN")) == (400, "consent_not_granted")


def test_only_the_first_answer_counts(vendor: Vendor) -> None:
    url = create(vendor)["url"]
    vendor.open(url, decision="deny")

    again = vendor.open(url, decision="allow", documents=ALL)

    assert again.status_code == 200
    assert "already" in again.text
    assert status(vendor)["status"] == "CONSENT_DENIED"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_the_page_decides_nothing(vendor: Vendor, method: str) -> None:
    url = create(vendor)["url"]

    requests.request(method, f"{url}?decision=allow", timeout=30)

    assert status(vendor)["status"] == "PENDING"


def test_consent_to_nothing_is_an_empty_list(vendor: Vendor) -> None:
    vendor.open(create(vendor)["url"], decision="allow")

    assert (status(vendor)["status"], status(vendor)["document_consent"]) == ("AUTHENTICATED", [])


def test_an_unused_link_expires_after_its_lifetime(vendor: Vendor) -> None:
    url = create(vendor)["url"]
    vendor.clock.at += 599.9
    assert status(vendor)["status"] == "PENDING"
    vendor.clock.at += 0.1

    late = vendor.open(url, decision="allow", documents=ALL)

    assert late.status_code == 410
    assert vendor.open(url).status_code == 410
    assert "expired" in late.text
    assert status(vendor)["status"] == "EXPIRED"
    assert refusal(fetch(vendor, "PAN")) == (400, "url_expired")


def test_a_consent_ends_after_its_lifetime(vendor: Vendor) -> None:
    vendor.open(create(vendor)["url"], decision="allow", documents=ALL)
    vendor.control("clock", advance_s=3599)
    assert fetch(vendor, "PAN").status_code == 200
    vendor.control("clock", advance_s=1)

    assert refusal(fetch(vendor, "PAN")) == (400, "session_expired")
    assert status(vendor)["status"] == "EXPIRED"


def test_documents_are_not_ready_as_often_as_configured(start: Callable[..., Vendor]) -> None:
    vendor = start(document_202=1)
    vendor.open(create(vendor, redirect_url=None)["url"], decision="allow", documents=ALL)

    answers = [fetch(vendor, name) for name in ("PAN", "AADHAAR", "PAN", "AADHAAR")]

    assert [answer.status_code for answer in answers] == [202, 202, 200, 200]
    assert refusal(answers[0]) == (202, "validation_pending")
    assert len(vendor.read("audit")) == 3, "a fetch that is not ready costs nothing"


def test_without_e_aadhaar_the_consent_is_null(vendor: Vendor) -> None:
    create(vendor)
    vendor.control("journeys/d-1", decision="allow", person={"eaadhaar": "N"})

    assert status(vendor)["document_consent"] is None
    assert fetch(vendor, "AADHAAR").json()["status"] == "AADHAAR_NOT_LINKED"
    assert refusal(fetch(vendor, "PAN")) == (400, "consent_not_granted")


def test_a_pan_card_with_another_name_is_a_mismatch(vendor: Vendor) -> None:
    create(vendor)
    vendor.control("journeys/d-1", decision="allow", person={"name_pan_card": "Somebody Else"})

    assert refusal(fetch(vendor, "PAN")) == (400, "user_detail_mismatch")
    assert fetch(vendor, "AADHAAR").status_code == 200


def test_a_scripted_person_decides_without_a_page_and_may_have_any_data(vendor: Vendor) -> None:
    create(vendor)

    answer = vendor.control(
        "journeys/d-1",
        decision="allow",
        documents=["AADHAAR"],
        person={"name": "Canary Name", "uid": "999941057058"},
        document_202=1,
    )

    assert answer == {
        "planned": False,
        "status": "AUTHENTICATED",
        "redirect_to": f"{BACK}?verification_id=d-1",
    }
    assert status(vendor)["user_details"]["name"] == "Canary Name"
    assert fetch(vendor, "AADHAAR").status_code == 202
    assert fetch(vendor, "AADHAAR").json()["uid"] == "xxxxxxxx7058"


def test_a_script_may_come_before_its_journey(vendor: Vendor) -> None:
    assert vendor.control("journeys/d-1", decision="deny") == {"planned": True}

    create(vendor)

    assert status(vendor)["status"] == "CONSENT_DENIED"


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("https://example.com/back?x=1", "https://example.com/back?x=1&verification_id=d-1"),
        ("https://example.com/back#top", "https://example.com/back?verification_id=d-1#top"),
    ],
)
def test_the_id_is_added_to_the_query_of_the_redirect(
    vendor: Vendor, given: str, target: str
) -> None:
    url = create(vendor, redirect_url=given)["url"]

    assert vendor.open(url, decision="allow").headers["location"] == target


def test_without_a_redirect_the_person_sees_a_page(vendor: Vendor) -> None:
    created = create(vendor, redirect_url=None)

    sent = vendor.open(created["url"], decision="allow", documents=ALL)

    assert "redirect_url" not in created
    assert sent.status_code == 200
    assert "Thank you" in sent.text


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, (400, "invalid_request")),
        ({"verification_id": "never"}, (404, "verification_id_value_invalid")),
        ({"reference_id": "77"}, (404, "reference_id_value_invalid")),
        ({"reference_id": "x"}, (404, "reference_id_value_invalid")),
        ({"reference_id": "77", "verification_id": "d-1"}, (404, "reference_id_value_invalid")),
    ],
)
@pytest.mark.parametrize("path", ["/digilocker", "/digilocker/document/PAN"])
def test_unknown_ids_get_the_documented_errors(
    vendor: Vendor, path: str, params: dict[str, str], code: tuple[int, str]
) -> None:
    create(vendor)

    assert refusal(vendor.call("GET", path, params=params)) == code


def test_the_vendors_own_id_takes_precedence(vendor: Vendor) -> None:
    first, second = create(vendor), create(vendor, "d-2")

    found = status(vendor, verification_id="d-1", reference_id=str(second["reference_id"]))

    assert found["verification_id"] == "d-2"
    assert status(vendor, reference_id=str(first["reference_id"]))["verification_id"] == "d-1"


def test_another_accounts_journey_is_unknown(start: Callable[..., Vendor]) -> None:
    vendor = start(accounts={"sandbox-client": "sandbox-secret", "other": "o"})
    created = create(vendor, redirect_url=None)
    other = {"x-client-id": "other", "x-client-secret": "o"}

    for ids in ({"verification_id": "d-1"}, {"reference_id": str(created["reference_id"])}):
        assert vendor.call("GET", "/digilocker", params=ids, headers=other).status_code == 404


def test_an_unknown_document_type_is_refused(vendor: Vendor) -> None:
    assert refusal(fetch(vendor, "VOTER_ID")) == (400, "document_type_value_invalid")


def test_magic_ids_work_for_reading_too(vendor: Vendor) -> None:
    assert refusal(fetch(vendor, "PAN", "magic-202-validation_pending-1")) == (
        202,
        "validation_pending",
    )


def test_plain_http_to_this_machine_needs_the_option(start: Callable[..., Vendor]) -> None:
    vendor = start()

    answer = vendor.call(
        "POST",
        "/digilocker",
        json={"verification_id": "d-1", "document_requested": ALL, "redirect_url": BACK},
        headers=KEYS,
    )

    assert refusal(answer) == (400, "redirect_url_value_invalid")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"document_requested": "PAN"}, "invalid_request"),
        ({"document_requested": [{}]}, "invalid_request"),
        ({"document_requested": ["PAN", "PAN", "X"]}, "invalid_request"),
        ({"redirect_url": ""}, "redirect_url_value_invalid"),
        ({"redirect_url": None}, "redirect_url_value_invalid"),
        ({"redirect_url": 7}, "redirect_url_value_invalid"),
        ({"redirect_url": "https:/x"}, "redirect_url_value_invalid"),
        ({"redirect_url": "https://"}, "redirect_url_value_invalid"),
        ({"redirect_url": "https://a:99999/"}, "redirect_url_value_invalid"),
        ({"redirect_url": "https://[::1"}, "redirect_url_value_invalid"),
        ({"redirect_url": "http://example.com"}, "redirect_url_value_invalid"),
        ({"redirect_url": "http://localhost.example.com"}, "redirect_url_value_invalid"),
        ({"user_flow": None}, "user_flow_value_invalid"),
        ({"user_flow": "walk"}, "user_flow_value_invalid"),
        ({"user_flow": ["signin"]}, "user_flow_value_invalid"),
    ],
)
def test_bad_input_is_refused(vendor: Vendor, changes: dict[str, Any], code: str) -> None:
    body = {"verification_id": "d-1", "document_requested": ["PAN"], **changes}

    answer = vendor.call("POST", "/digilocker", json=body)

    assert refusal(answer) == (400, code)
    assert vendor.read("audit") == []
