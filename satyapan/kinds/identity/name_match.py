"""Name match: how much two names are alike.

Source: the vendor's Name Match page. One synchronous, paid call whose answer can't be read again. A
repeat with the same id is refused, so it is safe but shows no result.

SUCCESS says only that the names were compared. `score` is the result, from 0 (different) to 1
(identical); `reason` says in words what differs. The page's examples call 0.85 a good, 0.7 a
moderate, 0.38 a poor match and 0.14 none; where one band ends isn't published.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

_NAME = text(empty="{name} is not allowed to be empty.")

NAME_MATCH = Kind(
    name="name_match",
    title="How much two names are alike",
    request=request(name_1=_NAME, name_2=_NAME),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("name_match", "POST", "/name-match", answers=REPEATED_ID),
            status_map={"SUCCESS": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names("verification_id reference_id name_1 name_2 status score reason"),
    labels={"SUCCESS": "the names were compared: see score and reason"},
    example={"name_1": "JOHN DOE", "name_2": "JOHN DOE"},
)
