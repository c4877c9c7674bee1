"""What the kinds about places refuse at submit: only what is certain to be refused."""

import pytest

from satyapan.errors import InvalidRequest
from satyapan.kinds.location.geocoding import GEOCODING
from satyapan.kinds.location.ip import IP
from satyapan.kinds.location.reverse_geocoding import REVERSE_GEOCODING


@pytest.mark.parametrize(
    "address", ["1.0.171.255", "010.1.1.1", "2001:db8::1", "::", "::ffff:192.0.2.1"]
)
def test_what_has_the_form_of_an_ip_address_is_accepted(address: str) -> None:
    assert IP.check({"ip_address": address}) == {"ip_address": address}


@pytest.mark.parametrize("address", ["localhost", "1.0.171", "1.0.171.255\n", "१.0.171.255", "db8"])
def test_what_has_not_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        IP.check({"ip_address": address})

    assert [fault.code for fault in caught.value.faults] == ["invalid_ip_address"]


@pytest.mark.parametrize("latitude", ["12.9274477", "-90", "90", "90.0", "+0", "1e1", ".5", "-0"])
def test_a_latitude_in_any_spelling_is_accepted(latitude: str) -> None:
    REVERSE_GEOCODING.check({"latitude": latitude, "longitude": "-180"})


@pytest.mark.parametrize("latitude", ["90.0001", "-91", "nan", "inf", "north", "12,9", "1e400"])
def test_a_latitude_beyond_the_poles_is_refused(latitude: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        REVERSE_GEOCODING.check({"latitude": latitude, "longitude": "180"})

    assert [fault.code for fault in caught.value.faults] == ["latitude_value_invalid"]


def test_an_address_may_be_long() -> None:
    GEOCODING.check({"address": "a" * 1000})
