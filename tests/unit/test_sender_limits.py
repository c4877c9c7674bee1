"""Refusals are counted by customer, refilled with time, and bounded in memory."""

import pytest

from callbacks.webhooks import sender_limits
from callbacks.webhooks.sender_limits import SenderLimits


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def spent(per_minute: int, clock: Clock, address: str = "203.0.113.7") -> SenderLimits:
    """Return limits under which an address has used up its refusals."""
    found = SenderLimits([], per_minute, clock)
    for _ in range(per_minute):
        found.count_refusal(address)
    return found


def test_a_wait_ends_as_time_passes() -> None:
    clock = Clock()
    found = spent(60, clock)

    waits = found.wait_s("203.0.113.7")
    clock.now += 1

    assert waits == 1.0
    assert found.wait_s("203.0.113.7") == 0


def test_time_never_saves_up_more_than_a_minute() -> None:
    clock = Clock()
    found = spent(2, clock)
    clock.now += 3600

    found.count_refusal("203.0.113.7")
    found.count_refusal("203.0.113.7")

    assert found.wait_s("203.0.113.7") > 0


def test_zero_means_no_limit() -> None:
    found = SenderLimits([], 0, Clock())

    for _ in range(100):
        found.count_refusal("203.0.113.7")

    assert found.wait_s("203.0.113.7") == 0


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),
        ("203.0.113.7", "::ffff:203.0.113.7"),
        ("", "nonsense"),
    ],
)
def test_one_customer_has_one_account(address: str, same: str) -> None:
    found = spent(1, Clock(), address)

    assert found.wait_s(same) > 0
    assert found.wait_s("198.51.100.1") == 0
    assert found.wait_s("2001:db8:1:3::1") == 0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_limits, "MAX_SENDERS", 3)
    found = SenderLimits([], 1, Clock())

    for last in range(10):
        found.count_refusal(f"203.0.113.{last}")

    assert [found.wait_s(f"203.0.113.{last}") > 0 for last in range(10)] == [False] * 7 + [True] * 3


def test_an_address_is_judged_as_an_address_not_as_a_text() -> None:
    found = SenderLimits(["10.0.0.1"], 0)

    assert found.allows("10.0.0.1")
    assert not found.allows("10.0.0.11")
    assert not found.allows(None)
    assert SenderLimits([], 0).allows(None)
