"""Numbers with a wrong check digit: the setting says by kind what `submit` does."""

import logging
from dataclasses import replace

import pytest
from stdnum.in_ import gstin

from satyapan.errors import InvalidRequest
from satyapan.kinds.fields import request, text
from satyapan.kinds.identity.passport import PASSPORT
from satyapan.settings.declaration import SettingsError
from satyapan.settings.producer import read_producer_settings
from satyapan.testing import FakeVerifications

TAXED = replace(
    PASSPORT,
    name="taxed",
    request=request(
        gstin=text(check_digit=gstin.is_valid),
        other_gstin=text(required=False, check_digit=gstin.is_valid),
        name=text(required=False),
    ),
)
RIGHT, WRONG = "29AAICP2912R1ZR", "29AAICP2912R1ZS"


def producer(**check_digits: str) -> FakeVerifications:
    return FakeVerifications(kinds=[f"{__name__}:TAXED"], check_digits=check_digits)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_wrong_check_digit_is_accepted_with_a_warning_that_names_the_field(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        producer().submit("taxed", {"gstin": WRONG, "name": WRONG}, verification_id="order-1")

    assert logged(caplog) == ["taxed order-1: gstin has a wrong check digit."]


@pytest.mark.parametrize("given", [{"gstin": RIGHT}, {"gstin": RIGHT, "other_gstin": None}])
def test_a_right_one_and_one_that_is_absent_raise_no_warning(
    given: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    producer(taxed="refuse").submit("taxed", given, key="a")
    producer().submit("taxed", given, key="a")

    assert logged(caplog) == []


def test_a_kind_that_refuses_names_every_wrong_number_and_stores_nothing() -> None:
    fake = producer(taxed="refuse")

    with pytest.raises(InvalidRequest) as refused:
        fake.submit("taxed", {"gstin": WRONG, "other_gstin": WRONG}, verification_id="order-1")

    codes = [fault.code for fault in refused.value.faults]
    assert codes == ["gstin_check_digit_wrong", "other_gstin_check_digit_wrong"]
    assert WRONG not in str(refused.value)
    assert fake.get("order-1") is None


def test_another_kinds_policy_and_ignore_leave_it_alone(caplog: pytest.LogCaptureFixture) -> None:
    producer(taxed="ignore", passport="refuse").submit("taxed", {"gstin": WRONG}, key="a")

    assert logged(caplog) == []


def test_a_policy_for_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="SATYAPAN_CHECK_DIGITS"):
        producer(taxde="refuse")


def test_a_policy_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingsError, match="SATYAPAN_CHECK_DIGITS"):
        read_producer_settings({"SATYAPAN_CHECK_DIGITS": "gstin=maybe"})
