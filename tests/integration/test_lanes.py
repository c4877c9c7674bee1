"""The low lane for polls, and rows that are registered without a claim."""

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.admission_simulator import (
    FAR,
    HORIZON,
    KEYS,
    ROUTE,
    SPAN,
    START,
    Simulator,
    wait,
)
from worker.admission.limiter import Admitted, Waiting
from worker.rules.lane import Lane

LOW = KEYS.queue("main", ROUTE, "low")


@pytest.fixture
def simulator(client: redis.Redis) -> Simulator:
    return Simulator(client, limit=10)


def polls(simulator: Simulator, count: int) -> int:
    """Ask for this many polls; return how many were admitted at once."""
    return sum(
        isinstance(simulator.ask(f"poll-{n}", lane=Lane.LOW), Admitted) for n in range(count)
    )


def names(called: list[str]) -> set[str]:
    return {name.partition("-")[0] for name in called}


class TestLowLane:
    def test_polls_get_half_of_the_limit_and_no_more(self, simulator: Simulator) -> None:
        assert polls(simulator, 30) == 5
        for _ in range(5):
            assert len(simulator.run_for(SPAN)) <= 5

        assert simulator.most_in_a_window() == 5

    def test_a_requested_read_is_admitted_at_once_beside_any_number_of_polls(
        self, simulator: Simulator
    ) -> None:
        polls(simulator, 300)

        for n in range(3):
            assert isinstance(simulator.ask(f"asked-{n}", lane=Lane.HIGH), Admitted)
            simulator.run_for(SPAN)

    def test_a_poll_that_becomes_a_requested_read_leaves_the_low_lane(
        self, simulator: Simulator
    ) -> None:
        polls(simulator, 100)

        assert isinstance(simulator.ask("poll-99", lane=Lane.HIGH), Admitted)

        assert b"poll-99" not in simulator.client.zrange(LOW, 0, -1)

    def test_a_poll_that_holds_a_slot_is_admitted_earlier_once_it_is_requested(
        self, simulator: Simulator
    ) -> None:
        simulator.fill_window()
        polls(simulator, 2)
        simulator.now = START + SPAN - HORIZON
        assert simulator.dealt() == ["poll-0"]
        simulator.limit += 1  # so that there is room before the slot comes

        assert isinstance(simulator.ask("poll-0", lane=Lane.HIGH), Admitted)
        assert simulator.slot("poll-0") == 0

    @pytest.mark.parametrize("early", [True, False])
    def test_a_requested_read_no_longer_counts_as_a_poll(
        self, simulator: Simulator, early: bool
    ) -> None:
        simulator.fill_window()
        polls(simulator, 2)
        simulator.now = START + SPAN - HORIZON
        assert simulator.dealt() == ["poll-0"]
        assert simulator.client.zcard(KEYS.low("main", ROUTE)) == 1
        if early:
            simulator.limit += 1
        else:
            simulator.now = simulator.slot("poll-0")

        assert isinstance(simulator.ask("poll-0", lane=Lane.HIGH), Admitted)

        polls_left = simulator.client.zrange(KEYS.low("main", ROUTE), 0, -1)
        assert not [one for one in polls_left if one.startswith(b"poll-0")]

    def test_a_poll_that_used_its_slot_counts_once_in_the_polls_half(
        self, simulator: Simulator
    ) -> None:
        simulator.fill_window()
        polls(simulator, 1)
        simulator.now = START + SPAN - HORIZON
        assert simulator.dealt() == ["poll-0"]
        simulator.now = simulator.slot("poll-0") + 20

        assert isinstance(simulator.ask("poll-0", lane=Lane.LOW), Admitted)

        assert simulator.client.zcard(KEYS.low("main", ROUTE)) == 1

    def test_a_call_before_its_slot_leaves_room_for_the_slots_of_others(
        self, simulator: Simulator
    ) -> None:
        simulator.fill_window()
        for name, lane in (("asked", Lane.HIGH), ("a", Lane.NORMAL), ("b", Lane.NORMAL)):
            simulator.ask(name, lane=lane)
        simulator.now = START + SPAN - 10
        assert simulator.dealt() == ["asked", "a", "b"]

        simulator.limit = 12  # the ten of this window and the slots of "a" and "b"
        assert not isinstance(simulator.ask("asked", lane=Lane.HIGH), Admitted)
        simulator.limit = 13
        assert isinstance(simulator.ask("asked", lane=Lane.HIGH), Admitted)

    def test_polls_get_at_least_one_of_ten_slots(self, simulator: Simulator) -> None:
        simulator.fill_window()
        polls(simulator, 50)
        for n in range(60):
            simulator.ask(f"asked-{n}", lane=Lane.HIGH)

        called = simulator.run_for(5 * SPAN)

        found = [name.startswith("poll") for name in called]
        assert 4 <= sum(found) <= 6
        assert found[9], called

    def test_normal_rows_get_nine_of_forty_slots_while_all_lanes_wait(
        self, simulator: Simulator
    ) -> None:
        simulator.fill_window()
        for n in range(40):
            for lane in Lane:
                simulator.ask(f"{lane.name}-{n}", lane=lane)

        called = simulator.run_for(6 * SPAN)[:40]

        shares = [
            sum(name.startswith(lane) for name in called) for lane in ("HIGH", "NORMAL", "LOW")
        ]
        assert shares == [27, 9, 4], called

    def test_polls_take_free_slots_up_to_their_half(self, simulator: Simulator) -> None:
        simulator.fill_window()
        polls(simulator, 50)
        simulator.run_for(SPAN + SPAN // 2)

        assert names(simulator.run_for(3 * SPAN)) == {"poll"}
        assert len(simulator.run_for(4 * SPAN)) in range(18, 22)

    @pytest.mark.parametrize("limit", [1, 2])
    def test_the_smallest_limits_leave_polls_one_call(
        self, simulator: Simulator, limit: int
    ) -> None:
        simulator.limit = limit

        assert polls(simulator, 3) == 1
        assert len(simulator.run_for(2 * SPAN + HORIZON)) == 2

    def test_a_poll_does_not_overtake_a_row_in_a_higher_lane(self, simulator: Simulator) -> None:
        simulator.fill_window()
        simulator.ask("asked", lane=Lane.HIGH)
        simulator.now += SPAN

        assert not isinstance(simulator.ask("poll", lane=Lane.LOW), Admitted)


@given(
    limit=st.integers(1, 8),
    late=st.sampled_from([0, 20, HORIZON - 20]),
    arrivals=st.lists(
        st.tuples(st.integers(0, 150), st.sampled_from(list(Lane))), min_size=5, max_size=60
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_no_order_of_arrivals_exceeds_the_limit_or_the_polls_half(
    client: redis.Redis, limit: int, late: int, arrivals: list[tuple[int, Lane]]
) -> None:
    client.flushall()
    simulator = Simulator(client, limit=limit)
    for n, (passes, lane) in enumerate(arrivals):
        simulator.run_for(passes, late)
        simulator.ask(f"{lane}-{n}", lane=lane)
    simulator.run_for(10 * SPAN, late)

    everything = simulator.sent
    assert simulator.most_in_a_window() <= limit
    simulator.sent = [(at, name) for at, name in everything if name.startswith(f"{Lane.LOW}-")]
    assert not simulator.sent or simulator.most_in_a_window() <= max(1, limit // 2)


class TestRegistered:
    def row(self, simulator: Simulator, name: str, **fields: str | int) -> Waiting:
        """Write a row as an insert does."""
        known = {
            "state": "ACCEPTED",
            "due": simulator.now,
            "deadline": simulator.now + 100 * FAR,
            **fields,
        }
        simulator.client.hset(KEYS.row(name), mapping=known)
        simulator.client.zadd(KEYS.due, {name: int(known["due"])})
        return Waiting(name, "shop")

    def register(self, simulator: Simulator, *rows: Waiting) -> list[str]:
        return simulator.limiter.register("main", ROUTE, simulator.limit, rows)

    def test_registered_rows_wait_in_the_same_queue_as_claimed_ones(
        self, simulator: Simulator
    ) -> None:
        simulator.fill_window().ask("asked")
        waiting = [self.row(simulator, f"r{n}") for n in range(5)]

        assert self.register(simulator, *waiting) == []

        lane = simulator.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
        assert lane == [b"asked", b"r0", b"r1", b"r2", b"r3", b"r4"]
        due = int(simulator.client.hget(KEYS.row("r4"), "due"))
        assert START + FAR <= due <= START + 2 * FAR
        assert simulator.client.zscore(KEYS.due, "r4") == due
        assert simulator.client.hget(KEYS.row("r4"), "reason") == b"quota"
        assert not simulator.client.hexists(KEYS.row("r4"), "fence")

    def test_registered_rows_are_dealt_slots_in_order(self, simulator: Simulator) -> None:
        simulator.fill_window()
        self.register(simulator, *[self.row(simulator, f"r{n}") for n in range(3)])
        simulator.now += SPAN

        assert simulator.dealt() == ["r0", "r1", "r2"]

        slots = simulator.client.zrange(KEYS.slot_due, 0, -1, withscores=True)
        assert slots == [(name.encode(), simulator.slot(name)) for name in ("r0", "r1", "r2")]

    def test_a_waiting_row_is_due_at_its_deadline_at_the_latest(self, simulator: Simulator) -> None:
        simulator.fill_window()
        self.register(simulator, self.row(simulator, "r", deadline=simulator.now + 700))

        assert simulator.client.zscore(KEYS.due, "r") == START + 700

    def test_registering_again_changes_nothing(self, simulator: Simulator) -> None:
        simulator.fill_window()
        first, second = self.row(simulator, "a"), self.row(simulator, "b")
        self.register(simulator, first, second)
        simulator.client.hset(KEYS.row("a"), "due", simulator.now)

        assert self.register(simulator, first) == []

        lane = simulator.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
        assert lane == [b"a", b"b"]

    @pytest.mark.parametrize(
        "fields",
        [
            {"state": "UNKNOWN"},
            {"state": "PENDING"},
            {"state": "SENT"},
            {"state": "DONE", "due": 0},
            {"attempts": 1},
            {"lease": START + 1},
            {"lease": START - 1},
            {"deadline": START},
            {"due": START + 1},
        ],
    )
    def test_only_a_due_row_without_a_lease_or_a_call_is_registered(
        self, simulator: Simulator, fields: dict[str, str | int]
    ) -> None:
        simulator.fill_window()

        assert self.register(simulator, self.row(simulator, "r", **fields)) == ["r"]

        assert not simulator.client.exists(KEYS.queue("main", ROUTE, "normal"))

    def test_a_row_that_holds_a_slot_is_not_registered(self, simulator: Simulator) -> None:
        simulator.fill_window()
        row = self.row(simulator, "r")
        self.register(simulator, row)
        simulator.now += SPAN
        assert simulator.dealt() == ["r"]

        assert self.register(simulator, row) == ["r"]

    def test_a_row_that_does_not_exist_is_not_registered(self, simulator: Simulator) -> None:
        assert self.register(simulator.fill_window(), Waiting("gone", "shop")) == ["gone"]

    def test_high_rows_are_registered_in_their_lane(self, simulator: Simulator) -> None:
        simulator.fill_window()
        self.row(simulator, "r")

        self.register(simulator, Waiting("r", "shop", high=True))

        assert simulator.client.zrange(KEYS.queue("main", ROUTE, "high"), 0, -1) == [b"r"]


def test_an_admitted_row_leaves_the_index_of_slots(simulator: Simulator) -> None:
    simulator.fill_window()
    wait(simulator.ask("a"))
    simulator.now += SPAN
    assert simulator.dealt() == ["a"]

    assert isinstance(simulator.ask("a"), Admitted)

    assert not simulator.client.exists(KEYS.slot_due)


@given(
    limit=st.integers(1, 5),
    moves=st.lists(
        st.tuples(
            st.sampled_from(["ask"] * 5 + ["register"] * 2 + ["deal", "end"]),
            st.integers(0, 7),
            st.sampled_from(list(Lane)),
            st.sampled_from([0, 0, 1, HORIZON // 2, HORIZON + 1, SPAN // 3, SPAN]),
        ),
        min_size=5,
        max_size=60,
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_no_order_of_actions_queues_a_row_twice_or_loses_it(
    client: redis.Redis, limit: int, moves: list[tuple[str, int, Lane, int]]
) -> None:
    """Rows change their lanes, are registered, are called and end, in any order."""
    client.flushall()
    simulator = Simulator(client, limit=limit)
    for action, number, lane, passes in moves:
        simulator.now += passes
        move(simulator, action, f"r{number}", lane)
        lanes = [queued(simulator, name) for name in ("normal", "high", "low")]
        assert sum(map(len, lanes)) == len(set().union(*lanes)), "a row waits in one lane only"
        assert simulator.most_in_a_window() <= limit if simulator.sent else True
        for row in set().union(*lanes):
            ended = client.hget(KEYS.row(row), "due") == b"0"
            assert ended or client.zscore(KEYS.due, row), "every waiting row has its own due time"

    simulator.run_for(20 * 2 * SPAN + 2 * FAR)

    assert client.zrange(KEYS.due, 0, -1) == []
    assert client.hgetall(KEYS.queues) == {}


def queued(simulator: Simulator, lane: str) -> set[str]:
    return {raw.decode() for raw in simulator.client.zrange(KEYS.queue("main", ROUTE, lane), 0, -1)}


def move(simulator: Simulator, action: str, name: str, lane: Lane) -> None:
    fields = {"state": "ACCEPTED", "deadline": simulator.now + 1000 * FAR}
    if action == "ask":
        simulator.ask(name, lane=lane)
    elif action == "register":
        simulator.ask(name) if name not in simulator.rows else None
        simulator.client.hset(KEYS.row(name), mapping={**fields, "due": simulator.now})
        simulator.limiter.register("main", ROUTE, simulator.limit, [Waiting(name, "shop")])
        simulator.client.zadd(KEYS.due, {name: simulator.now}, nx=True)
    elif action == "end":
        simulator.set_due(name, 0)
    else:
        simulator.limiter.deal()
