"""A kind of verification that this project does not ship: docs/adding-a-kind.md explains it."""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_PAN = matches("[A-Z]{5}[0-9]{4}[A-Z]", "{name} should be five letters, four digits, one letter.")

TOY_PAN = Kind(
    name="toy_pan",
    title="A toy: PAN by number",
    request=request(
        pan=text(_PAN, rule="five letters, four digits, one letter"), name=text(required=False)
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "toy_pan",
                "POST",
                "/toy/pan",
                per_minute=50,
                answers={(400, "pan_toy_repeated"): AnswerMeaning.DUPLICATE},
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names("verification_id reference_id status registered_name"),
    labels={"VALID": "the PAN exists", "INVALID": "no such PAN"},
    example={"pan": "ABCPV1234D"},
    lost_answer="fail",
)
