"""A toy, SYNC with REFERENCE: no id of ours; errors may name a reference to read by."""

from satyapan.kinds.fields import matches, names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_PAN = matches("[A-Z]{5}[0-9]{4}[A-Z]", "{name} should be five letters, four digits, one letter.")

TOY_PAN_CHECK = Kind(
    name="toy_pan_check",
    title="A toy: PAN by number, without an id of ours",
    request=request(pan=text(_PAN), name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REFERENCE,
            create=Route(
                "toy_pan_check",
                "POST",
                "/toy/pan-check",
                per_minute=200,
                id_param="",
                echo_field="",
                echoes=("pan",),
                status_field="valid",
                answers={(422, "failed_at_source"): AnswerMeaning.UNKNOWN},
            ),
            status=Route(
                "toy_pan_check_read",
                "GET",
                "/toy/pan-check/{reference}",
                id_param="",
                echo_field="",
                echoes=("pan", "reference_id"),
                status_field="valid",
                answers={(404, "reference_id_not_found"): AnswerMeaning.MISSING},
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=names("valid type pan_status"),
    result_fields=names(
        "pan type reference_id name_provided registered_name valid message pan_status"
    ),
    labels={"VALID": "the PAN exists", "INVALID": "no such PAN"},
    example={"pan": "ABCPV1234D", "name": "John Doe"},
)
