"""The JSON Schema of each kind: valid, true for its example, and as strict as its rules."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner
from marshmallow import Schema, fields

from satyapan.cli.main import main
from satyapan.kinds import Kind, Registry
from satyapan.kinds.json_schema import request_schema, result_schema

KINDS = tuple(Registry())


def schemas(kind: str) -> Mapping[str, Any]:
    """Return what the command prints."""
    done = CliRunner().invoke(main, ["kinds", kind, "--schema"])
    assert done.exit_code == 0, done.output
    printed: Mapping[str, Any] = json.loads(done.stdout)
    return printed


def accepts(schema: Mapping[str, Any], value: object) -> bool:
    validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True)
    return bool(validator.is_valid(value))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.name))
def test_the_example_of_a_kind_is_valid_by_its_own_schema(kind: Kind) -> None:
    printed = schemas(kind.name)

    for schema in printed.values():
        jsonschema_rs.meta.validate(schema)
    assert accepts(printed["request"], dict(kind.example))
    assert not accepts(printed["request"], {**kind.example, "no_field_of_this_kind": 1})
    for name in printed["request"]["required"]:
        assert not accepts(printed["request"], {k: v for k, v in kind.example.items() if k != name})


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("passport", {"dob": "01-03-2007"}),
        ("passport", {"dob": None}),
        ("passport", {"file_number": ""}),
        ("passport", {"file_number": "x" * 201}),
        ("digilocker", {"document_requested": []}),
        ("digilocker", {"document_requested": ["PAN", "PAN"]}),
        ("digilocker", {"document_requested": ["VOTER_ID"]}),
        ("digilocker", {"user_flow": "login"}),
        ("static_kyc_link", {"template_name": "my template!"}),
        ("static_kyc_link", {"template_name": "a\n"}),
    ],
)
def test_what_a_field_states_of_its_rule_is_in_the_schema(
    name: str, change: Mapping[str, object]
) -> None:
    kind = Registry()[name]

    assert not accepts(request_schema(kind), {**kind.example, **change})


@pytest.mark.parametrize("field", ["user_flow", "return_url"])
def test_an_optional_field_may_be_null(field: str) -> None:
    kind = Registry()["digilocker"]

    assert accepts(request_schema(kind), {**kind.example, field: None})


def test_private_fields_are_marked() -> None:
    printed = schemas("passport")

    assert printed["request"]["properties"]["dob"] == {
        "description": "a date, YYYY-MM-DD",
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "format": "date",
        "x-private": True,
    }
    assert printed["result"]["properties"]["application_type"] == {"x-private": False}
    assert printed["result"]["properties"]["status"]["enum"] == ["VALID", "INVALID"]
    assert printed["result"]["additionalProperties"] is True


class AnyRequest(Schema):
    """Fields of every type."""

    flag = fields.Boolean(required=True)
    count = fields.Integer(allow_none=True)
    inner = fields.Dict()
    whatever = fields.Raw()


def test_the_types_of_fields_are_those_of_json_schema() -> None:
    kind = Kind("any", "Any", AnyRequest, {}, frozenset(), ())
    properties = request_schema(kind)["properties"]

    assert {name: each.get("type") for name, each in properties.items()} == {
        "flag": "boolean",
        "count": ["integer", "null"],
        "inner": "object",
        "whatever": None,
    }


def test_a_status_that_is_read_elsewhere_restricts_no_field() -> None:
    passport = Registry()["passport"]
    operation = passport.operation("cashfree")
    route = replace(operation.create, status_field=("status", "account_status"))
    kind = replace(passport, operations={"cashfree": replace(operation, create=route)})

    described = result_schema(kind)

    assert described["properties"]["status"] == {"x-private": False}
    assert described["x-statuses"] == passport.labels


def test_the_schema_needs_the_name_of_a_kind() -> None:
    done = CliRunner().invoke(main, ["kinds", "--schema"])

    assert done.exit_code == 2
    assert "--schema needs the NAME" in done.output
