"""The schemas that are made of excerpts: what they accept, and mistakes are named."""

from typing import Any

import jsonschema_rs
import pytest

from tests.contract.excerpts import Excerpt, PublishedAnswer
from tests.contract.shapes import reply_schema, request_schema

REPLY: dict[str, Any] = {
    "reference_id": "integer",
    "pincode": "string or integer",
    "categories": {"categories": [{"class_of_vehicle": "string"}]},
    "state": [["string"]],
    "challans": "object",
    "more": "any",
}
REQUEST: dict[str, Any] = {
    "pan": {"type": "string", "required": True},
    "consent": {
        "type": "object",
        "required": True,
        "properties": {"obtained": {"type": "boolean", "required": True}},
    },
    "entries": {"type": "array", "items": {"properties": {"pan": {"required": True}}}},
}


def excerpt(reply: Any = REPLY, **body: object) -> Excerpt:
    answers = (PublishedAnswer(name="x", http=200, body=body),)
    return Excerpt(
        name="toy",
        operation="POST /toy",
        request=REQUEST,
        reply=reply,
        example={},
        answers=answers,
    )


def accepts(schema: dict[str, Any], value: object) -> bool:
    return jsonschema_rs.Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("body", "accepted"),
    [
        ({}, True),
        ({"reference_id": 7, "pincode": "560103", "challans": {"a": 1}, "more": None}, True),
        ({"pincode": 560103, "categories": {"categories": [{"class_of_vehicle": "M"}]}}, True),
        ({"categories": {"categories": []}, "state": [["KARNATAKA", "KA"]]}, True),
        ({"reference_id": "7"}, False),
        ({"pincode": 1.5}, False),
        ({"unknown": 1}, False),
        ({"categories": {"category": []}}, False),
        ({"categories": {"categories": {}}}, False),
        ({"categories": {"categories": [{"class_of_vehicle": 1}]}}, False),
        ({"categories": {"categories": [{"class": "M"}]}}, False),
        ({"state": ["KARNATAKA"]}, False),
        ({"challans": []}, False),
    ],
)
def test_a_reply_has_the_documented_fields_and_types(body: dict[str, Any], accepted: bool) -> None:
    assert accepts(reply_schema(excerpt()), body) is accepted


@pytest.mark.parametrize("body", [
    {"pincode": None},
    {"categories": None},
    {"categories": {"categories": [{"class_of_vehicle": None}]}},
])  # fmt: skip
def test_what_is_null_in_a_published_reply_may_be_null(body: dict[str, Any]) -> None:
    assert not accepts(reply_schema(excerpt()), body)
    assert accepts(reply_schema(excerpt(**body)), body)


@pytest.mark.parametrize("wrong", ["text", "string or text", ["string", "string"], 7])
def test_an_unknown_type_is_named(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"toy\.yaml: reply: .* is not a type; write"):
        reply_schema(excerpt({"inner": {"name": wrong}}))


@pytest.mark.parametrize(
    ("request_", "accepted"),
    [
        ({"pan": "A", "consent": {"obtained": True}, "entries": [{"pan": "A"}]}, True),
        ({"pan": "A"}, False),
        ({"pan": "A", "consent": {}}, False),
        ({"pan": "A", "consent": {"obtained": True}, "entries": [{}]}, False),
        ({"pan": "A", "consent": {"obtained": True, "more": 1}}, False),
        ({"pan": "A", "consent": {"obtained": True}, "more": 1}, False),
    ],
)
def test_a_request_has_the_required_fields_at_every_depth(
    request_: dict[str, Any], accepted: bool
) -> None:
    assert accepts(request_schema(excerpt()), request_) is accepted


def test_narrower_rules_replace_those_of_a_field() -> None:
    schema = request_schema(excerpt(), {"pan": {"enum": ["B"]}})

    assert schema["properties"]["pan"] == {"type": "string", "enum": ["B"]}
    assert schema["required"] == ["pan", "consent"]
