"""The limiter at random: against its promise, and against the moving window of `limits`."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
import redis
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from tests.support.admission_simulator import (
    HORIZON,
    KEYS,
    LIMITER,
    MARGIN,
    ROUTE,
    SPAN,
    START,
    WINDOW,
    Simulator,
)
from worker.admission.limiter import Admitted, NotYet


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


@dataclass(frozen=True)
class Step:
    """What happens next: time passes, and somebody comes, or the vendor says something."""

    passes: int
    who: int
    what: str
    limit: int


whats = ["come"] * 12 + ["deal"] * 4 + ["limit", "learn", "hold"]
steps = st.builds(
    Step,
    passes=st.sampled_from([0, 0, 1, MARGIN, HORIZON, SPAN - 1, SPAN]) | st.integers(0, WINDOW),
    who=st.integers(0, 5),
    what=st.sampled_from(whats),
    limit=st.integers(1, 4),
)


def play(simulator: Simulator, step: Step) -> None:
    simulator.now += step.passes
    if step.what == "come":
        simulator.ask(str(step.who))
    elif step.what == "deal":
        simulator.limiter.deal()
        for raw in simulator.client.zrangebyscore(KEYS.due, 0, simulator.now):
            simulator.ask(raw.decode())
    elif step.what == "limit":
        simulator.limit = step.limit
    elif step.what == "learn":
        simulator.limiter.learn("main", ROUTE, step.limit)
    else:
        simulator.limiter.hold("main", ROUTE, step.passes / 1000)


@given(limit=st.integers(1, 4), played=st.lists(steps, min_size=5, max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_sliding_window_ever_sees_more_than_the_limit(
    client: redis.Redis, limit: int, played: list[Step]
) -> None:
    client.flushall()
    simulator = Simulator(client, limit=limit)
    for step in played:
        known = len(simulator.sent)

        play(simulator, step)

        # Judged by the limit of its time: no window that ends with this call may hold more.
        for end, _ in simulator.sent[known:]:
            inside = [time for time, _ in simulator.sent if end - WINDOW <= time <= end]
            assert len(inside) <= simulator.limit


@given(
    limit=st.integers(1, 5),
    margin=st.sampled_from([0, MARGIN]),
    moves=st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=5, max_size=60),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_it_lets_through_what_the_moving_window_of_limits_lets_through(
    client: redis.Redis, limit: int, margin: int, moves: list[tuple[int, bool]]
) -> None:
    client.flushall()
    simulator = Simulator(client, limit, replace(LIMITER, margin=margin))
    item = RateLimitItemPerSecond(limit)
    with time_machine.travel(START / 1000, tick=False) as clock:
        oracle = MovingWindowRateLimiter(MemoryStorage())
        for n, (passes, new) in enumerate(moves):
            simulator.now += passes
            clock.move_to(simulator.now / 1000)
            known, free = len(simulator.sent), oracle.test(item)
            idle = not client.exists(KEYS.reservations("main", ROUTE), KEYS.queues)

            if new:
                answer = simulator.ask(str(n))
                # With no margin, and nobody before it, whoever finds room goes at once; at the very
                # edge of a window the limiter is one millisecond more careful.
                edge = isinstance(answer, NotYet) and answer.until_ms - simulator.now <= 1
                assert margin or not idle or edge or isinstance(answer, Admitted) == free
            else:
                simulator.limiter.deal()
                for raw in simulator.client.zrangebyscore(KEYS.due, 0, simulator.now):
                    simulator.ask(raw.decode())

            assert all(oracle.hit(item) for _ in simulator.sent[known:])
