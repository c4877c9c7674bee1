"""The gate on a real server: no sliding window sees more than the limit, whoever comes when."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from satyapan.names import Keys
from satyapan.scripts import load
from worker.gate import At, Gate, Go, Pass, Stop, Stopped

WINDOW, MARGIN, PROBE = 1000, 100, 50
KEYS = Keys("test")
START = 1_700_000_000_000


@dataclass
class Desk:
    """A gate with a clock that the test moves, and the calls that went through it."""

    client: redis.Redis
    now: int = START
    limit: int = 3
    sent: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate(self.client, KEYS, WINDOW, MARGIN, PROBE, now_ms=lambda: self.now)

    def ask(self, held: int = 0, route: str = "passport") -> Pass:
        answer = self.gate.enter("main", route, self.limit, held)
        if isinstance(answer, Go):
            self.sent.append(self.now)
        return answer

    def slot(self, held: int = 0) -> int:
        answer = self.ask(held)
        assert isinstance(answer, At)
        return answer.slot_ms

    def full(self) -> "Desk":
        """Use up the window."""
        assert [self.ask() for _ in range(self.limit)] == [Go()] * self.limit
        return self


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def desk(client: redis.Redis) -> Desk:
    return Desk(client)


def test_calls_go_until_the_limit_and_then_wait_a_window_and_the_margin(desk: Desk) -> None:
    desk.full()

    assert desk.ask() == At(START + WINDOW + MARGIN)


def test_waiting_callers_get_their_slots_first_come_first_served(desk: Desk) -> None:
    desk.full()

    slots = [desk.slot() for _ in range(7)]

    assert slots == sorted(set(slots))
    first = START + WINDOW + MARGIN
    assert [slot - first for slot in slots] == [0, 1, 2, 1100, 1101, 1102, 2200]


def test_a_slot_is_good_from_its_time_to_the_margin_after_it(desk: Desk) -> None:
    slots = [desk.full().slot(), desk.slot()]

    desk.now = slots[0]
    assert desk.ask(slots[0]) == Go()
    desk.now = slots[1] + MARGIN
    assert desk.ask(slots[1]) == Go()


def test_who_comes_early_keeps_the_slot(desk: Desk) -> None:
    slot = desk.full().slot()

    desk.now = slot - 1

    assert [desk.slot(slot), desk.slot(slot)] == [slot, slot]


def test_who_comes_late_gets_another_slot(desk: Desk) -> None:
    slot = desk.full().slot()
    behind = [desk.slot() for _ in range(3)]
    desk.now = slot + MARGIN + 1

    assert desk.slot(slot) > behind[-1]


def test_a_slot_serves_one_call(desk: Desk) -> None:
    slot = desk.full().slot()
    [desk.slot() for _ in range(3)]
    desk.now = slot
    assert desk.ask(slot) == Go()

    assert isinstance(desk.ask(slot), At)


def test_a_slot_that_was_never_given_is_not_honoured(desk: Desk) -> None:
    desk.full()

    assert desk.ask(desk.now) == At(START + WINDOW + MARGIN)


def test_routes_and_accounts_do_not_share_slots(desk: Desk) -> None:
    desk.full()

    assert desk.ask(route="digilocker") == Go()
    assert desk.gate.enter("other", "passport", 1) == Go()


def test_a_lowered_limit_binds_those_who_hold_slots_of_the_higher_one(desk: Desk) -> None:
    desk.limit = 10
    desk.full()
    slots = [desk.slot() for _ in range(10)]

    desk.limit = 2
    for slot in slots:
        desk.now = slot
        desk.ask(slot)

    assert len([time for time in desk.sent if time > START]) <= 2


def test_a_lowered_limit_counts_a_call_that_was_made_out_of_turn(desk: Desk) -> None:
    early, late = desk.full().slot(), desk.slot()
    desk.now = late
    assert desk.ask(late) == Go()

    desk.limit = 1

    assert desk.slot(early) >= late + WINDOW


def test_a_limit_that_was_lowered_and_raised_has_not_forgotten(desk: Desk) -> None:
    desk.limit = 10
    desk.full()
    desk.limit = 1
    desk.slot()

    desk.limit = 10
    answers = [desk.ask() for _ in range(10)]

    assert Go() not in answers


def test_a_limit_below_one_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(ValueError, match="the limit of route passport is 0"):
        desk.gate.enter("main", "passport", 0)


def test_a_clock_that_steps_back_only_delays(desk: Desk) -> None:
    desk.full()
    desk.now -= 10_000

    assert desk.slot() == START + WINDOW + MARGIN


def test_a_hold_moves_everyone_and_only_later(desk: Desk) -> None:
    until = desk.gate.hold("main", "passport", 5)

    assert until == START + 5000
    assert desk.gate.hold("main", "passport", 1) == until
    assert desk.gate.hold("main", "passport", -1) == until
    assert desk.ask() == At(until)
    assert desk.ask(route="digilocker") == Go()


def test_a_hold_moves_those_who_hold_earlier_slots(desk: Desk) -> None:
    slot = desk.full().slot()
    until = desk.gate.hold("main", "passport", 60)
    desk.now = slot

    assert desk.slot(slot) >= until


def test_a_slot_held_from_before_is_good_when_the_hold_has_passed(desk: Desk) -> None:
    slot = desk.full().slot()
    desk.gate.hold("main", "passport", (slot - START + MARGIN / 2) / 1000)

    desk.now = slot + MARGIN // 2

    assert desk.ask(slot) == Go()


def test_a_stopped_account_stops_every_route(desk: Desk) -> None:
    until = desk.gate.stop("main", "insufficient_balance")

    assert until == START + PROBE
    assert desk.ask() == Stopped(until, "insufficient_balance")
    assert desk.ask(route="digilocker") == Stopped(until, "insufficient_balance")
    assert desk.gate.enter("other", "passport", 1) == Go()
    assert desk.gate.state("main") == Stop("insufficient_balance", START, until)


def test_one_call_probes_and_the_next_probe_moves_away(desk: Desk) -> None:
    desk.gate.stop("main", "x")
    waits = []
    for _ in range(6):
        state = desk.gate.state("main")
        assert state is not None
        waits.append(state.until_ms - desk.now)
        desk.now = state.until_ms
        desk.limit += 1

        answers = [desk.ask() for _ in range(3)]

        assert answers[0] == Go(probe=True)
        assert {type(each) for each in answers[1:]} == {Stopped}

    assert waits == [50, 100, 200, 400, 500, 500]


def test_news_of_a_stop_does_not_move_the_probe(desk: Desk) -> None:
    until = desk.gate.stop("main", "x")
    desk.now += 10

    assert desk.gate.stop("main", "y") == until
    assert desk.gate.state("main") == Stop("y", START, until)


def test_a_probe_takes_a_slot_like_any_call(desk: Desk) -> None:
    desk.full()
    desk.gate.stop("main", "x")
    desk.now += PROBE

    slot = desk.slot()
    assert slot == START + WINDOW + MARGIN
    desk.now = slot

    assert desk.ask(slot) == Go(probe=True)


def test_a_resumed_account_calls_again(desk: Desk) -> None:
    desk.gate.stop("main", "x")

    desk.gate.resume("main")

    assert desk.gate.state("main") is None
    assert desk.ask() == Go()


def test_every_key_expires(desk: Desk) -> None:
    desk.full().slot()
    desk.gate.hold("main", "passport", 5)
    desk.gate.stop("main", "x")

    names: list[bytes] = list(desk.client.scan_iter())

    assert len(names) == 3
    assert all(desk.client.pttl(name) > 0 for name in names)


def test_old_slots_are_forgotten(desk: Desk) -> None:
    for _ in range(50):
        desk.full()
        desk.now += WINDOW + MARGIN

    assert desk.client.zcard(KEYS.slots("main", "passport")) <= desk.limit + 1


def test_the_servers_own_clock_is_used(client: redis.Redis) -> None:
    seconds, micros = client.time()
    gate = Gate(client, KEYS, WINDOW, MARGIN, PROBE)

    assert gate.enter("main", "passport", 1) == Go()
    answer = gate.enter("main", "passport", 1)

    assert isinstance(answer, At)
    assert 0 <= answer.slot_ms - WINDOW - MARGIN - (seconds * 1000 + micros // 1000) < 5000


def test_a_client_that_decodes_is_answered_the_same(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        gate = Gate(client, KEYS, WINDOW, MARGIN, PROBE)
        gate.stop("main", "insufficient_balance")

        answer, state = gate.enter("main", "passport", 1), gate.state("main")

    assert isinstance(answer, Stopped)
    assert state is not None
    assert (answer.code, state.code) == ("insufficient_balance", "insufficient_balance")


def test_without_redis_nobody_passes(client: redis.Redis) -> None:
    gone = redis.Redis(host="127.0.0.1", port=1)

    with gone, pytest.raises(redis.ConnectionError):
        Gate(gone, KEYS, WINDOW, MARGIN, PROBE).enter("main", "passport", 1)


def test_a_server_that_lost_its_scripts_is_given_them_again(client: redis.Redis) -> None:
    script = load(client, "worker", "gate_hold")
    script(keys=["k"], args=[1000, 5])
    client.script_flush()

    assert script(keys=["k"], args=[1000, 5]) == 1005


def test_many_workers_at_once_share_one_limit(redis_url: str) -> None:
    passes: list[Pass] = []

    def work() -> None:
        with redis.Redis.from_url(redis_url) as mine:
            gate = Gate(mine, KEYS, 60_000, MARGIN, PROBE)
            passes.extend(gate.enter("main", "passport", 20) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    slots = sorted(each.slot_ms for each in passes if isinstance(each, At))
    assert (passes.count(Go()), len(slots)) == (20, 60)
    assert all(first < second for first, second in pairwise(slots))
    assert all(b - a >= 60_000 for a, b in zip(slots, slots[20:], strict=False))


@dataclass(frozen=True)
class Step:
    """Who comes when; `amount` is how much the clock moves, or how early or late they come."""

    who: int
    when: str
    amount: int
    limit: int | None
    throttled: float | None


def moment(step: Step, slot: int, now: int) -> int:
    """Choose when a caller comes, seen from its slot."""
    if not slot or step.when == "now":
        return now + step.amount
    return {
        "early": slot - 1 - step.amount,
        "on time": slot,
        "at the end": slot + MARGIN,
        "in the margin": slot + step.amount % (MARGIN + 1),
        "late": slot + MARGIN + 1 + step.amount,
    }[step.when]


def play(desk: Desk, held: list[int], step: Step) -> Pass:
    """Let one caller come; those whose slots are next come most often."""
    held.sort()
    slot = held[step.who]
    desk.now = max(desk.now, moment(step, slot, desk.now))
    desk.limit = step.limit or desk.limit
    answer = desk.ask(slot)
    held[step.who] = answer.slot_ms if isinstance(answer, At) else 0
    return answer


mostly_on_time = ["now", "early", "on time", "at the end", "at the end", "in the margin", "late"]
steps = st.builds(
    Step,
    who=st.sampled_from([0, 0, 0, 0, 0, 1, 2, 5]),
    when=st.sampled_from(mostly_on_time),
    amount=st.sampled_from([0, 0, 1, MARGIN, WINDOW - MARGIN, WINDOW]) | st.integers(0, WINDOW),
    limit=st.sampled_from([None, None, None, None, 1, 2, 4]),
    throttled=st.sampled_from([None] * 9 + [0.3]),
)


@given(limit=st.integers(1, 4), steps=st.lists(steps, min_size=5, max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sliding_window_ever_sees_more_than_the_limit(
    client: redis.Redis, limit: int, steps: list[Step]
) -> None:
    client.flushall()
    desk = Desk(client, limit=limit)
    held = [0] * 6
    held_until = 0
    for step in steps:
        if step.throttled:
            held_until = desk.gate.hold("main", "passport", step.throttled)

        answer = play(desk, held, step)

        if isinstance(answer, At):
            assert answer.slot_ms > desk.now
            continue
        # Judged by the limit of its time: no window that ends with this call may hold more.
        assert desk.now >= held_until
        assert len([time for time in desk.sent if desk.now - WINDOW < time]) <= desk.limit
