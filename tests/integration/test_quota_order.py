"""The order of waiting rows: producers take turns, and high rows come before normal ones."""

from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.admission_simulator import HORIZON, KEYS, ROUTE, SPAN, Simulator
from worker.rules.lane import Lane


@pytest.fixture
def simulator(client: redis.Redis) -> Simulator:
    return Simulator(client, limit=10).fill_window()


def test_rows_of_one_producer_are_called_in_order_of_arrival(simulator: Simulator) -> None:
    names = [f"{n:02}" for n in range(25)]
    for name in reversed(names):
        simulator.ask(name)

    assert simulator.run_for(4 * SPAN) == names[::-1]


def test_a_backlog_does_not_delay_another_producers_call(simulator: Simulator) -> None:
    for n in range(1000):
        simulator.ask(f"backlog-{n}", "big")
    simulator.run_for(2 * SPAN + SPAN // 2)

    simulator.ask("single", "small")

    assert "single" in simulator.run_for(HORIZON + SPAN // 2)


def test_producers_take_turns_including_late_ones(simulator: Simulator) -> None:
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


def test_an_idle_producer_saves_up_no_turns(simulator: Simulator) -> None:
    simulator.ask("b-first", "b")
    for n in range(60):
        simulator.ask(f"a{n}", "a")
    simulator.run_for(4 * SPAN)

    for n in range(20):
        simulator.ask(f"b{n}", "b")
    simulator.run_for(HORIZON + 100)
    called = [name[0] for name in simulator.run_for(SPAN)]

    assert called.count("a") >= len(called) // 2 - 1


def test_high_rows_get_three_of_four_slots_while_both_lanes_wait(simulator: Simulator) -> None:
    for n in range(40):
        simulator.ask(f"normal-{n}")
        simulator.ask(f"high-{n}", lane=Lane.HIGH)

    called = "".join(name[0] for name in simulator.run_for(4 * SPAN))

    assert called.startswith("hhhn" * 7), called


def test_a_high_call_overtakes_a_normal_backlog_of_its_own_producer(simulator: Simulator) -> None:
    for n in range(100):
        simulator.ask(f"normal-{n}")
    simulator.run_for(SPAN + SPAN // 2)

    simulator.ask("urgent", lane=Lane.HIGH)

    simulator.run_for(HORIZON + SPAN // 2)
    assert "urgent" in {name for _, name in simulator.sent}


def test_the_high_lane_alone_gets_all_slots(simulator: Simulator) -> None:
    for n in range(20):
        simulator.ask(f"high-{n}", lane=Lane.HIGH)

    assert len(simulator.run_for(3 * SPAN)) == 20


def test_dealing_twice_deals_each_slot_once(simulator: Simulator) -> None:
    for n in range(20):
        simulator.ask(f"a{n}")
    simulator.now += SPAN

    once = simulator.dealt()

    assert simulator.dealt() == once
    slots = [simulator.slot(name) for name in once]
    assert all(first < second for first, second in pairwise(slots))


def test_ended_rows_at_the_front_of_a_lane_do_not_delay_others(simulator: Simulator) -> None:
    """Thousands can end at once, when their deadline passes."""
    queue_behind_ended_rows(simulator, "alive", 900)

    assert simulator.dealt() == ["alive"]


def test_one_script_removes_about_a_thousand_rows_that_ended(simulator: Simulator) -> None:
    queue_behind_ended_rows(simulator, "alive", 3000)
    lane, left = KEYS.queue("main", ROUTE, "normal"), [3001]

    while not simulator.dealt():
        left.append(simulator.client.zcard(lane))

    assert left == [3001, 3001 - 1024, 3001 - 2 * 1024]


def queue_behind_ended_rows(simulator: Simulator, name: str, count: int) -> None:
    """Queue a row behind this many others, which then end before slots are dealt."""
    ended = [f"a{n}" for n in range(count)]
    for each in (*ended, name):
        simulator.ask(each)
    for each in ended:
        simulator.set_due(each, 0)
    simulator.now += SPAN


@pytest.mark.parametrize("late", [0, 30, 120])
def test_a_backlog_uses_nearly_all_of_the_quota(simulator: Simulator, late: int) -> None:
    for n in range(200):
        simulator.ask(f"a{n}", f"producer-{n % 3}")

    simulator.run_for(10 * SPAN, late)

    # Being late by up to a quarter of the margin costs nothing; the rest delays successors.
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
def test_every_row_is_called_once_in_its_producers_order_and_no_key_is_left(
    client: redis.Redis, limit: int, arrivals: list[tuple[int, str, Lane]], late: int
) -> None:
    client.flushall()
    simulator = Simulator(client, limit=limit)
    arrived: dict[str, list[str]] = {}
    for n, (passes, producer, lane) in enumerate(arrivals):
        simulator.run_for(passes, late)
        name = f"{producer}-{lane}-{n}"
        arrived.setdefault(name.rpartition("-")[0], []).append(name)
        simulator.ask(name, producer, lane)

    half = max(1, limit // 2)  # the low lane's share
    simulator.run_for((len(arrivals) // half + 3) * SPAN + late, late)

    called = [name for _, name in simulator.sent]
    assert sorted(called) == sorted(name for names in arrived.values() for name in names)
    if not late:
        for queue, names in arrived.items():
            assert [name for name in called if name.rpartition("-")[0] == queue] == names
    assert simulator.most_in_a_window() <= limit
    assert not client.exists(
        KEYS.queues, KEYS.turns("main", ROUTE), KEYS.reservations("main", ROUTE)
    )
