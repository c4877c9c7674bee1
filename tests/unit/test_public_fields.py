"""What a kind may show in clear: words about the outcome, nothing that describes a person."""

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from satyapan.kinds import Kind, Registry
from satyapan.kinds.fields import names
from tests.contract.excerpts import find_excerpt

KINDS: Final = tuple(Registry())
PERSONAL: Final = frozenset(
    names(
        "aadhaar account address age birth branch city date desc details din dob email epic father"
        " gender holder id ifsc ip latitude link list longitude message mobile name number owner"
        " pan phone photo pincode reason score state uan url utr vpa"
    )
)
"""A field whose name has one of these words describes a person, or may hold any text."""
OUTCOME: Final = re.compile(r".*_(?:match|match_result|status|status_code|type|linked)")
"""Whether it agrees or holds, and not what it is."""
WORD: Final = re.compile(r"[A-Za-z_ -]{0,40}")
JUDGED: Final = {
    ("digilocker", "document_requested"): "which documents were asked for, from a fixed list",
    ("digilocker", "document_consent"): "which of them were shared",
    ("digilocker", "document_consent_validity"): "until when the vendor has the data",
    ("reverse_penny_drop", "ref_id"): "the vendor's reference, which others call reference_id",
    ("static_kyc_link", "template_name"): "the name of our own template",
}
"""Fields that are public against these rules, and why."""


def name(value: object) -> str | None:
    return value.name if isinstance(value, Kind) else None


def published(kind: Kind, field: str) -> Iterator[Any]:
    """Yield the values of a field in the published answers to a kind's calls."""
    operations = kind.operations.values()
    routes = [route for o in operations for route in (o.create, o.status, o.document) if route]
    for route in routes:
        excerpt = find_excerpt(route.method, route.path)
        for answer in excerpt.answers if excerpt else ():
            if field in answer.body:
                yield answer.body[field]


def describes_a_person(field: str) -> bool:
    return not OUTCOME.fullmatch(field) and bool(PERSONAL.intersection(field.split("_")))


def is_a_word(value: object) -> bool:
    """Return True for a flag, a short text without digits, or nothing."""
    return value is None or isinstance(value, bool) or bool(WORD.fullmatch(str(value)))


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_no_public_field_is_named_after_what_describes_a_person(kind: Kind) -> None:
    free = [each for each in kind.public_fields if (kind.name, each) not in JUDGED]

    assert [each for each in free if describes_a_person(each)] == []


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_the_published_values_of_public_fields_are_words(kind: Kind) -> None:
    free = [each for each in kind.public_fields if (kind.name, each) not in JUDGED]

    others = {each: [v for v in published(kind, each) if not is_a_word(v)] for each in free}

    assert {each: values for each, values in others.items() if values} == {}


@pytest.mark.parametrize(
    "field", names("registered_name dob email director_details photo reason udyam_certificate_url")
)
def test_the_name_of_a_field_that_describes_a_person_is_noticed(field: str) -> None:
    assert describes_a_person(field)


def test_a_status_that_says_that_a_person_died_is_private() -> None:
    assert not Registry()["pan_lite"].is_public("pan_status")
