"""Refused requests are counted for each sender, forgotten over time, and bounded in memory."""

import pytest

from callbacks.webhooks import sender_limits
from callbacks.webhooks.sender_limits import SenderLimits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def exhausted(per_minute: int, clock: Clock, address: str = "203.0.113.7") -> SenderLimits:
    """Return limits that an address has reached."""
    limits = SenderLimits([], per_minute, clock)
    for _ in range(per_minute):
        limits.count_refusal(address)
    return limits


def test_a_wait_ends_as_time_passes() -> None:
    clock = Clock()
    limits = exhausted(60, clock)

    waits = limits.wait_s("203.0.113.7")
    clock.now += 1

    assert waits == 1.0
    assert limits.wait_s("203.0.113.7") == 0


def test_an_allowance_never_grows_beyond_that_of_a_minute() -> None:
    clock = Clock()
    limits = exhausted(2, clock)
    clock.now += 3600

    limits.count_refusal("203.0.113.7")
    limits.count_refusal("203.0.113.7")

    assert limits.wait_s("203.0.113.7") > 0


def test_zero_means_no_limit() -> None:
    limits = SenderLimits([], 0, Clock())

    for _ in range(100):
        limits.count_refusal("203.0.113.7")

    assert limits.wait_s("203.0.113.7") == 0


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("203.0.113.7", "::ffff:203.0.113.7"),
        ("", "nonsense"),
    ],
)
def test_addresses_of_one_customer_share_a_limit(address: str, same: str) -> None:
    limits = exhausted(1, Clock(), address)

    assert limits.wait_s(same) > 0
    assert limits.wait_s("198.51.100.1") == 0
    assert limits.wait_s("2001:db8:1:3::1") == 0


def test_the_number_of_remembered_senders_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_limits, "MAX_SENDERS", 3)
    limits = SenderLimits([], 1, Clock())

    for last in range(10):
        limits.count_refusal(f"203.0.113.{last}")

    waits = [limits.wait_s(f"203.0.113.{last}") > 0 for last in range(10)]
    assert waits == [False] * 7 + [True] * 3


def test_the_allow_list_compares_addresses_not_texts() -> None:
    limits = SenderLimits(["10.0.0.1"], 0)

    assert limits.allows("10.0.0.1")
    assert not limits.allows("10.0.0.11")
    assert not limits.allows(None)
    assert SenderLimits([], 0).allows(None)
