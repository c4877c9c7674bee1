"""PAN to GSTIN: the GSTINs that are registered under a PAN.

Source: the vendor's PAN to GSTIN page. One synchronous, paid call whose answer can't be read again.
A repeat with the same id is refused, so it is safe but shows no result.

`gstin_list` has a `gstin`, its `status` and its `state` for each; a GSTIN may be inactive. The
vendor's example of an empty list spells it `gstinList`: go by the status.
"""

from satyapan.kinds.fields import names, request
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

PAN_GSTIN = Kind(
    name="pan_gstin",
    title="GSTINs that are registered under a PAN",
    request=request(pan=PAN_NUMBER),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("pan_gstin", "POST", "/pan-gstin", answers=REPEATED_ID),
            status_map={"SUCCESS": State.DONE, "GSTIN_NOT_FOUND": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names("reference_id verification_id status pan gstin_list gstinList"),
    labels={
        "SUCCESS": "there are GSTINs: see gstin_list",
        "GSTIN_NOT_FOUND": "no GSTIN is registered under this PAN",
    },
    example={"pan": "AZJPG7110R"},
)
