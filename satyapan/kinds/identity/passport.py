"""Passport: one synchronous, paid call whose answer can't be read again.

Source: the vendor's Verify Passport page. A repeat with the same id is refused, so it is safe but
shows no result. There is no pattern for file numbers; an INVALID answer has null fields.
"""

from marshmallow import Schema

from satyapan.kinds.fields import day, loose, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Reply, Route
from satyapan.records import State

_DATE = day("dob_value_invalid", "dob should be of type YYYY-MM-DD.")


class PassportRequest(Schema):
    """The request."""

    file_number = text("file_number")
    dob = text("dob", _DATE, rule="a date, YYYY-MM-DD")
    name = text("name", required=False)


class PassportReply(Reply):
    """The vendor's answer; on INVALID the last four fields are null."""

    verification_id = loose(required=True)
    reference_id = loose(required=True)
    status = loose(required=True)
    file_number = loose()
    name = loose()
    dob = loose()
    application_type = loose()
    application_received_date = loose()


PASSPORT = Kind(
    name="passport",
    title="Indian passport by application file number",
    request=PassportRequest,
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("passport", "POST", "/passport", PassportReply),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
            duplicates=frozenset({(409, "verification_id_already_exists")}),
        )
    },
    public_fields=frozenset({"application_type", "application_received_date"}),
    result_fields=(
        "verification_id",
        "reference_id",
        "status",
        "file_number",
        "name",
        "dob",
        "application_type",
        "application_received_date",
    ),
    labels={"VALID": "the passport exists", "INVALID": "no such passport"},
    example={"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"},
)
