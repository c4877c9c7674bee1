"""The two breakers: the account's opens at once, the vendor's when too many calls fail."""

from collections.abc import Iterator

import pytest
import redis

from config.breakers import Shut
from satyapan.records import Row
from tests.support.admission_simulator import (
    BREAKERS,
    FAR,
    HORIZON,
    KEYS,
    ROUTE,
    SPAN,
    START,
    Simulator,
    wait,
)
from worker.admission.limiter import Admitted, NotYet
from worker.rules.lane import Lane

PROBE, COOL = 50, 300


@pytest.fixture
def simulator(redis_url: str) -> Iterator[Simulator]:
    with redis.Redis.from_url(redis_url) as client:
        yield Simulator(client, limit=100)


def fail(simulator: Simulator, name: str, *, probe: bool = False) -> bool:
    return simulator.breakers.fail(Row(id=name, kind="x"), ROUTE, "http_502", probe=probe)


def open_vendors_breaker(simulator: Simulator) -> int:
    """Open the vendor's breaker; return the time of its first probe."""
    for n in range(10):
        simulator.ask(f"b{n}")
    for n in range(10):
        fail(simulator, f"b{n}")
    state = simulator.breaker(ROUTE)
    assert state is not None
    return state.until_ms


def test_a_stopped_account_stops_every_route(simulator: Simulator) -> None:
    row = Row(id="a", kind="x")
    until = simulator.breakers.stop("main", "insufficient_balance")

    assert until == START + PROBE
    for route in (ROUTE, "digilocker"):
        answer = wait(simulator.limiter.admit(row, route, 1).now())
        assert answer.reason == "account/insufficient_balance"
    assert simulator.limiter.admit(
        Row(id="o", kind="x", account="other"), ROUTE, 1
    ).now() == Admitted(1)
    assert simulator.breaker() == Shut("insufficient_balance", START, until)


def test_one_call_probes_and_each_failure_doubles_the_pause_up_to_a_cap(
    simulator: Simulator,
) -> None:
    simulator.breakers.stop("main", "x")
    waits = []
    for _ in range(6):
        state = simulator.breaker()
        assert state is not None
        waits.append(state.until_ms - simulator.now)
        simulator.now = state.until_ms

        answers = [simulator.ask(f"{len(waits)}-{n}") for n in range(3)]

        assert answers[0] == Admitted(100, probe=True)
        assert {type(each) for each in answers[1:]} == {NotYet}
        simulator.client.delete(*simulator.client.keys("test:queue*"))
        simulator.breakers.stop("main", "x", probe=True)

    assert waits == [50, 100, 200, 400, 500, 500]


def test_another_stop_while_the_breaker_is_open_does_not_move_the_probe(
    simulator: Simulator,
) -> None:
    until = simulator.breakers.stop("main", "x")
    simulator.now += 10

    assert simulator.breakers.stop("main", "y") == until
    assert simulator.breaker() == Shut("y", START, until)


def test_waiting_rows_probe_one_at_a_time_and_go_on_after_a_success(
    simulator: Simulator,
) -> None:
    until = simulator.breakers.stop("main", "x")
    for n in range(20):
        simulator.ask(f"a{n}")

    assert simulator.run_for(until - simulator.now - 10) == []
    assert simulator.run_for(400) == ["a0"]
    simulator.breakers.resume("main")

    assert simulator.breaker() is None
    assert len(simulator.run_for(19 * SPAN // 100 + 100)) == 19


def test_a_probe_without_an_outcome_is_followed_by_another(simulator: Simulator) -> None:
    simulator.breakers.stop("main", "x")
    for n in range(3):
        simulator.ask(f"a{n}")

    assert simulator.run_for(PROBE + 500 - 10) == ["a0"]
    assert simulator.run_for(250) == ["a1"]


def test_a_probe_takes_a_slot_like_any_call(simulator: Simulator) -> None:
    simulator.limit = 3
    simulator.fill_window()
    simulator.breakers.stop("main", "x")
    simulator.now += PROBE

    assert isinstance(simulator.ask("a"), NotYet)
    simulator.run_for(SPAN)

    assert [name for _, name in simulator.sent[3:]] == ["a"]


def test_many_failures_open_the_vendors_breaker_and_all_calls_wait(simulator: Simulator) -> None:
    for n in range(10):
        assert simulator.ask(f"a{n}") == Admitted(100)
    opened = [fail(simulator, f"a{n}") for n in range(6)]

    assert opened == [False] * 4 + [True, False]
    assert simulator.breaker(ROUTE) == Shut("http_502", START, START + COOL)
    assert wait(simulator.ask("b")).reason == "vendor/http_502"
    assert simulator.limiter.admit(Row(id="z", kind="x"), "digilocker", 1).now() == Admitted(1)


def test_a_smaller_share_of_failures_does_not_open_the_breaker(simulator: Simulator) -> None:
    for n in range(9):
        simulator.ask(f"a{n}")
    for n in range(20):
        simulator.ask(f"good-{n}")

    assert not any(fail(simulator, f"a{n}") for n in range(9))


def test_a_single_failing_verification_does_not_open_the_breaker(simulator: Simulator) -> None:
    for _ in range(50):
        simulator.ask("bad")
        assert not fail(simulator, "bad")
        simulator.now += 5


def test_old_failures_are_forgotten(simulator: Simulator) -> None:
    for n in range(4):
        fail(simulator, f"old-{n}")
    simulator.now += SPAN
    for n in range(10):
        simulator.ask(f"a{n}")

    assert not any(fail(simulator, f"a{n}") for n in range(4))


def test_timeouts_long_after_their_calls_open_the_breaker_too(simulator: Simulator) -> None:
    for n in range(10):
        simulator.ask(f"a{n}")
    simulator.now += 3 * SPAN

    assert any(fail(simulator, f"a{n}") for n in range(10))


def test_one_call_probes_the_vendor_and_its_failure_doubles_the_pause(
    simulator: Simulator,
) -> None:
    until = open_vendors_breaker(simulator)
    for n in range(5):
        simulator.ask(f"a{n}")

    assert simulator.run_for(until - simulator.now - 10) == []
    assert simulator.run_for(100) == ["a0"]
    assert not fail(simulator, "a0", probe=True)
    state = simulator.breaker(ROUTE)

    assert state is not None
    assert state.until_ms - simulator.now == 2 * COOL
    assert simulator.run_for(2 * COOL - 10) == []
    assert simulator.run_for(100) == ["a1"]
    simulator.breakers.resume("main", ROUTE)
    assert simulator.run_for(HORIZON + 100) == ["a2", "a3", "a4"]
    assert simulator.breaker(ROUTE) is None


def test_failures_of_calls_already_in_flight_do_not_move_the_probe(simulator: Simulator) -> None:
    until = open_vendors_breaker(simulator)
    simulator.now += 10

    assert not fail(simulator, "another")
    state = simulator.breaker(ROUTE)
    assert state is not None
    assert state.until_ms == until


def written_keys(simulator: Simulator, account: str, route: str) -> set[str]:
    """Use all of admission for one account and route; return the keys that this wrote."""
    simulator.client.flushdb()
    limiter, breakers = simulator.limiter, simulator.breakers
    for name, lane in (("a", Lane.LOW), ("b", Lane.NORMAL), ("c", Lane.HIGH), ("d", Lane.LOW)):
        row = Row(id=name, kind="x", account=account, reply_to="shop")
        limiter.admit(row, route, 1, lane).now()
        simulator.set_due(name, START + FAR)
    limiter.hold(account, route, 0.001)
    limiter.hold(account, "", 0.001)
    limiter.learn(account, route, 1)
    for number in range(10):
        breakers.fail(Row(id=f"f{number}", kind="x", account=account), route, "http_502")
    breakers.stop(account, "x")
    before = set(simulator.client.scan_iter())
    simulator.now += 2 * SPAN
    limiter.deal()
    rows = [KEYS.row(name) for name in "abcd"]
    return {raw.decode() for raw in before.union(simulator.client.scan_iter())} - {*rows, KEYS.due}


@pytest.mark.parametrize(
    ("account", "route"), [("main", ROUTE), ("second", ROUTE), ("main", "digilocker")]
)
def test_each_account_and_route_has_keys_of_its_own(
    simulator: Simulator, account: str, route: str
) -> None:
    own = (KEYS.slots, KEYS.reservations, KEYS.turns, KEYS.hold, KEYS.learned, KEYS.low)
    keys = {key(account, route) for key in (*own, KEYS.breaker, KEYS.failures, KEYS.streak)}
    lanes = {KEYS.queue(account, route, lane) for lane in ("normal", "high", "low")}

    found = written_keys(simulator, account, route)

    shared = {KEYS.stop(account), KEYS.hold_account(account), KEYS.queues, KEYS.slot_due}
    shared.add(KEYS.server)
    assert found == keys | lanes | shared


def test_the_pause_between_probes_of_a_stopped_account_grows_at_most_tenfold(
    simulator: Simulator,
) -> None:
    until = simulator.breakers.stop("main", "x")
    for _ in range(12):
        simulator.now = until
        assert simulator.ask("a") == Admitted(100, probe=True)
        until = simulator.breakers.stop("main", "x", probe=True)

    assert until - simulator.now == 10 * PROBE


def test_a_resumed_route_counts_failures_from_zero(simulator: Simulator) -> None:
    simulator.now = open_vendors_breaker(simulator)
    assert simulator.ask("probe") == Admitted(100, probe=True, failing=True)

    simulator.breakers.resume("main", ROUTE)

    assert not fail(simulator, "another")
    assert simulator.breaker(ROUTE) is None


class TestAtQuietTimes:
    FAR_APART = 20 * SPAN

    def fail_apart(self, simulator: Simulator, *names: str) -> list[bool]:
        """Let verifications fail one after another, each in its own window."""
        opened = []
        for name in names:
            simulator.now += self.FAR_APART
            assert isinstance(simulator.ask(name), Admitted)
            opened.append(fail(simulator, name))
        return opened

    def test_a_few_failures_in_a_row_open_the_breaker_however_far_apart(
        self, simulator: Simulator
    ) -> None:
        assert self.fail_apart(simulator, "a", "b", "c") == [False, False, True]
        assert wait(simulator.ask("d")).reason == "vendor/http_502"

    def test_repeated_failures_of_one_verification_never_open_the_breaker(
        self, simulator: Simulator
    ) -> None:
        assert not any(self.fail_apart(simulator, *"aaaaaa"))

    def test_an_answer_in_between_resets_the_count(self, simulator: Simulator) -> None:
        self.fail_apart(simulator, "a", "b")
        simulator.now += self.FAR_APART

        assert simulator.ask("answered") == Admitted(100, failing=True)
        simulator.breakers.answered("main", ROUTE)

        assert simulator.ask("next") == Admitted(100)
        assert self.fail_apart(simulator, "c", "d", "e") == [False, False, True]

    def test_with_many_calls_the_share_of_failures_decides(self, simulator: Simulator) -> None:
        for n in range(10):
            simulator.ask(f"a{n}")

        assert [fail(simulator, f"a{n}") for n in range(4)] == [False] * 4

    def test_repeats_of_a_few_verifications_do_not_keep_it_closed(
        self, simulator: Simulator
    ) -> None:
        opened = []
        for name in "aaaabbbbbcc":
            simulator.now += BREAKERS.over // 10
            assert isinstance(simulator.ask(name), Admitted)
            opened.append(fail(simulator, name))

        assert opened == [False] * 10 + [True]

    def test_failures_are_remembered_for_a_day(self, simulator: Simulator) -> None:
        fail(simulator, "a")

        left_ms = simulator.client.pttl(KEYS.streak("main", ROUTE))

        assert 86_000_000 < left_ms <= 86_400_000


class TestRecovery:
    def wait_for_retry(self, simulator: Simulator, *names: str) -> None:
        """Let rows fail, and wait for their own next time, far away."""
        for name in names:
            fail(simulator, name)
            simulator.set_due(name, simulator.now + FAR)

    def due(self, simulator: Simulator, name: str) -> int:
        """Return when a row is due: in its hash as in the index."""
        due = int(simulator.client.hget(KEYS.row(name), "due") or 0)
        assert int(simulator.client.zscore(KEYS.due, name) or 0) == due
        return due

    def test_an_answered_probe_makes_the_rows_due_that_failed(self, simulator: Simulator) -> None:
        self.wait_for_retry(simulator, "a", "b", "c")
        simulator.now += COOL

        simulator.breakers.resume("main", ROUTE)

        assert {self.due(simulator, name) for name in "abc"} == {simulator.now}
        assert simulator.breaker(ROUTE) is None

    def test_rows_that_are_settled_claimed_or_due_already_are_left_alone(
        self, simulator: Simulator
    ) -> None:
        self.wait_for_retry(simulator, "settled", "claimed", "due", "deleted")
        simulator.set_due("settled", 0)
        simulator.set_due("due", START - 5)
        simulator.client.hset(KEYS.row("claimed"), "lease", START + 1)
        simulator.client.delete(KEYS.row("deleted"))
        simulator.client.zrem(KEYS.due, "deleted")

        simulator.breakers.resume("main", ROUTE)

        assert self.due(simulator, "settled") == 0
        assert self.due(simulator, "claimed") == START + FAR
        assert self.due(simulator, "due") == START - 5
        assert not simulator.client.exists(KEYS.row("deleted"))

    def test_an_answer_while_the_breaker_is_closed_wakes_nobody(self, simulator: Simulator) -> None:
        self.wait_for_retry(simulator, "bad")

        simulator.breakers.answered("main", ROUTE)

        assert self.due(simulator, "bad") == START + FAR
