"""Who waits for the quota gets it in turn: producers among themselves, and high before normal."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.admission_simulator import HORIZON, KEYS, ROUTE, SPAN, Simulator
from worker.rules.lane import Lane


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def simulator(client: redis.Redis) -> Simulator:
    return Simulator(client, limit=10).fill_window()


def test_inside_a_producer_who_came_first_goes_first(simulator: Simulator) -> None:
    names = [f"{n:02}" for n in range(25)]
    for name in reversed(names):
        simulator.ask(name)

    assert simulator.run_for(4 * SPAN) == names[::-1]


def test_a_backlog_does_not_hold_up_another_producers_call(simulator: Simulator) -> None:
    for n in range(1000):
        simulator.ask(f"backlog-{n}", "big")
    simulator.run_for(2 * SPAN + SPAN // 2)

    simulator.ask("single", "small")

    assert "single" in simulator.run_for(HORIZON + SPAN // 2)


def test_producers_take_turns_also_those_who_come_later(simulator: Simulator) -> None:
    for n in range(40):
        simulator.ask(f"a{n}", "a")
    simulator.run_for(2 * SPAN)
    for n in range(10):
        simulator.ask(f"b{n}", "b")
        simulator.ask(f"c{n}", "c")
    simulator.run_for(HORIZON + 100)

    called = "".join(name[0] for name in simulator.run_for(3 * SPAN))

    turns = called[: called.rindex("b")]
    assert all(len(set(turns[n : n + 3])) == 3 for n in range(0, len(turns) - 2, 3)), called


def test_a_producer_that_was_away_has_saved_up_nothing(simulator: Simulator) -> None:
    simulator.ask("b-first", "b")
    for n in range(60):
        simulator.ask(f"a{n}", "a")
    simulator.run_for(4 * SPAN)

    for n in range(20):
        simulator.ask(f"b{n}", "b")
    simulator.run_for(HORIZON + 100)
    called = [name[0] for name in simulator.run_for(SPAN)]

    assert called.count("a") >= len(called) // 2 - 1


def test_of_four_slots_three_are_high_while_both_wait(simulator: Simulator) -> None:
    for n in range(40):
        simulator.ask(f"normal-{n}")
        simulator.ask(f"high-{n}", lane=Lane.HIGH)

    called = "".join(name[0] for name in simulator.run_for(4 * SPAN))

    assert called.startswith("hhhn" * 7), called


def test_a_high_call_passes_a_normal_backlog_of_its_own_producer(simulator: Simulator) -> None:
    for n in range(100):
        simulator.ask(f"normal-{n}")
    simulator.run_for(SPAN + SPAN // 2)

    simulator.ask("urgent", lane=Lane.HIGH)

    simulator.run_for(HORIZON + SPAN // 2)
    assert "urgent" in {name for _, name in simulator.sent}


def test_the_high_lane_alone_gets_all(simulator: Simulator) -> None:
    for n in range(20):
        simulator.ask(f"high-{n}", lane=Lane.HIGH)

    assert len(simulator.run_for(3 * SPAN)) == 20


def test_two_who_deal_at_once_deal_each_slot_once(simulator: Simulator) -> None:
    for n in range(20):
        simulator.ask(f"a{n}")
    simulator.now += SPAN

    once = simulator.dealt()

    assert simulator.dealt() == once
    slots = [simulator.slot(name) for name in once]
    assert all(first < second for first, second in pairwise(slots))


def test_rows_that_ended_in_front_of_a_lane_hold_nobody_up(simulator: Simulator) -> None:
    """Thousands can end at once, when their deadline passes."""
    ended = backlog_that_ends(simulator, 900)
    simulator.ask("alive")
    for name in ended:
        simulator.set_due(name, 0)
    simulator.now += SPAN

    assert simulator.dealt() == ["alive"]


def test_one_script_removes_about_a_thousand_rows_that_ended(simulator: Simulator) -> None:
    ended = backlog_that_ends(simulator, 3000)
    simulator.ask("alive")
    for name in ended:
        simulator.set_due(name, 0)
    simulator.now += SPAN
    lane, left = KEYS.queue("main", ROUTE, "normal"), [3001]

    while not simulator.dealt():
        left.append(simulator.client.zcard(lane))

    assert left == [3001, 3001 - 1024, 3001 - 2 * 1024]


def backlog_that_ends(simulator: Simulator, count: int) -> list[str]:
    """Let so many wait who will have ended when they are dealt to."""
    names = [f"a{n}" for n in range(count)]
    for name in names:
        simulator.ask(name)
    return names


@pytest.mark.parametrize("late", [0, 30, 120])
def test_a_backlog_uses_nearly_all_of_the_quota(simulator: Simulator, late: int) -> None:
    for n in range(200):
        simulator.ask(f"a{n}", f"producer-{n % 3}")

    simulator.run_for(10 * SPAN, late)

    # Up to a quarter of the margin late costs nothing; later ones push successors by the rest.
    assert len(simulator.sent) >= {0: 100, 30: 99, 120: 90}[late]
    assert simulator.most_in_a_window() == 10


@given(
    limit=st.integers(1, 6),
    arrivals=st.lists(
        st.tuples(
            st.integers(0, 300),
            st.sampled_from("abc"),
            st.sampled_from([Lane.NORMAL, Lane.NORMAL, Lane.HIGH, Lane.LOW]),
        ),
        min_size=1,
        max_size=30,
    ),
    late=st.sampled_from([0, 20, 70]),
)
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=15,
)
def test_everybody_is_served_once_in_their_producers_order_and_nothing_is_left(
    client: redis.Redis, limit: int, arrivals: list[tuple[int, str, Lane]], late: int
) -> None:
    client.flushall()
    simulator = Simulator(client, limit=limit)
    came: dict[str, list[str]] = {}
    for n, (passes, producer, lane) in enumerate(arrivals):
        simulator.run_for(passes, late)
        name = f"{producer}-{lane}-{n}"
        came.setdefault(name.rpartition("-")[0], []).append(name)
        simulator.ask(name, producer, lane)

    half = max(1, limit // 2)  # what the low lane has
    simulator.run_for((len(arrivals) // half + 3) * SPAN + late, late)

    called = [name for _, name in simulator.sent]
    assert sorted(called) == sorted(name for names in came.values() for name in names)
    if not late:
        for line, names in came.items():
            assert [name for name in called if name.rpartition("-")[0] == line] == names
    assert simulator.most_in_a_window() <= limit
    assert not client.exists(
        KEYS.queues, KEYS.turns("main", ROUTE), KEYS.reservations("main", ROUTE)
    )
