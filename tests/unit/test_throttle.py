"""At most once in so many seconds, on a clock that the caller passes."""

import pytest

from worker.throttle import Throttle


@pytest.mark.parametrize("now", [0.0, -5.0, 1e9])
def test_what_was_never_done_may_be_done_at_any_time(now: float) -> None:
    throttle = Throttle(10)

    assert throttle.ready(now)
    assert throttle.since(now) == 0


def test_it_is_ready_again_after_its_time() -> None:
    throttle = Throttle(10)
    throttle.done(100)

    assert [throttle.ready(now) for now in (100, 109.9, 110, 111)] == [False, False, True, True]
    assert [throttle.since(now) for now in (100, 109.5)] == [0, 9.5]


def test_asking_changes_nothing() -> None:
    """What failed isn't noted as done, and may be tried again at once."""
    throttle = Throttle(10)

    assert [throttle.ready(now) for now in (0, 1, 2)] == [True, True, True]


def test_each_time_it_is_done_counts_from_then() -> None:
    throttle = Throttle(10)
    throttle.done(0)
    throttle.done(15)

    assert [throttle.ready(now) for now in (20, 25)] == [False, True]
