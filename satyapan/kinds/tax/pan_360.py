"""PAN 360: a PAN with name, date of birth, address and contacts of its holder.

Source: the vendor's PAN 360 page (`/pan/advance`). One synchronous, paid call whose answer can't be
read again. A repeat with the same id is refused, so it is safe but shows no result.

Most answers lack address, email and mobile number: the vendor has them for fewer than half of all
holders. An INVALID answer has none of the fields about the holder. `date_of_birth` is written day
first; its separators differ between the vendor's pages (27-10-2004, 27/10/2004).
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import AnswerMeaning, Kind, Mode, Operation, Recovery, Route
from satyapan.kinds.tax.pan_number import PAN_NUMBER
from satyapan.records import State

PAN_360 = Kind(
    name="pan_360",
    title="PAN with all that the tax department knows of its holder",
    request=request(pan=PAN_NUMBER, name=text(required=False)),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route(
                "pan_360",
                "POST",
                "/pan/advance",
                answers={(409, "invalid_verification_id"): AnswerMeaning.DUPLICATE},
            ),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
            # A mobile number with its country code has twelve digits, as an Aadhaar number has.
            unmasked_fields=frozenset({"mobile_number"}),
        )
    },
    public_fields=names("type aadhaar_linked"),
    result_fields=names(
        "reference_id verification_id status message pan name_provided registered_name"
        " name_pan_card first_name last_name type gender date_of_birth masked_aadhaar_number"
        " email mobile_number aadhaar_linked address"
    ),
    labels={"VALID": "the PAN exists", "INVALID": "no such PAN"},
    example={"pan": "AZJPG7110R", "name": "JOHN SNOW"},
)
