"""An action may run at most once per interval, on a clock that the caller passes."""

import pytest

from worker.throttle import Throttle


@pytest.mark.parametrize("now", [0.0, -5.0, 1e9])
def test_an_action_that_never_ran_is_ready_at_any_time(now: float) -> None:
    throttle = Throttle(10)

    assert throttle.ready(now)
    assert throttle.since(now) == 0


def test_an_action_is_ready_again_after_the_interval() -> None:
    throttle = Throttle(10)
    throttle.done(100)

    assert [throttle.ready(now) for now in (100, 109.9, 110, 111)] == [False, False, True, True]
    assert [throttle.since(now) for now in (100, 109.5)] == [0, 9.5]


def test_a_check_does_not_count_as_a_run() -> None:
    """An action that failed isn't recorded, and may be retried at once."""
    throttle = Throttle(10)

    assert [throttle.ready(now) for now in (0, 1, 2)] == [True, True, True]


def test_the_interval_starts_at_the_latest_run() -> None:
    throttle = Throttle(10)
    throttle.done(0)
    throttle.done(15)

    assert [throttle.ready(now) for now in (20, 25)] == [False, True]
