"""The two breakers: the account's opens at once, the vendor's when too many calls fail."""

from collections.abc import Iterator

import pytest
import redis

from config.breakers import Shut
from satyapan.records import Row
from tests.support.gatehouse import FAR, HORIZON, KEYS, ROUTE, SPAN, START, Gatehouse, wait
from worker.admission.admission import Go, Wait
from worker.rules.lane import Lane

PROBE, COOL = 50, 300


@pytest.fixture
def house(redis_url: str) -> Iterator[Gatehouse]:
    with redis.Redis.from_url(redis_url) as client:
        yield Gatehouse(client, limit=100)


def fail(house: Gatehouse, name: str, *, probe: bool = False) -> bool:
    return house.gate.fail(Row(id=name, kind="x"), ROUTE, "http_502", probe=probe)


def broken(house: Gatehouse) -> int:
    """Open the vendor's breaker; returns when its first probe may go."""
    for n in range(10):
        house.ask(f"b{n}")
    for n in range(10):
        fail(house, f"b{n}")
    state = house.state(ROUTE)
    assert state is not None
    return state.until_ms


def test_a_stopped_account_stops_every_route(house: Gatehouse) -> None:
    row = Row(id="a", kind="x")
    until = house.gate.stop("main", "insufficient_balance")

    assert until == START + PROBE
    for route in (ROUTE, "digilocker"):
        answer = wait(house.gate.entering(row, route, 1).now())
        assert answer.reason == "account/insufficient_balance"
    assert house.gate.entering(Row(id="o", kind="x", account="other"), ROUTE, 1).now() == Go(1)
    assert house.state() == Shut("insufficient_balance", START, until)


def test_one_call_probes_and_the_next_probe_moves_away(house: Gatehouse) -> None:
    house.gate.stop("main", "x")
    waits = []
    for _ in range(6):
        state = house.state()
        assert state is not None
        waits.append(state.until_ms - house.now)
        house.now = state.until_ms

        answers = [house.ask(f"{len(waits)}-{n}") for n in range(3)]

        assert answers[0] == Go(100, probe=True)
        assert {type(each) for each in answers[1:]} == {Wait}
        house.client.delete(*house.client.keys("test:queue*"))
        house.gate.stop("main", "x", probe=True)

    assert waits == [50, 100, 200, 400, 500, 500]


def test_news_of_a_stop_does_not_move_the_probe(house: Gatehouse) -> None:
    until = house.gate.stop("main", "x")
    house.now += 10

    assert house.gate.stop("main", "y") == until
    assert house.state() == Shut("y", START, until)


def test_those_who_wait_probe_one_at_a_time_and_go_on_when_it_got_through(
    house: Gatehouse,
) -> None:
    until = house.gate.stop("main", "x")
    for n in range(20):
        house.ask(f"a{n}")

    assert house.play(until - house.now - 10) == []
    assert house.play(400) == ["a0"]
    house.gate.resume("main")

    assert house.state() is None
    assert len(house.play(19 * SPAN // 100 + 100)) == 19


def test_a_probe_that_vanished_is_followed_by_another(house: Gatehouse) -> None:
    house.gate.stop("main", "x")
    for n in range(3):
        house.ask(f"a{n}")

    assert house.play(PROBE + 500 - 10) == ["a0"]
    assert house.play(250) == ["a1"]


def test_a_probe_takes_a_slot_like_any_call(house: Gatehouse) -> None:
    house.limit = 3
    house.fill()
    house.gate.stop("main", "x")
    house.now += PROBE

    assert isinstance(house.ask("a"), Wait)
    house.play(SPAN)

    assert [name for _, name in house.sent[3:]] == ["a"]


def test_many_failures_open_the_vendors_breaker_and_everybody_waits(house: Gatehouse) -> None:
    for n in range(10):
        assert house.ask(f"a{n}") == Go(100)
    opened = [fail(house, f"a{n}") for n in range(6)]

    assert opened == [False] * 4 + [True, False]
    assert house.state(ROUTE) == Shut("http_502", START, START + COOL)
    assert wait(house.ask("b")).reason == "vendor/http_502"
    assert house.gate.entering(Row(id="z", kind="x"), "digilocker", 1).now() == Go(1)


def test_a_smaller_share_opens_nothing(house: Gatehouse) -> None:
    for n in range(9):
        house.ask(f"a{n}")
    for n in range(20):
        house.ask(f"good-{n}")

    assert not any(fail(house, f"a{n}") for n in range(9))


def test_a_single_failing_verification_opens_nothing(house: Gatehouse) -> None:
    for _ in range(50):
        house.ask("bad")
        assert not fail(house, "bad")
        house.now += 5


def test_old_failures_are_forgotten(house: Gatehouse) -> None:
    for n in range(4):
        fail(house, f"old-{n}")
    house.now += SPAN
    for n in range(10):
        house.ask(f"a{n}")

    assert not any(fail(house, f"a{n}") for n in range(4))


def test_time_outs_that_come_long_after_their_calls_open_it_too(house: Gatehouse) -> None:
    for n in range(10):
        house.ask(f"a{n}")
    house.now += 3 * SPAN

    assert any(fail(house, f"a{n}") for n in range(10))


def test_the_vendor_is_probed_by_one_call_and_left_alone_longer_when_that_fails(
    house: Gatehouse,
) -> None:
    until = broken(house)
    for n in range(5):
        house.ask(f"a{n}")

    assert house.play(until - house.now - 10) == []
    assert house.play(100) == ["a0"]
    assert not fail(house, "a0", probe=True)
    state = house.state(ROUTE)

    assert state is not None
    assert state.until_ms - house.now == 2 * COOL
    assert house.play(2 * COOL - 10) == []
    assert house.play(100) == ["a1"]
    house.gate.resume("main", ROUTE)
    assert house.play(HORIZON + 100) == ["a2", "a3", "a4"]
    assert house.state(ROUTE) is None


def test_calls_that_were_on_their_way_do_not_move_the_probe(house: Gatehouse) -> None:
    until = broken(house)
    house.now += 10

    assert not fail(house, "another")
    state = house.state(ROUTE)
    assert state is not None
    assert state.until_ms == until


def written(house: Gatehouse, account: str, route: str) -> set[str]:
    """Bring everything about at one gate; list the keys that this wrote."""
    house.client.flushdb()
    gate = house.gate
    for name, lane in (("a", Lane.LOW), ("b", Lane.NORMAL), ("c", Lane.HIGH), ("d", Lane.LOW)):
        row = Row(id=name, kind="x", account=account, reply_to="shop")
        gate.entering(row, route, 1, lane).now()
        house.due(name, START + FAR)
    gate.hold(account, route, 0.001)
    gate.hold_account(account, 0.001)
    gate.learn(account, route, 1)
    for number in range(10):
        gate.fail(Row(id=f"f{number}", kind="x", account=account), route, "http_502")
    gate.stop(account, "x")
    before = set(house.client.scan_iter())
    house.now += 2 * SPAN
    gate.deal()
    rows = [KEYS.row(name) for name in "abcd"]
    return {raw.decode() for raw in before.union(house.client.scan_iter())} - {*rows, KEYS.due}


@pytest.mark.parametrize(
    ("account", "route"), [("main", ROUTE), ("second", ROUTE), ("main", "digilocker")]
)
def test_accounts_and_routes_have_everything_of_their_own(
    house: Gatehouse, account: str, route: str
) -> None:
    own = (KEYS.slots, KEYS.tickets, KEYS.turns, KEYS.hold, KEYS.learned, KEYS.low)
    keys = {key(account, route) for key in (*own, KEYS.breaker, KEYS.failures, KEYS.streak)}
    lanes = {KEYS.queue(account, route, lane) for lane in ("normal", "high", "low")}

    found = written(house, account, route)

    shared = {KEYS.stop(account), KEYS.hold_account(account), KEYS.queues, KEYS.slot_due}
    shared.add(KEYS.server)
    assert found == keys | lanes | shared


def test_a_stopped_account_is_probed_ten_times_more_rarely_in_the_end(house: Gatehouse) -> None:
    state = house.gate.stop("main", "x")
    for _ in range(12):
        house.now = state
        assert house.ask("a") == Go(100, probe=True)
        state = house.gate.stop("main", "x", probe=True)

    assert state - house.now == 10 * PROBE


def test_a_route_that_works_again_begins_to_count_anew(house: Gatehouse) -> None:
    house.now = broken(house)
    assert house.ask("probe") == Go(100, probe=True, failing=True)

    house.gate.resume("main", ROUTE)

    assert not fail(house, "another")
    assert house.state(ROUTE) is None


class TestAtQuietTimes:
    FAR_APART = 20 * SPAN

    def fail_apart(self, house: Gatehouse, *names: str) -> list[bool]:
        """Let verifications fail one after the other, each in a window of its own."""
        opened = []
        for name in names:
            house.now += self.FAR_APART
            assert isinstance(house.ask(name), Go)
            opened.append(fail(house, name))
        return opened

    def test_a_few_failures_in_a_row_open_it_however_far_apart(self, house: Gatehouse) -> None:
        assert self.fail_apart(house, "a", "b", "c") == [False, False, True]
        assert wait(house.ask("d")).reason == "vendor/http_502"

    def test_one_bad_verification_never_does(self, house: Gatehouse) -> None:
        assert not any(self.fail_apart(house, *"aaaaaa"))

    def test_an_answer_in_between_begins_the_count_again(self, house: Gatehouse) -> None:
        self.fail_apart(house, "a", "b")
        house.now += self.FAR_APART

        assert house.ask("answered") == Go(100, failing=True)
        house.gate.answered("main", ROUTE)

        assert house.ask("next") == Go(100)
        assert self.fail_apart(house, "c", "d", "e") == [False, False, True]

    def test_of_many_calls_the_share_decides(self, house: Gatehouse) -> None:
        for n in range(10):
            house.ask(f"a{n}")

        assert [fail(house, f"a{n}") for n in range(4)] == [False] * 4
