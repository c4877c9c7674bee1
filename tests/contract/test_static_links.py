"""Static KYC links: creating and deactivating them, and the people who use them."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.contract.conftest import Vendor

TEMPLATE = "Aadhaar_verification"


def create(vendor: Vendor, name: str = TEMPLATE) -> dict[str, Any]:
    answer = vendor.call("POST", "/form/static-link", json={"template_name": name})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def delete(vendor: Vendor, **params: str) -> requests.Response:
    return vendor.call("DELETE", "/form/static-link", params=params)


def test_a_link_comes_with_a_picture(vendor: Vendor) -> None:
    made = create(vendor)

    picture = base64.b64decode(made.pop("qr_code"), validate=True)
    assert made == {
        "static_link": f"{vendor.root}/forms/h7562ci7us0",
        "status": "ACTIVE",
        "template_name": TEMPLATE,
    }
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert picture.endswith(b"IEND\xaeB`\x82")
    (row,) = vendor.read("audit")
    assert (row["charge"], row["detail"], row["verification_id"]) == (
        "static_link",
        TEMPLATE,
        None,
    )


def test_different_links_have_different_pictures(vendor: Vendor) -> None:
    assert create(vendor)["qr_code"] != create(vendor)["qr_code"]


def test_a_second_create_makes_a_new_link_and_is_charged(vendor: Vendor) -> None:
    first, second = create(vendor), create(vendor)

    assert first["static_link"] != second["static_link"]
    assert vendor.open(first["static_link"]).status_code == 200
    assert len(vendor.read("audit")) == 2


def test_a_second_create_returns_the_same_link_uncharged_if_configured(
    start: Callable[..., Vendor],
) -> None:
    vendor = start(repeat_link_is_new=False)

    assert create(vendor) == create(vendor)
    assert len(vendor.read("audit")) == 1


def test_a_template_must_be_added_first(vendor: Vendor) -> None:
    answer = vendor.call("POST", "/form/static-link", json={"template_name": "Mine"})
    assert (answer.status_code, answer.json()["code"]) == (404, "template_name_not_found")

    vendor.control("templates", name="Mine")

    assert create(vendor, "Mine")["template_name"] == "Mine"


def test_deactivation_ends_all_links_of_the_template(vendor: Vendor) -> None:
    links = [create(vendor)["static_link"] for _ in range(2)]

    answer = delete(vendor, template_name=TEMPLATE)

    assert answer.json() | {"message": ""} == {
        "message": "",
        "static_link": links[-1],
        "template_name": TEMPLATE,
        "status": "INACTIVE",
    }
    assert [vendor.open(link).status_code for link in links] == [410, 410]
    assert vendor.open(links[0], name="A").status_code == 410
    again = delete(vendor, template_name=TEMPLATE)
    assert (again.status_code, again.json()["code"]) == (400, "static_link_not_linked")


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, (400, "template_name_missing")),
        ({"template_name": "a b"}, (400, "template_name_value_invalid")),
        ({"template_name": "Unknown"}, (404, "template_name_not_found")),
    ],
)
def test_deactivation_is_validated(
    vendor: Vendor, params: dict[str, str], code: tuple[int, str]
) -> None:
    answer = delete(vendor, **params)

    assert (answer.status_code, answer.json()["code"]) == code


def test_a_form_has_ids_that_the_vendor_issued(vendor: Vendor) -> None:
    link = create(vendor)["static_link"]
    assert "sandbox" in vendor.open(link).text

    sent = vendor.open(link, name="Canary", phone="9000000002", email="c@example.com")

    assert sent.status_code == 200
    last = vendor.read("webhooks")[-1]
    form = vendor.call("GET", "/form", params={"verificationID": last["verification_id"]}).json()
    assert form == {
        "name": "Canary",
        "phone": "9000000002",
        "email": "c@example.com",
        "verification_id": last["verification_id"],
        "reference_id": last["reference_id"],
        "link_expiry": "2026-02-04",
        "form_link": link,
        "form_status": "SUCCESS",
        "verification_details": [
            {
                "reference_id": form["verification_details"][0]["reference_id"],
                "type": "OFFLINE_AADHAAR_VERIFICATION",
                "status": "SUCCESS",
            }
        ],
    }
    by_reference = vendor.call("GET", "/form", params={"referenceID": str(last["reference_id"])})
    assert by_reference.json() == form


def test_two_people_on_one_link_have_two_ids(vendor: Vendor) -> None:
    link = create(vendor)["static_link"]

    for name in ("One", "Two"):
        vendor.open(link, name=name)

    ids = {row["verification_id"] for row in vendor.read("webhooks")}
    assert len(ids) == 2


def test_a_form_without_a_name_is_refused(vendor: Vendor) -> None:
    link = create(vendor)["static_link"]

    assert vendor.open(link, name=" ").status_code == 400
    assert vendor.read("webhooks") == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, (400, "invalid_request")),
        ({"verificationID": "never"}, (404, "Resource not found")),
        ({"referenceID": "7"}, (404, "Resource not found")),
        ({"verification_id": "snake"}, (400, "invalid_request")),
    ],
)
def test_unknown_forms_have_a_sentence_as_their_code(
    vendor: Vendor, params: dict[str, str], code: tuple[int, str]
) -> None:
    answer = vendor.call("GET", "/form", params=params)

    assert (answer.status_code, answer.json()["code"]) == code
