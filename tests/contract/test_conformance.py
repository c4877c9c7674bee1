"""The vendor's descriptions, driven by schemathesis against a sandbox process.

The pages state some rules only in prose (characters, lengths, dates). ``RULES`` adds those to the
request schemas and nothing else, so that generator and vendor agree on what is valid.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis import GenerationMode
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ignored_auth,
    positive_data_acceptance,
    response_schema_conformance,
    unsupported_method,
)

from tests.contract.conftest import KEYS, PLENTY, Vendor, as_a_process
from tests.contract.vendor_pages import page

Case = schemathesis.Case[Any]

ID = {"pattern": "^[A-Za-z0-9._-]{1,50}$"}
RULES: dict[str, dict[str, dict[str, Any]]] = {
    "passport": {
        "verification_id": ID,
        "dob": {"format": "date"},
        # A rule of the vendor's sandbox only: other numbers are not test data.
        "file_number": {"pattern": "^PA2[0-9]{12}$"},
    },
    "digilocker": {
        "verification_id": ID,
        "document_requested": {"minItems": 1, "uniqueItems": True},
    },
    "static_link": {"template_name": {"pattern": "^[A-Za-z0-9._-]+$"}},
}

# Narrower than the vendor's rule: it generates valid requests, but can't recognise invalid ones.
SAMPLES = {"redirect_url": {"pattern": r"^https://[a-z]{1,20}\.example(/[a-z0-9]{0,20})?$"}}

# The page describes redirect_url only in prose, and no pattern says "a valid address";
# `test_digilocker_accepts` checks it with addresses that are certainly valid.
UNSURE: list[CheckFunction] = [positive_data_acceptance]

# The pages document 400 for a missing x-client-id, but this check requires 401 or 403.
# test_auth.py tests bad credentials on every route.
CREDENTIALS: list[CheckFunction] = [ignored_auth]

# Each page describes one operation. The same paths have others, described on other pages
# (GET /digilocker, DELETE /form/static-link), and the Allow header correctly lists those too.
OTHERS = {"/digilocker": "GET", "/form/static-link": "DELETE"}

# The page documents 502; `only_the_documented_502` checks it instead.
GATEWAY: list[CheckFunction] = [not_a_server_error]

VARIETY = {
    "passport": {200, 400, 409},
    "digilocker": {200, 400, 409},
    "static_link": {200, 400, 404},
}
SHAPE: list[CheckFunction] = [response_schema_conformance]


def described(
    operation: str, samples: Mapping[str, Mapping[str, Any]] | None = None
) -> schemathesis.schemas.BaseSchema:
    """Load a page with the rules of its prose; with ``samples``, for valid requests only."""
    description = page(operation)
    (request,) = (
        schema
        for name, schema in description["components"]["schemas"].items()
        if name.endswith("RequestSchema")
    )
    for name, rules in (*RULES[operation].items(), *(samples or {}).items()):
        request["properties"][name] |= rules
    if operation == "passport":
        _allow_nulls(description)
    loaded = schemathesis.openapi.from_dict(description)
    if samples:
        loaded.config.generation.update(modes=[GenerationMode.POSITIVE])
    return loaded


def _allow_nulls(description: dict[str, Any]) -> None:
    """Allow null for the four fields that are null in the page's example "Invalid Passport"."""
    answer = description["components"]["schemas"]["PassportVerificationResponseSchema"]
    for name in ("name", "dob", "application_type", "application_received_date"):
        answer["properties"][name]["nullable"] = True


def of_other_pages(case: Case) -> list[CheckFunction]:
    """Return the checks that would report what another page describes as undescribed."""
    other = case.method == OTHERS[case.path]
    return [allow_header_conformance, *([unsupported_method] if other else [])]


def only_the_documented_502(_: CheckContext, response: Response, __: Case) -> None:
    """Fail on any server error except the one for file numbers that are not test data."""
    if response.status_code >= 500:
        assert response.status_code == 502
        assert "test data" in response.json()["message"]


@pytest.fixture(scope="module")
def roomy() -> Iterator[Vendor]:
    """Start a sandbox process whose quota no test can use up."""
    options = [f"--quota={route}={limit}" for route, limit in PLENTY.items()]
    with as_a_process(*options) as process:
        yield process.vendor
        _demand_variety(process.vendor)


def _demand_variety(vendor: Vendor) -> None:
    """Fail if the generator did not get both success and error answers: the run proves nothing."""
    calls = [(call["route"], call["status"]) for call in vendor.read("calls")]
    for route in {route for route, _ in calls} & set(VARIETY):
        assert {status for where, status in calls if where == route} >= VARIETY[route]


# What a run must reach must not depend on chance.
SAME_EVERY_TIME = settings(max_examples=50, deadline=None, derandomize=True)
PASSPORT = described("passport")
DIGILOCKER = described("digilocker")
VALID_DIGILOCKER = described("digilocker", SAMPLES)
STATIC_LINK = described("static_link")


@PASSPORT.parametrize()
@SAME_EVERY_TIME
def test_passport(case: Case, roomy: Vendor) -> None:
    case.call_and_validate(
        base_url=roomy.base,
        headers=KEYS,
        excluded_checks=CREDENTIALS + GATEWAY,
        additional_checks=[only_the_documented_502],
    )


@DIGILOCKER.parametrize()
@SAME_EVERY_TIME
def test_digilocker(case: Case, roomy: Vendor) -> None:
    unfit = CREDENTIALS + UNSURE + of_other_pages(case)
    case.call_and_validate(base_url=roomy.base, headers=KEYS, excluded_checks=unfit)


@VALID_DIGILOCKER.parametrize()
@SAME_EVERY_TIME
def test_digilocker_accepts(case: Case, roomy: Vendor) -> None:
    unfit = CREDENTIALS + of_other_pages(case)
    case.call_and_validate(base_url=roomy.base, headers=KEYS, excluded_checks=unfit)


@STATIC_LINK.parametrize()
@SAME_EVERY_TIME
def test_static_link(case: Case, roomy: Vendor) -> None:
    unfit = CREDENTIALS + of_other_pages(case)
    case.call_and_validate(base_url=roomy.base, headers=KEYS, excluded_checks=unfit)


def test_an_invalid_passport_fits_the_page_only_with_its_nulls_allowed(vendor: Vendor) -> None:
    def validate(schema: schemathesis.schemas.BaseSchema, verification_id: str) -> None:
        body: dict[str, Any] = {
            "verification_id": verification_id,
            "file_number": "PA0379341954215",
            "dob": "2007-03-01",
        }
        case = schema["/passport"]["POST"].Case(body=body, media_type="application/json")
        case.call_and_validate(base_url=vendor.base, headers=KEYS, checks=SHAPE)

    validate(PASSPORT, "invalid-1")
    with pytest.raises(schemathesis.errors.FailureGroup, match="null"):
        validate(schemathesis.openapi.from_dict(page("passport")), "invalid-2")
