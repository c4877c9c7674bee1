"""Many PANs in one call: whether each exists, and the name that the tax department has for it.

Source: the vendor's pages Verify PAN in Bulk and its Get Status. The vendor works on after the
call; a read has no entries until then. PROCESSED is the answer: `valid` and `pan_status` of each
entry are those of `pan`. Entries have the order in which the vendor lists them, so compare `pan`.

No page documents that a repeat with the same id is refused, nor how an unknown id is answered. So
the call is never repeated: after a lost answer the status is read by our id until the deadline, and
then the verification is parked for a person. The same entries under two keys are paid for twice.

A batch has two entries at least; an older page says one. No page says how many it may have. What
fits into a request is about 3,300 entries with names; one source knows of a limit of 100 at the
vendor, who would refuse more unpaid. `name` is optional by the page's text and required by its
schema. The ids in a reply may be numbers or texts.
"""

from satyapan.kinds.entry_fields import Bound, entries
from satyapan.kinds.entry_statuses import PROCESSED, PROCESSING, EntryStatuses
from satyapan.kinds.fields import names, nested, request, text
from satyapan.kinds.model import WORD_ID, Kind, Mode, Operation, Recovery, RefusedField, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

_ENTRY = nested("a PAN, and maybe a name", pan=PAN_NUMBER, name=text(required=False))
_LEAST = Bound(2, "invalid_request", "Please provide atleast one entry for verification")

PAN_BATCH = Kind(
    name="pan_batch",
    title="PANs in one call, and whose they are",
    request=request(entries=entries(_ENTRY, least=_LEAST, rule="a list of two entries or more")),
    operations={
        "cashfree": Operation(
            mode=Mode.ASYNC,
            recovery=Recovery.READ,
            create=Route(
                "pan_batch",
                "POST",
                "/pan/bulk",
                per_minute=5,
                id_param="bulk_verification_id",
                echo_field="",
                implied_status=("reference_id", PROCESSING),
                answers={(400, "invalid_request"): RefusedField("entries")},
            ),
            status=Route(
                "pan_batch_read",
                "GET",
                "/pan/bulk",
                id_param="bulk_verification_id",
                # The page's schema requires both ids, its text either.
                reference_param="reference_id",
                echo_field="bulk_verification_id",
                entry_statuses=EntryStatuses("valid", {"VALID": State.DONE, "INVALID": State.DONE}),
            ),
            status_map={PROCESSING: State.PENDING, PROCESSED: State.DONE},
            id_pattern=WORD_ID,
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "bulk_verification_id reference_id count message entries entries[].pan entries[].type"
        " entries[].reference_id entries[].name_provided entries[].registered_name entries[].valid"
        " entries[].father_name entries[].message entries[].name_match_score"
        " entries[].name_match_result entries[].aadhaar_seeding_status entries[].last_updated_at"
        " entries[].name_pan_card entries[].pan_status entries[].aadhaar_seeding_status_desc"
    ),
    labels={
        PROCESSING: "accepted: the vendor is verifying the entries",
        PROCESSED: "each entry has its answer",
    },
    example={
        "entries": [{"pan": "ABCPV1234D", "name": "JOHN DOE"}, {"pan": "DEFPV0126D"}],
    },
)
