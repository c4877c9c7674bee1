"""A rule across the fields of a request: at submit, in the JSON Schema, and in words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import jsonschema_rs
import pytest

from config.kinds_page import facts
from satyapan.errors import Fault, InvalidRequest
from satyapan.kinds import Kind, Registry
from satyapan.kinds.describe import kind_data
from satyapan.kinds.fields import date, needs_one_of, request, text
from satyapan.kinds.json_schema import request_schema

MESSAGE: Final = "provide phone, or dob and name."
FAULT: Final = Fault("request", "invalid_request", MESSAGE)
KIND: Final = replace(
    Registry()["passport"],
    request=request(
        needs_one_of("phone", "dob name", code="invalid_request", message=MESSAGE),
        phone=text(required=False),
        dob=date(required=False),
        name=text(required=False),
    ),
)


def faults(kind: Kind, given: Mapping[str, Any]) -> list[Fault]:
    try:
        kind.check(given)
    except InvalidRequest as refused:
        return list(refused.faults)
    return []


@pytest.mark.parametrize(
    "given",
    [
        {"phone": "9988775566"},
        {"phone": "9988775566", "dob": None},
        {"dob": "2007-03-01", "name": "John Doe"},
        {"phone": "9988775566", "dob": "2007-03-01", "name": "John Doe"},
    ],
)
def test_one_alternative_is_enough(given: Mapping[str, Any]) -> None:
    assert faults(KIND, given) == []
    assert jsonschema_rs.is_valid(request_schema(KIND), given)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"phone": None},
        {"phone": ""},
        {"dob": "2007-03-01"},
        {"dob": "2007-03-01", "name": None},
    ],
)
def test_without_any_the_request_is_refused_in_the_words_of_the_vendor(
    given: Mapping[str, Any],
) -> None:
    assert faults(KIND, given) == [FAULT]
    assert not jsonschema_rs.is_valid(request_schema(KIND), given)


def test_spaces_are_nothing() -> None:
    assert faults(KIND, {"phone": " \t"}) == [FAULT]


def test_a_wrong_field_is_the_only_fault() -> None:
    assert [fault.field for fault in faults(KIND, {"phone": 7})] == ["phone"]


def test_the_rule_is_described_in_words() -> None:
    rule = "phone, or dob and name"

    assert kind_data(KIND, datetime.now(UTC))["needs"] == [rule]
    assert ("needs", rule) in facts(KIND, KIND.operation("cashfree"))
