"""A kind of verification that this project does not ship: docs/adding-a-kind.md explains it."""

from marshmallow import Schema

from satyapan.kinds.fields import loose, matches, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Reply, Route
from satyapan.records import State

_PAN = matches(
    "[A-Z]{5}[0-9]{4}[A-Z]",
    "pan_value_invalid",
    "pan should be five letters, four digits, one letter.",
)


class Request(Schema):
    """The producer's request; the worker adds the verification_id."""

    pan = text("pan", _PAN, rule="five letters, four digits, one letter")
    name = text("name", required=False)


class Answer(Reply):
    """The vendor's answer: required fields must be there, unnamed fields are dropped."""

    verification_id = loose(required=True)
    reference_id = loose()
    status = loose(required=True)
    registered_name = loose()


TOY = Kind(
    name="pan_toy",
    title="A toy: PAN by number",
    request=Request,
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("pan-toy", "POST", "/toy/pan", Answer, per_minute=50),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
            duplicates=frozenset({(400, "pan_toy_repeated")}),
        )
    },
    public_fields=frozenset(),
    result_fields=("verification_id", "reference_id", "status", "registered_name"),
    labels={"VALID": "the PAN exists", "INVALID": "no such PAN"},
    example={"pan": "ABCPV1234D"},
    lost_answer="fail",
)
