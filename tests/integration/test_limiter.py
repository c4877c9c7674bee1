"""The limiter with a real server: no sliding window sees more calls than the limit."""

import threading
from dataclasses import replace

import pytest
import redis

from satyapan.records import Row
from satyapan.redis.scripts import load
from tests.support.admission_simulator import (
    FAR,
    HORIZON,
    KEYS,
    LIMITER,
    ROUTE,
    SPAN,
    START,
    Simulator,
    wait,
)
from worker.admission.limiter import Admitted, Limiter, NotYet


@pytest.fixture
def simulator(client: redis.Redis) -> Simulator:
    return Simulator(client)


def test_calls_are_admitted_up_to_the_limit_and_then_wait(simulator: Simulator) -> None:
    simulator.fill_window()

    answer = wait(simulator.ask("a"))

    assert (answer.reason, simulator.slot("a")) == ("quota", 0)
    assert START + FAR <= answer.until_ms <= START + FAR + 2 * SPAN


def test_a_slot_is_dealt_when_it_comes_within_the_horizon(simulator: Simulator) -> None:
    simulator.fill_window().ask("a")

    simulator.now = START + SPAN - HORIZON - 1
    assert simulator.dealt() == []
    simulator.now += 1
    assert simulator.dealt() == ["a"]

    assert simulator.slot("a") == START + SPAN
    assert simulator.client.zscore(KEYS.due, "a") == START + SPAN
    assert simulator.client.hget(KEYS.row("a"), "due") == str(START + SPAN).encode()


def test_slots_are_spread_and_never_further_than_the_horizon(simulator: Simulator) -> None:
    simulator.limit = 20
    simulator.fill_window()
    for n in range(30):
        simulator.ask(f"a{n}")
    simulator.now = START + SPAN - HORIZON

    slots = [simulator.slot(name) - START - SPAN for name in simulator.dealt()]

    assert slots == [0]
    simulator.now = START + SPAN
    slots = [simulator.slot(name) - START - SPAN for name in simulator.dealt()]
    assert slots == [0, 44, 88, 132, 176]


def test_a_holder_that_comes_early_waits_and_keeps_its_slot(simulator: Simulator) -> None:
    simulator.fill_window().ask("a")
    simulator.now = START + SPAN - HORIZON
    simulator.dealt()

    simulator.now = START + SPAN - 1

    assert [simulator.ask("a"), simulator.ask("a")] == [NotYet(START + SPAN, "quota")] * 2


def test_a_late_holder_is_admitted_while_there_is_room(simulator: Simulator) -> None:
    simulator.fill_window().ask("a")
    simulator.now = START + SPAN - HORIZON
    simulator.dealt()

    simulator.now = START + 5 * SPAN

    assert simulator.ask("a") == Admitted(3)


def test_a_late_holder_without_room_is_admitted_next(simulator: Simulator) -> None:
    simulator.limit = 1
    simulator.fill_window()
    for name in ("a", "b", "c"):
        simulator.ask(name)
    simulator.run_for(SPAN - 20)
    assert simulator.slot("a")
    simulator.set_due("a", START + 10 * SPAN)
    assert simulator.run_for(HORIZON + 100) == ["b"]

    simulator.ask("a")

    assert simulator.run_for(2 * SPAN + 100) == ["a", "c"]


def test_a_slot_admits_one_call(simulator: Simulator) -> None:
    simulator.fill_window().ask("a")
    simulator.now = START + SPAN
    simulator.dealt()
    assert simulator.ask("a") == Admitted(3)
    simulator.ask("b")
    simulator.ask("c")

    assert isinstance(simulator.ask("a"), NotYet)


def test_an_unused_slot_is_dealt_again(simulator: Simulator) -> None:
    simulator.limit = 1
    simulator.fill_window()
    simulator.ask("lost")
    simulator.ask("next")
    simulator.now = START + SPAN - 10
    assert simulator.dealt() == ["lost"]

    simulator.now += HORIZON + 20

    assert simulator.dealt() == ["lost", "next"]
    assert simulator.slot("next") < START + 2 * SPAN


def test_a_row_that_lost_its_place_in_the_queue_is_called_once_it_is_due(
    simulator: Simulator,
) -> None:
    simulator.fill_window().ask("a")
    simulator.client.delete(
        KEYS.queue("main", ROUTE, "normal"), KEYS.queues, KEYS.turns("main", ROUTE)
    )
    assert simulator.run_for(3 * SPAN) == []

    assert simulator.run_for(FAR) == ["a"]


def test_an_ended_row_takes_no_slot(simulator: Simulator) -> None:
    simulator.fill_window()
    for name in ("ended", "gone", "worked-on", "a"):
        simulator.ask(name)
    simulator.set_due("ended", 0)
    simulator.client.delete(KEYS.row("gone"))
    simulator.client.hset(KEYS.row("worked-on"), "lease", START + 10 * SPAN)
    simulator.now += SPAN

    assert simulator.dealt() == ["a"]
    assert simulator.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1) == [b"worked-on"]


def test_routes_and_accounts_do_not_share_slots(simulator: Simulator) -> None:
    row = Row(id="z", kind="x")
    simulator.fill_window()

    assert simulator.limiter.admit(row, "digilocker", 1).now() == Admitted(1)
    assert simulator.limiter.admit(replace(row, account="other"), ROUTE, 1).now() == Admitted(1)


def test_a_lowered_limit_applies_to_holders_of_slots(simulator: Simulator) -> None:
    simulator.limit = 10
    simulator.fill_window()
    for n in range(10):
        simulator.ask(f"a{n}")
    simulator.run_for(SPAN + 50)
    held = len(simulator.sent) - 10

    simulator.limit = 2
    simulator.run_for(SPAN - 100)

    assert len(simulator.sent) - 10 <= max(held, 2)


def test_earlier_calls_still_count_after_the_limit_was_lowered_and_raised(
    simulator: Simulator,
) -> None:
    simulator.limit = 10
    simulator.fill_window()
    simulator.limit = 1
    simulator.ask("a")
    simulator.limit = 10

    assert not any(isinstance(simulator.ask(f"b{n}"), Admitted) for n in range(10))


def test_a_limit_below_one_raises_an_error(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="the limit of route passport is 0"):
        simulator.limiter.admit(Row(id="z", kind="x"), ROUTE, 0).now()


def test_the_vendor_can_lower_the_limit_and_never_raise_it(simulator: Simulator) -> None:
    simulator.limiter.learn("main", ROUTE, 1)
    assert simulator.ask("a") == Admitted(1)
    assert isinstance(simulator.ask("b"), NotYet)

    simulator.limiter.learn("main", ROUTE, 50)

    assert simulator.ask("c") != Admitted(50)
    assert simulator.run_for(SPAN) == ["b", "c"]
    assert simulator.client.pttl(KEYS.learned("main", ROUTE)) > 0


def test_a_hold_delays_all_calls_and_is_never_shortened(simulator: Simulator) -> None:
    until = simulator.limiter.hold("main", ROUTE, 5)

    assert until == START + 5000
    assert simulator.limiter.hold("main", ROUTE, 1) == until
    assert simulator.limiter.hold("main", ROUTE, -1) == until
    assert simulator.run_for(1) == [] == [isinstance(simulator.ask("a"), Admitted)][1:]
    assert simulator.run_for(4900) == []
    assert simulator.run_for(500) == ["a"]


def test_a_hold_of_an_account_holds_all_its_routes_and_nothing_else(simulator: Simulator) -> None:
    row = Row(id="a", kind="x")
    until = simulator.limiter.hold("main", "", 5)

    assert simulator.limiter.hold("main", "", 1) == until == START + 5000
    for route in (ROUTE, "digilocker"):
        assert isinstance(simulator.limiter.admit(row, route, 1).now(), NotYet)
    assert simulator.limiter.admit(replace(row, account="other"), ROUTE, 1).now() == Admitted(1)
    simulator.now = until
    assert simulator.limiter.admit(row, "static_link", 1).now() == Admitted(1)


def test_a_hold_delays_holders_of_earlier_slots(simulator: Simulator) -> None:
    simulator.fill_window()
    for n in range(3):
        simulator.ask(f"a{n}")
    simulator.now = START + SPAN - 10
    assert simulator.dealt() == ["a0"]
    simulator.limiter.hold("main", ROUTE, 5)

    assert simulator.run_for(4900) == []
    assert simulator.run_for(SPAN) == ["a0", "a1", "a2"]


def test_every_key_but_the_queue_expires_and_the_queue_empties(simulator: Simulator) -> None:
    simulator.fill_window().ask("a")
    simulator.limiter.learn("main", ROUTE, 2)
    simulator.run_for(3 * SPAN)
    simulator.limiter.hold("main", ROUTE, 60)
    simulator.breakers.stop("main", "x")

    names = {raw for raw in simulator.client.scan_iter() if b":row:" not in raw}
    names.remove(KEYS.server.encode())

    assert len(names) == 4, names
    assert all(simulator.client.pttl(name) > 0 for name in names)


def test_old_calls_are_forgotten(simulator: Simulator) -> None:
    for _ in range(50):
        simulator.fill_window()
        simulator.now += SPAN

    assert simulator.client.zcard(KEYS.slots("main", ROUTE)) <= 2 * simulator.limit


def test_the_servers_own_clock_is_used(client: redis.Redis) -> None:
    seconds, micros = client.time()
    limiter = Limiter(client, KEYS, replace(LIMITER, window=60_000))

    assert limiter.admit(Row(id="a", kind="x"), ROUTE, 1).now() == Admitted(1)
    answer = wait(limiter.admit(Row(id="b", kind="x"), ROUTE, 1).now())

    assert 0 <= answer.until_ms - FAR - (seconds * 1000 + micros // 1000) < 300_000


def test_without_redis_no_call_is_admitted() -> None:
    gone = redis.Redis(host="127.0.0.1", port=1)

    with gone, pytest.raises(redis.ConnectionError):
        Limiter(gone, KEYS, LIMITER).admit(Row(id="a", kind="x"), ROUTE, 1).now()


def test_a_script_is_loaded_again_after_the_server_lost_it(client: redis.Redis) -> None:
    script = load(client, "worker", "hold")
    script(keys=["k"], args=[1000, 5])
    client.script_flush()

    assert script(keys=["k"], args=[1000, 5]) == 1005


def test_many_workers_at_once_share_one_limit_and_deal_each_slot_once(redis_url: str) -> None:
    config = replace(LIMITER, window=60_000, margin=0, horizon=58_000)
    admitted: list[str] = []

    def work(name: int) -> None:
        with redis.Redis.from_url(redis_url) as connection:
            limiter = Limiter(connection, KEYS, config)
            for n in range(10):
                row = Row(id=f"{name}-{n}", kind="x")
                connection.hset(KEYS.row(row.id), "due", 1)
                admitted.extend(
                    [row.id] * isinstance(limiter.admit(row, ROUTE, 20).now(), Admitted)
                )
                limiter.deal()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    with redis.Redis.from_url(redis_url) as client:
        simulator = Simulator(client)
        held = simulator.client.zrange(KEYS.reservations("main", ROUTE), 0, -1)
        waiting = simulator.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
    names = [*admitted, *(raw.decode() for raw in (*held, *waiting))]
    assert len(names) == len(set(names)) == 80
    assert len(admitted) <= 20
    assert len(admitted) + len(held) <= 40
