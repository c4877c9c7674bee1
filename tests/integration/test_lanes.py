"""The low lane for polls, and rows that are registered without a claim."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.gatehouse import FAR, HORIZON, KEYS, ROUTE, SPAN, START, Gatehouse, wait
from worker.admission.admission import Go, Waiting
from worker.rules.lane import Lane

LOW = KEYS.queue("main", ROUTE, "low")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def house(client: redis.Redis) -> Gatehouse:
    return Gatehouse(client, limit=10)


def polls(house: Gatehouse, count: int) -> int:
    """Let so many polls come; return how many could go at once."""
    return sum(isinstance(house.ask(f"poll-{n}", lane=Lane.LOW), Go) for n in range(count))


def names(called: list[str]) -> set[str]:
    return {name.partition("-")[0] for name in called}


class TestLowLane:
    def test_polls_get_half_of_the_limit_and_no_more(self, house: Gatehouse) -> None:
        assert polls(house, 30) == 5
        for _ in range(5):
            assert len(house.play(SPAN)) <= 5

        assert house.most_in_a_window() == 5

    def test_what_somebody_asked_for_goes_at_once_beside_any_number_of_polls(
        self, house: Gatehouse
    ) -> None:
        polls(house, 300)

        for n in range(3):
            assert isinstance(house.ask(f"asked-{n}", lane=Lane.HIGH), Go)
            house.play(SPAN)

    def test_a_poll_that_somebody_asks_for_leaves_the_line_of_polls(self, house: Gatehouse) -> None:
        polls(house, 100)

        assert isinstance(house.ask("poll-99", lane=Lane.HIGH), Go)

        assert b"poll-99" not in house.client.zrange(LOW, 0, -1)

    def test_a_poll_that_holds_a_slot_goes_before_it_when_somebody_asks(
        self, house: Gatehouse
    ) -> None:
        house.fill()
        polls(house, 2)
        house.now = START + SPAN - HORIZON
        assert house.dealt() == ["poll-0"]
        house.limit += 1  # so that there is room before the slot comes

        assert isinstance(house.ask("poll-0", lane=Lane.HIGH), Go)
        assert house.slot("poll-0") == 0

    @pytest.mark.parametrize("early", [True, False])
    def test_polls_get_a_place_back_that_was_used_by_a_read_that_was_asked_for(
        self, house: Gatehouse, early: bool
    ) -> None:
        house.fill()
        polls(house, 2)
        house.now = START + SPAN - HORIZON
        assert house.dealt() == ["poll-0"]
        assert house.client.zcard(KEYS.low("main", ROUTE)) == 1
        if early:
            house.limit += 1
        else:
            house.now = house.slot("poll-0")

        assert isinstance(house.ask("poll-0", lane=Lane.HIGH), Go)

        polls_left = house.client.zrange(KEYS.low("main", ROUTE), 0, -1)
        assert not [one for one in polls_left if one.startswith(b"poll-0")]

    def test_a_poll_that_used_its_slot_has_one_place_in_the_half(self, house: Gatehouse) -> None:
        house.fill()
        polls(house, 1)
        house.now = START + SPAN - HORIZON
        assert house.dealt() == ["poll-0"]
        house.now = house.slot("poll-0") + 20

        assert isinstance(house.ask("poll-0", lane=Lane.LOW), Go)

        assert house.client.zcard(KEYS.low("main", ROUTE)) == 1

    def test_who_goes_before_its_slot_leaves_room_for_the_slots_of_others(
        self, house: Gatehouse
    ) -> None:
        house.fill()
        for name, lane in (("asked", Lane.HIGH), ("a", Lane.NORMAL), ("b", Lane.NORMAL)):
            house.ask(name, lane=lane)
        house.now = START + SPAN - 10
        assert house.dealt() == ["asked", "a", "b"]

        house.limit = 12  # the ten of this window and the slots of "a" and "b"
        assert not isinstance(house.ask("asked", lane=Lane.HIGH), Go)
        house.limit = 13
        assert isinstance(house.ask("asked", lane=Lane.HIGH), Go)

    def test_of_ten_slots_one_at_least_is_a_polls(self, house: Gatehouse) -> None:
        house.fill()
        polls(house, 50)
        for n in range(60):
            house.ask(f"asked-{n}", lane=Lane.HIGH)

        called = house.play(5 * SPAN)

        found = [name.startswith("poll") for name in called]
        assert 4 <= sum(found) <= 6
        assert found[9], called

    def test_of_forty_slots_nine_are_normal_while_all_lanes_wait(self, house: Gatehouse) -> None:
        house.fill()
        for n in range(40):
            for lane in Lane:
                house.ask(f"{lane.name}-{n}", lane=lane)

        called = house.play(6 * SPAN)[:40]

        shares = [
            sum(name.startswith(lane) for name in called) for lane in ("HIGH", "NORMAL", "LOW")
        ]
        assert shares == [27, 9, 4], called

    def test_polls_take_what_is_left_up_to_their_half(self, house: Gatehouse) -> None:
        house.fill()
        polls(house, 50)
        house.play(SPAN + SPAN // 2)

        assert names(house.play(3 * SPAN)) == {"poll"}
        assert len(house.play(4 * SPAN)) in range(18, 22)

    @pytest.mark.parametrize("limit", [1, 2])
    def test_the_smallest_limits_leave_polls_one_call(self, house: Gatehouse, limit: int) -> None:
        house.limit = limit

        assert polls(house, 3) == 1
        assert len(house.play(2 * SPAN + HORIZON)) == 2

    def test_who_waits_in_a_higher_lane_is_not_passed(self, house: Gatehouse) -> None:
        house.fill()
        house.ask("asked", lane=Lane.HIGH)
        house.now += SPAN

        assert not isinstance(house.ask("poll", lane=Lane.LOW), Go)


@given(
    limit=st.integers(1, 8),
    late=st.sampled_from([0, 20, HORIZON - 20]),
    arrivals=st.lists(
        st.tuples(st.integers(0, 150), st.sampled_from(list(Lane))), min_size=5, max_size=60
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_whatever_comes_neither_the_limit_nor_the_half_is_exceeded(
    client: redis.Redis, limit: int, late: int, arrivals: list[tuple[int, Lane]]
) -> None:
    client.flushall()
    house = Gatehouse(client, limit=limit)
    for n, (passes, lane) in enumerate(arrivals):
        house.play(passes, late)
        house.ask(f"{lane}-{n}", lane=lane)
    house.play(10 * SPAN, late)

    everything = house.sent
    assert house.most_in_a_window() <= limit
    house.sent = [(at, name) for at, name in everything if name.startswith(f"{Lane.LOW}-")]
    assert not house.sent or house.most_in_a_window() <= max(1, limit // 2)


class TestRegistered:
    def row(self, house: Gatehouse, name: str, **fields: str | int) -> Waiting:
        """Write a row as an insert does."""
        known = {"state": "ACCEPTED", "due": house.now, "deadline": house.now + 100 * FAR, **fields}
        house.client.hset(KEYS.row(name), mapping=known)
        house.client.zadd(KEYS.due, {name: int(known["due"])})
        return Waiting(name, "shop")

    def register(self, house: Gatehouse, *rows: Waiting) -> list[str]:
        return house.gate.register("main", ROUTE, house.limit, rows)

    def test_registered_rows_wait_like_those_that_came_with_a_claim(self, house: Gatehouse) -> None:
        house.fill().ask("asked")
        waiting = [self.row(house, f"r{n}") for n in range(5)]

        assert self.register(house, *waiting) == []

        lane = house.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
        assert lane == [b"asked", b"r0", b"r1", b"r2", b"r3", b"r4"]
        due = int(house.client.hget(KEYS.row("r4"), "due"))
        assert START + FAR <= due <= START + 2 * FAR
        assert house.client.zscore(KEYS.due, "r4") == due
        assert house.client.hget(KEYS.row("r4"), "reason") == b"quota"
        assert not house.client.hexists(KEYS.row("r4"), "fence")

    def test_they_are_dealt_slots_in_their_turn(self, house: Gatehouse) -> None:
        house.fill()
        self.register(house, *[self.row(house, f"r{n}") for n in range(3)])
        house.now += SPAN

        assert house.dealt() == ["r0", "r1", "r2"]

        slots = house.client.zrange(KEYS.slot_due, 0, -1, withscores=True)
        assert slots == [(name.encode(), house.slot(name)) for name in ("r0", "r1", "r2")]

    def test_a_waiting_row_comes_back_at_its_deadline_at_the_latest(self, house: Gatehouse) -> None:
        house.fill()
        self.register(house, self.row(house, "r", deadline=house.now + 700))

        assert house.client.zscore(KEYS.due, "r") == START + 700

    def test_registering_again_changes_nothing(self, house: Gatehouse) -> None:
        house.fill()
        first, second = self.row(house, "a"), self.row(house, "b")
        self.register(house, first, second)
        house.client.hset(KEYS.row("a"), "due", house.now)

        assert self.register(house, first) == []

        lane = house.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
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
    def test_only_a_due_row_that_nobody_holds_and_nobody_sent_is_registered(
        self, house: Gatehouse, fields: dict[str, str | int]
    ) -> None:
        house.fill()

        assert self.register(house, self.row(house, "r", **fields)) == ["r"]

        assert not house.client.exists(KEYS.queue("main", ROUTE, "normal"))

    def test_a_row_that_holds_a_slot_is_left_out(self, house: Gatehouse) -> None:
        house.fill()
        row = self.row(house, "r")
        self.register(house, row)
        house.now += SPAN
        assert house.dealt() == ["r"]

        assert self.register(house, row) == ["r"]

    def test_a_row_that_is_gone_is_left_out(self, house: Gatehouse) -> None:
        assert self.register(house.fill(), Waiting("gone", "shop")) == ["gone"]

    def test_high_rows_are_registered_in_their_lane(self, house: Gatehouse) -> None:
        house.fill()
        self.row(house, "r")

        self.register(house, Waiting("r", "shop", high=True))

        assert house.client.zrange(KEYS.queue("main", ROUTE, "high"), 0, -1) == [b"r"]


def test_a_call_leaves_nothing_in_the_index_of_slots(house: Gatehouse) -> None:
    house.fill()
    wait(house.ask("a"))
    house.now += SPAN
    assert house.dealt() == ["a"]

    assert isinstance(house.ask("a"), Go)

    assert not house.client.exists(KEYS.slot_due)


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
def test_nobody_stands_twice_or_is_forgotten_whatever_happens(
    client: redis.Redis, limit: int, moves: list[tuple[str, int, Lane, int]]
) -> None:
    """Rows change their lane, are registered, called, and end, in any order."""
    client.flushall()
    house = Gatehouse(client, limit=limit)
    for what, number, lane, passes in moves:
        house.now += passes
        move(house, what, f"r{number}", lane)
        lanes = [line(house, name) for name in ("normal", "high", "low")]
        assert sum(map(len, lanes)) == len(set().union(*lanes)), "one lane for each"
        assert house.most_in_a_window() <= limit if house.sent else True
        for row in set().union(*lanes):
            ended = client.hget(KEYS.row(row), "due") == b"0"
            assert ended or client.zscore(KEYS.due, row), "each comes back by itself"

    house.play(20 * 2 * SPAN + 2 * FAR)

    assert client.zrange(KEYS.due, 0, -1) == []
    assert client.hgetall(KEYS.queues) == {}


def line(house: Gatehouse, lane: str) -> set[str]:
    return {raw.decode() for raw in house.client.zrange(KEYS.queue("main", ROUTE, lane), 0, -1)}


def move(house: Gatehouse, what: str, name: str, lane: Lane) -> None:
    fields = {"state": "ACCEPTED", "deadline": house.now + 1000 * FAR}
    if what == "ask":
        house.ask(name, lane=lane)
    elif what == "register":
        house.ask(name) if name not in house.rows else None
        house.client.hset(KEYS.row(name), mapping={**fields, "due": house.now})
        house.gate.register("main", ROUTE, house.limit, [Waiting(name, "shop")])
        house.client.zadd(KEYS.due, {name: house.now}, nx=True)
    elif what == "end":
        house.due(name, 0)
    else:
        house.gate.deal()
