"""Reverse geocoding: the address of a point. One synchronous, paid call.

Source: the vendor's Reverse Geocoding page. The answer can't be read again. A repeat with the same
id is refused, so it is safe but shows no result. Latitude and longitude are texts. `score`, from 0
to 1, is only in the older page. VALID is the only status that the page shows.
"""

from satyapan.kinds.fields import Stated, names, request, text
from satyapan.kinds.model import REPEATED_ID, Kind, Mode, Operation, Recovery, Route
from satyapan.records import State


def _degrees(most: int) -> Stated:
    """Refuse what is not a number, or beyond `most` degrees."""

    def accepts(value: str) -> bool:
        try:
            return -most <= float(value) <= most
        except ValueError:
            return False

    return Stated(accepts, f"{{name}} value should range from -{most} to {most}", {})


REVERSE_GEOCODING = Kind(
    name="reverse_geocoding",
    title="The address of a point",
    request=request(
        latitude=text(_degrees(90), rule="degrees from -90 to 90, as text"),
        longitude=text(_degrees(180), rule="degrees from -180 to 180, as text"),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.REPEAT,
            create=Route("reverse_geocoding", "POST", "/reverse-geocoding", answers=REPEATED_ID),
            status_map={"VALID": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "verification_id reference_id status latitude longitude address city state statecode"
        " countrycode pincode score"
    ),
    labels={"VALID": "the point has an address"},
    example={"latitude": "12.9274477", "longitude": "77.6326542"},
)
