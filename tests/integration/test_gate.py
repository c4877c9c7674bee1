"""The gate on a real server: no sliding window sees more than the limit, whoever comes when."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis

from satyapan.records import Row
from satyapan.scripts import load
from tests.support.gatehouse import (
    FAR,
    FIGURES,
    HORIZON,
    KEYS,
    ROUTE,
    SPAN,
    START,
    Gatehouse,
    wait,
)
from worker.admission.admission import Gate, Go, Wait


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as connected:
        yield connected


@pytest.fixture
def house(client: redis.Redis) -> Gatehouse:
    return Gatehouse(client)


def test_calls_go_until_the_limit_and_then_wait(house: Gatehouse) -> None:
    house.fill()

    answer = wait(house.ask("a"))

    assert (answer.reason, house.slot("a")) == ("quota", 0)
    assert START + FAR <= answer.until_ms <= START + FAR + 2 * SPAN


def test_a_slot_is_dealt_when_it_comes_within_the_horizon(house: Gatehouse) -> None:
    house.fill().ask("a")

    house.now = START + SPAN - HORIZON - 1
    assert house.dealt() == []
    house.now += 1
    assert house.dealt() == ["a"]

    assert house.slot("a") == START + SPAN
    assert house.client.zscore(KEYS.due, "a") == START + SPAN
    assert house.client.hget(KEYS.row("a"), "due") == str(START + SPAN).encode()


def test_slots_are_spread_and_never_further_than_the_horizon(house: Gatehouse) -> None:
    house.limit = 20
    house.fill()
    for n in range(30):
        house.ask(f"a{n}")
    house.now = START + SPAN - HORIZON

    slots = [house.slot(name) - START - SPAN for name in house.dealt()]

    assert slots == [0]
    house.now = START + SPAN
    slots = [house.slot(name) - START - SPAN for name in house.dealt()]
    assert slots == [0, 44, 88, 132, 176]


def test_who_comes_early_keeps_the_slot(house: Gatehouse) -> None:
    house.fill().ask("a")
    house.now = START + SPAN - HORIZON
    house.dealt()

    house.now = START + SPAN - 1

    assert [house.ask("a"), house.ask("a")] == [Wait(START + SPAN, "quota")] * 2


def test_a_late_holder_goes_while_there_is_room(house: Gatehouse) -> None:
    house.fill().ask("a")
    house.now = START + SPAN - HORIZON
    house.dealt()

    house.now = START + 5 * SPAN

    assert house.ask("a") == Go(3)


def test_a_late_holder_whose_place_is_gone_comes_next(house: Gatehouse) -> None:
    house.limit = 1
    house.fill()
    for name in ("a", "b", "c"):
        house.ask(name)
    house.play(SPAN - 20)
    assert house.slot("a")
    house.due("a", START + 10 * SPAN)
    assert house.play(HORIZON + 100) == ["b"]

    house.ask("a")

    assert house.play(2 * SPAN + 100) == ["a", "c"]


def test_a_slot_serves_one_call(house: Gatehouse) -> None:
    house.fill().ask("a")
    house.now = START + SPAN
    house.dealt()
    assert house.ask("a") == Go(3)
    house.ask("b")
    house.ask("c")

    assert isinstance(house.ask("a"), Wait)


def test_a_slot_that_nobody_used_is_dealt_again(house: Gatehouse) -> None:
    house.limit = 1
    house.fill()
    house.ask("lost")
    house.ask("next")
    house.now = START + SPAN - 10
    assert house.dealt() == ["lost"]

    house.now += HORIZON + 20

    assert house.dealt() == ["lost", "next"]
    assert house.slot("next") < START + 2 * SPAN


def test_a_lost_place_in_the_queue_is_made_good_when_the_row_is_due(house: Gatehouse) -> None:
    house.fill().ask("a")
    house.client.delete(KEYS.queue("main", ROUTE, "normal"), KEYS.queues, KEYS.turns("main", ROUTE))
    assert house.play(3 * SPAN) == []

    assert house.play(FAR) == ["a"]


def test_an_ended_row_takes_no_slot(house: Gatehouse) -> None:
    house.fill()
    for name in ("ended", "gone", "worked-on", "a"):
        house.ask(name)
    house.due("ended", 0)
    house.client.delete(KEYS.row("gone"))
    house.client.hset(KEYS.row("worked-on"), "lease", START + 10 * SPAN)
    house.now += SPAN

    assert house.dealt() == ["a"]
    assert house.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1) == [b"worked-on"]


def test_routes_and_accounts_do_not_share_slots(house: Gatehouse) -> None:
    row = Row(id="z", kind="x")
    house.fill()

    assert house.gate.entering(row, "digilocker", 1).now() == Go(1)
    assert house.gate.entering(replace(row, account="other"), ROUTE, 1).now() == Go(1)


def test_a_lowered_limit_binds_those_who_hold_slots(house: Gatehouse) -> None:
    house.limit = 10
    house.fill()
    for n in range(10):
        house.ask(f"a{n}")
    house.play(SPAN + 50)
    held = len(house.sent) - 10

    house.limit = 2
    house.play(SPAN - 100)

    assert len(house.sent) - 10 <= max(held, 2)


def test_a_limit_that_was_lowered_and_raised_has_not_forgotten(house: Gatehouse) -> None:
    house.limit = 10
    house.fill()
    house.limit = 1
    house.ask("a")
    house.limit = 10

    assert not any(isinstance(house.ask(f"b{n}"), Go) for n in range(10))


def test_a_limit_below_one_is_a_mistake(house: Gatehouse) -> None:
    with pytest.raises(ValueError, match="the limit of route passport is 0"):
        house.gate.entering(Row(id="z", kind="x"), ROUTE, 0).now()


def test_the_vendor_can_lower_the_limit_and_never_raise_it(house: Gatehouse) -> None:
    house.gate.learn("main", ROUTE, 1)
    assert house.ask("a") == Go(1)
    assert isinstance(house.ask("b"), Wait)

    house.gate.learn("main", ROUTE, 50)

    assert house.ask("c") != Go(50)
    assert house.play(SPAN) == ["b", "c"]
    assert house.client.pttl(KEYS.learned("main", ROUTE)) > 0


def test_a_hold_moves_everyone_and_only_later(house: Gatehouse) -> None:
    until = house.gate.hold("main", ROUTE, 5)

    assert until == START + 5000
    assert house.gate.hold("main", ROUTE, 1) == until
    assert house.gate.hold("main", ROUTE, -1) == until
    assert house.play(1) == [] == [isinstance(house.ask("a"), Go)][1:]
    assert house.play(4900) == []
    assert house.play(500) == ["a"]


def test_a_hold_of_an_account_holds_all_its_routes_and_nothing_else(house: Gatehouse) -> None:
    row = Row(id="a", kind="x")
    until = house.gate.hold_account("main", 5)

    assert house.gate.hold_account("main", 1) == until == START + 5000
    for route in (ROUTE, "digilocker"):
        assert isinstance(house.gate.entering(row, route, 1).now(), Wait)
    assert house.gate.entering(replace(row, account="other"), ROUTE, 1).now() == Go(1)
    house.now = until
    assert house.gate.entering(row, "static-link", 1).now() == Go(1)


def test_a_hold_moves_those_who_hold_earlier_slots(house: Gatehouse) -> None:
    house.fill()
    for n in range(3):
        house.ask(f"a{n}")
    house.now = START + SPAN - 10
    assert house.dealt() == ["a0"]
    house.gate.hold("main", ROUTE, 5)

    assert house.play(4900) == []
    assert house.play(SPAN) == ["a0", "a1", "a2"]


def test_every_key_but_the_queue_expires_and_the_queue_empties(house: Gatehouse) -> None:
    house.fill().ask("a")
    house.gate.learn("main", ROUTE, 2)
    house.play(3 * SPAN)
    house.gate.hold("main", ROUTE, 60)
    house.gate.stop("main", "x")

    names = {raw for raw in house.client.scan_iter() if b":row:" not in raw}
    names.remove(KEYS.server.encode())

    assert len(names) == 4, names
    assert all(house.client.pttl(name) > 0 for name in names)


def test_old_calls_are_forgotten(house: Gatehouse) -> None:
    for _ in range(50):
        house.fill()
        house.now += SPAN

    assert house.client.zcard(KEYS.slots("main", ROUTE)) <= 2 * house.limit


def test_the_servers_own_clock_is_used(client: redis.Redis) -> None:
    seconds, micros = client.time()
    gate = Gate(client, KEYS, replace(FIGURES, window=60_000))

    assert gate.entering(Row(id="a", kind="x"), ROUTE, 1).now() == Go(1)
    answer = wait(gate.entering(Row(id="b", kind="x"), ROUTE, 1).now())

    assert 0 <= answer.until_ms - FAR - (seconds * 1000 + micros // 1000) < 300_000


def test_without_redis_nobody_passes() -> None:
    gone = redis.Redis(host="127.0.0.1", port=1)

    with gone, pytest.raises(redis.ConnectionError):
        Gate(gone, KEYS, FIGURES).entering(Row(id="a", kind="x"), ROUTE, 1).now()


def test_a_server_that_lost_its_scripts_is_given_them_again(client: redis.Redis) -> None:
    script = load(client, "worker", "gate_hold")
    script(keys=["k"], args=[1000, 5])
    client.script_flush()

    assert script(keys=["k"], args=[1000, 5]) == 1005


def test_many_workers_at_once_share_one_limit_and_deal_each_slot_once(redis_url: str) -> None:
    figures = replace(FIGURES, window=60_000, margin=0, horizon=58_000)
    passed: list[str] = []

    def work(name: int) -> None:
        with redis.Redis.from_url(redis_url) as mine:
            gate = Gate(mine, KEYS, figures)
            for n in range(10):
                row = Row(id=f"{name}-{n}", kind="x")
                mine.hset(KEYS.row(row.id), "due", 1)
                passed.extend([row.id] * isinstance(gate.entering(row, ROUTE, 20).now(), Go))
                gate.deal()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    with redis.Redis.from_url(redis_url) as client:
        house = Gatehouse(client)
        held = house.client.zrange(KEYS.tickets("main", ROUTE), 0, -1)
        waiting = house.client.zrange(KEYS.queue("main", ROUTE, "normal"), 0, -1)
    names = [*passed, *(raw.decode() for raw in (*held, *waiting))]
    assert len(names) == len(set(names)) == 80
    assert len(passed) <= 20
    assert len(passed) + len(held) <= 40
