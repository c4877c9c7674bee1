"""The limiter under random input: it keeps its promise and agrees with the `limits` library."""

from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class Step:
    """Time passes; then a row asks for a call, slots are dealt, or a limit or a hold changes."""

    passes: int
    row: int
    action: str
    limit: int


ACTIONS = ["ask"] * 12 + ["deal"] * 4 + ["limit", "learn", "hold"]
STEPS = st.builds(
    Step,
    passes=st.sampled_from([0, 0, 1, MARGIN, HORIZON, SPAN - 1, SPAN]) | st.integers(0, WINDOW),
    row=st.integers(0, 5),
    action=st.sampled_from(ACTIONS),
    limit=st.integers(1, 4),
)


def take_step(simulator: Simulator, step: Step) -> None:
    simulator.now += step.passes
    if step.action == "ask":
        simulator.ask(str(step.row))
    elif step.action == "deal":
        simulator.limiter.deal()
        for raw in simulator.client.zrangebyscore(KEYS.due, 0, simulator.now):
            simulator.ask(raw.decode())
    elif step.action == "limit":
        simulator.limit = step.limit
    elif step.action == "learn":
        simulator.limiter.learn("main", ROUTE, step.limit)
    else:
        simulator.limiter.hold("main", ROUTE, step.passes / 1000)


@given(limit=st.integers(1, 4), steps=st.lists(STEPS, min_size=5, max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_sliding_window_ever_sees_more_than_the_limit(
    client: redis.Redis, limit: int, steps: list[Step]
) -> None:
    client.flushall()
    simulator = Simulator(client, limit=limit)
    for step in steps:
        known = len(simulator.sent)

        take_step(simulator, step)

        # Judged by the limit at that time: no window that ends with this call may hold more.
        for end, _ in simulator.sent[known:]:
            inside = [time for time, _ in simulator.sent if end - WINDOW <= time <= end]
            assert len(inside) <= simulator.limit


@given(
    limit=st.integers(1, 5),
    margin=st.sampled_from([0, MARGIN]),
    moves=st.lists(st.tuples(st.integers(0, 400), st.booleans()), min_size=5, max_size=60),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_it_admits_the_calls_that_the_moving_window_of_limits_admits(
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
                # With no margin and an empty queue, a row is admitted at once if there is room. At
                # the very edge of a window the limiter is one millisecond stricter.
                edge = isinstance(answer, NotYet) and answer.until_ms - simulator.now <= 1
                assert margin or not idle or edge or isinstance(answer, Admitted) == free
            else:
                simulator.limiter.deal()
                for raw in simulator.client.zrangebyscore(KEYS.due, 0, simulator.now):
                    simulator.ask(raw.decode())

            assert all(oracle.hit(item) for _ in simulator.sent[known:])
