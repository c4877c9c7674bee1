"""Geocoding: the point of an address, and how far it is from another point. Synchronous, paid.

Source: the vendor's Geocoding page. It doesn't say what a repeated id is answered, and there is no
read, so a verification whose answer was lost is parked for a person: a repeat could be paid twice.
The call needs the header x-api-version, which is sent unless its setting is empty.

Latitude, longitude and `distance_in_kms` are texts. Those of the request are the point from which
the distance is measured, and are repeated; the address's own are `geo_latitude`, `geo_longitude`.
"""

from satyapan.kinds.fields import names, request, text
from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Route
from satyapan.records import State

GEOCODING = Kind(
    name="geocoding",
    title="The point of an address",
    request=request(
        address=text(length=1000),
        country_code=text(required=False),
        latitude=text(required=False),
        longitude=text(required=False),
    ),
    operations={
        "cashfree": Operation(
            mode=Mode.SYNC,
            recovery=Recovery.NONE,
            create=Route("geocoding", "POST", "/geocoding"),
            status_map={"VALID": State.DONE, "INVALID": State.DONE},
        )
    },
    public_fields=frozenset(),
    result_fields=names(
        "reference_id verification_id status address latitude longitude country_code geo_latitude"
        " geo_longitude geo_country_code city state state_code country pincode distance_in_kms"
    ),
    labels={"VALID": "the address was found", "INVALID": "the address was not found"},
    example={
        "address": "123 ABC Apartment,Bangalore Karnataka - 560034",
        "country_code": "IN",
        "latitude": "12.9274477",
        "longitude": "77.6326542",
    },
)
