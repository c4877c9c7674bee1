"""The invented people who give consent, and the content of their documents.

All data here is made up. A test may replace any of it, for instance by canary values.
"""

import base64
from collections.abc import Mapping
from typing import Any

Person = Mapping[str, Any]

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c63f8ffff3f0005fe02fea735819b0000000049454e44ae426082"
    )
).decode()
"""A valid PNG of one pixel, base64, used as a photograph."""

DEFAULT: Person = {
    "name": "Asha Namuna",
    "dob": "15-08-1990",
    "gender": "F",
    "mobile": "9000000001",
    "eaadhaar": "Y",
    "care_of": "D/O Ravi Namuna",
    "uid": "xxxxxxxx0019",
    "address": {
        "country": "India",
        "dist": "Pune",
        "house": "12",
        "landmark": "Near the sandbox",
        "pincode": "411001",
        "po": "Pune",
        "state": "Maharashtra",
        "street": "Example Road",
        "subdist": "Haveli",
        "vtc": "Pune",
    },
    "photo": PIXEL,
    "pan": "ABCPN1234Z",
    "name_pan_card": None,
    "dl_number": "MH1220150000001",
}
"""Fields that a test may set; ``name_pan_card`` None means the same as ``name``."""

NO_AADHAAR: Mapping[str, Any] = {
    **dict.fromkeys(("uid", "name", "dob", "gender", "care_of", "photo_link")),
    "split_address": dict.fromkeys(DEFAULT["address"]),
}
"""The content of an Aadhaar document that the locker doesn't hold."""


def person(changes: Mapping[str, Any]) -> Person:
    """Return the default person with ``changes``; a full Aadhaar number is masked."""
    merged = {**DEFAULT, **changes}
    return {**merged, "uid": masked(str(merged["uid"]))}


def masked(uid: str) -> str:
    """Return an Aadhaar number with all but the last four characters hidden."""
    return "x" * (len(uid) - 4) + uid[-4:]


def details(who: Person) -> dict[str, Any]:
    """Return the ``user_details`` of a status answer."""
    return {key: who[key] for key in ("name", "dob", "gender", "eaadhaar", "mobile")}


def documents_agree(who: Person) -> bool:
    """Return True if the PAN card has the same name as the Aadhaar card."""
    return who["name_pan_card"] in (None, who["name"])


def document(kind: str, who: Person, xml_file: str) -> dict[str, Any]:
    """Return the content of one document, without ids and status."""
    content = {"AADHAAR": _aadhaar, "PAN": _pan, "DRIVING_LICENSE": _licence}[kind](who)
    return {**content, "xml_file": xml_file}


def _aadhaar(who: Person) -> dict[str, Any]:
    return {
        "uid": who["uid"],
        "name": who["name"],
        "dob": who["dob"],
        "year_of_birth": str(who["dob"])[-4:],
        "gender": who["gender"],
        "care_of": who["care_of"],
        "split_address": who["address"],
        "photo_link": who["photo"],
        "message": "Aadhaar Card Exists",
    }


def _pan(who: Person) -> dict[str, Any]:
    return {
        "pan": who["pan"],
        "type": "Individual",
        "dob": who["dob"],
        "name_pan_card": who["name_pan_card"] or who["name"],
        "gender": who["gender"],
    }


def _licence(who: Person) -> dict[str, Any]:
    address = ", ".join(str(part) for part in who["address"].values())
    vehicle = {"class_of_vehicle": "LMV", "description": "Car", "issue_date": "02-01-2015"}
    return {
        "dl_number": who["dl_number"],
        "name": who["name"],
        "dob": who["dob"],
        "issued_at": "Pune",
        "issue_date": "02-01-2015",
        "expiry_date": "01-01-2035",
        "categories": {"categories": [vehicle]},
        "present_address": address,
        "permanent_address": address,
        "gender": who["gender"],
        "care_of": who["care_of"],
        "photo_link": who["photo"],
    }
