"""Redis' clock is compared with a monotonic clock: jumps are noticed, slow replies are not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.admission.redis_clock import TOLERANCE_MS, Jump, RedisClock

AHEAD_MS = 1_700_000_000_000


class SimulatedRedis:
    """A Redis whose clock is `ahead` of ours, read over a slow connection (all in ms)."""

    def __init__(self) -> None:
        self.clock = RedisClock()
        self.now = 1_000.0
        self.ahead = float(AHEAD_MS)

    def read(self, there: float = 0.2, back: float = 0.2) -> Jump | None:
        asked = self.now
        redis_ms = int(self.now + there + self.ahead)
        self.now += there + back
        return self.clock.read(redis_ms, asked / 1000, self.now / 1000)


def test_the_first_reading_shows_no_jump() -> None:
    assert SimulatedRedis().read() is None


@pytest.mark.parametrize("jump", [1_000, 65_000, 86_400_000])
def test_a_jump_forward_is_noticed_once(jump: int) -> None:
    server = SimulatedRedis()
    server.read()
    server.now += 800
    server.ahead += jump

    noticed = server.read()

    assert noticed is not None
    assert abs(noticed.ms - jump) <= 3
    assert noticed.within_ms == pytest.approx(800, abs=2)
    server.clock.confirm()
    assert server.read() is None


def test_a_backward_jump_is_accepted_and_a_later_forward_jump_is_noticed() -> None:
    server = SimulatedRedis()
    server.read()
    server.ahead -= 600_000
    back = server.read()
    server.ahead += 65_000

    noticed = server.read()

    assert back is None
    assert noticed is not None
    assert abs(noticed.ms - 65_000) <= 3


def test_a_slow_reply_is_no_jump_and_hides_none() -> None:
    server = SimulatedRedis()
    server.read()

    assert server.read(there=30_000) is None
    assert server.read(back=30_000) is None
    server.ahead += 2_000
    assert server.read() is not None


def test_a_jump_before_a_slow_reply_is_noticed_by_the_next_reading() -> None:
    server = SimulatedRedis()
    server.read()
    server.ahead += 5_000
    slow = server.read(back=20_000)  # the clock may have been read long before the reply arrived

    assert slow is None
    assert server.read() is not None


def test_a_jump_is_noticed_again_until_it_is_confirmed() -> None:
    server = SimulatedRedis()
    server.read()
    server.ahead += 65_000
    first = server.read()
    server.now += 3_000

    again = server.read()

    assert first is not None
    assert again is not None
    assert again.ms == first.ms
    assert again.within_ms >= first.within_ms + 3_000
    server.clock.confirm()
    assert server.read() is None


@pytest.mark.parametrize("step", [2, 20, 83, 240])
def test_small_steps_forward_add_up_to_a_jump(step: int) -> None:
    server, noticed = SimulatedRedis(), 0
    for _ in range(600):
        server.now += 1_000
        server.ahead += step
        if jump := server.read():
            noticed += jump.ms
            server.clock.confirm()

    assert noticed >= 0.95 * 600 * (step - 1) - TOLERANCE_MS - step


@given(st.integers(0, 2**32))
def test_without_a_jump_none_is_noticed(seed: int) -> None:
    rng, server = random.Random(seed), SimulatedRedis()
    for _ in range(200):
        there = rng.choice([0.1, 1, 50, 5_000]) * rng.random()
        assert server.read(there, rng.choice([0.1, 1, 50, 5_000]) * rng.random()) is None
        passed = rng.choice([0, 10, 1_000, 60_000])
        server.now += passed
        server.ahead += passed * rng.uniform(-0.0005, 0.0005)


@given(st.integers(0, 2**32))
def test_a_jump_is_noticed_by_a_fast_reading_after_fast_ones(seed: int) -> None:
    rng, server = random.Random(seed), SimulatedRedis()
    for _ in range(20):
        server.read(rng.random(), rng.random())
        server.now += 1_000 * rng.random()
    server.ahead += TOLERANCE_MS + 5

    assert server.read(rng.random(), rng.random()) is not None
