"""Readings of Redis' clock against one that never jumps: what is a jump, and what is only slow."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.admission.redis_clock import TOLERANCE_MS, Jump, RedisClock

AHEAD_MS = 1_700_000_000_000


class Bench:
    """A Redis whose clock is `ahead` of ours, asked over a line with delays (all ms)."""

    def __init__(self) -> None:
        self.clock = RedisClock()
        self.now = 1_000.0
        self.ahead = float(AHEAD_MS)

    def read(self, there: float = 0.2, back: float = 0.2) -> Jump | None:
        asked = self.now
        redis_ms = int(self.now + there + self.ahead)
        self.now += there + back
        return self.clock.read(redis_ms, asked / 1000, self.now / 1000)


def test_the_first_reading_tells_nothing() -> None:
    assert Bench().read() is None


@pytest.mark.parametrize("jump", [1_000, 65_000, 86_400_000])
def test_a_jump_forward_is_noticed_once(jump: int) -> None:
    bench = Bench()
    bench.read()
    bench.now += 800
    bench.ahead += jump

    noticed = bench.read()

    assert noticed is not None
    assert abs(noticed.ms - jump) <= 3
    assert noticed.within_ms == pytest.approx(800, abs=2)
    bench.clock.confirm()
    assert bench.read() is None


def test_a_jump_back_is_taken_over_and_one_forward_after_it_is_noticed() -> None:
    bench = Bench()
    bench.read()
    bench.ahead -= 600_000
    back = bench.read()
    bench.ahead += 65_000

    noticed = bench.read()

    assert back is None
    assert noticed is not None
    assert abs(noticed.ms - 65_000) <= 3


def test_a_slow_line_is_no_jump_and_hides_none() -> None:
    bench = Bench()
    bench.read()

    assert bench.read(there=30_000) is None
    assert bench.read(back=30_000) is None
    bench.ahead += 2_000
    assert bench.read() is not None


def test_a_jump_within_a_slow_line_is_noticed_by_the_next_reading() -> None:
    bench = Bench()
    bench.read()
    bench.ahead += 5_000
    slow = bench.read(back=20_000)  # it may have been read long before the reply came

    assert slow is None
    assert bench.read() is not None


def test_a_jump_is_noticed_again_until_it_is_confirmed() -> None:
    bench = Bench()
    bench.read()
    bench.ahead += 65_000
    first = bench.read()
    bench.now += 3_000

    again = bench.read()

    assert first is not None
    assert again is not None
    assert again.ms == first.ms
    assert again.within_ms >= first.within_ms + 3_000
    bench.clock.confirm()
    assert bench.read() is None


@pytest.mark.parametrize("step", [2, 20, 83, 240])
def test_small_steps_forward_add_up_to_a_jump(step: int) -> None:
    bench, noticed = Bench(), 0
    for _ in range(600):
        bench.now += 1_000
        bench.ahead += step
        if jump := bench.read():
            noticed += jump.ms
            bench.clock.confirm()

    assert noticed >= 0.95 * 600 * (step - 1) - TOLERANCE_MS - step


@given(st.integers(0, 2**32))
def test_without_a_jump_none_is_ever_noticed(seed: int) -> None:
    dice, bench = random.Random(seed), Bench()
    for _ in range(200):
        there = dice.choice([0.1, 1, 50, 5_000]) * dice.random()
        assert bench.read(there, dice.choice([0.1, 1, 50, 5_000]) * dice.random()) is None
        passed = dice.choice([0, 10, 1_000, 60_000])
        bench.now += passed
        bench.ahead += passed * dice.uniform(-0.0005, 0.0005)


@given(st.integers(0, 2**32))
def test_a_jump_is_noticed_by_a_prompt_reading_after_prompt_ones(seed: int) -> None:
    dice, bench = random.Random(seed), Bench()
    for _ in range(20):
        bench.read(dice.random(), dice.random())
        bench.now += 1_000 * dice.random()
    bench.ahead += TOLERANCE_MS + 5

    assert bench.read(dice.random(), dice.random()) is not None
