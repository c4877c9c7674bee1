"""The quota holds when Redis may have lost calls and when its clock jumps."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from demo.server import EmbeddedServer
from satyapan import State
from tests.conftest import Sandbox
from tests.support.admission_simulator import HORIZON, KEYS, LIMITER, SPAN, WINDOW, Simulator, wait
from tests.support.worker_harness import Harness
from worker.admission.limiter import Admitted, Limiter
from worker.admission.redis_clock import Jump, RedisClock
from worker.maintenance.marker import Marker
from worker.rules.lane import Lane

MINUTE = replace(LIMITER, window=60_000)
LONG_SPAN = 60_000 + LIMITER.margin + 1
UPTIME_MS = 10_000
"""At most this long passes from a server's start to the first call of a test."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(tmp_path / "own") as server:
        yield server


def client_of(server: EmbeddedServer) -> Any:
    return redis.Redis.from_url(server.url)


def crash(server: EmbeddedServer) -> None:
    server.kill()
    server.restart()


class TestAChangedServer:
    def test_after_a_restart_all_calls_are_held_for_a_window_from_its_start(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server), config=MINUTE)
        assert isinstance(simulator.ask("before"), Admitted)

        crash(server)
        held = wait(simulator.ask("after"))

        assert held.reason == "redis_changed"
        until = int(simulator.client.hget(KEYS.server, "until"))
        assert simulator.now + LONG_SPAN - UPTIME_MS < until <= simulator.now + LONG_SPAN
        simulator.run_for(LONG_SPAN + 1_000)
        assert simulator.sent[-1][1] == "after"
        assert simulator.sent[-1][0] >= until

    def test_calls_are_not_held_once_a_window_has_passed_since_the_restart(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server))
        simulator.ask("before")

        crash(server)
        time.sleep(SPAN / 1000 + 1)

        assert isinstance(simulator.ask("after"), Admitted)

    def test_after_a_restart_of_a_durable_server_nothing_is_held(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server), config=MINUTE)
        simulator.ask("before")
        simulator.client.config_set("appendfsync", "always")
        mark_server(simulator.client)

        crash(server)

        assert isinstance(simulator.ask("after"), Admitted)

    def test_after_a_promotion_calls_are_held_although_the_old_server_was_durable(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server), config=MINUTE)
        simulator.ask("before")
        simulator.client.hset(KEYS.server, "durable", 1)
        simulator.client.replicaof("127.0.0.1", 1)
        simulator.client.replicaof("NO", "ONE")

        held = wait(simulator.ask("after"))

        assert held.reason == "redis_changed"
        assert int(simulator.client.hget(KEYS.server, "until")) == simulator.now + LONG_SPAN

    def test_a_change_of_server_holds_calls_once(self, server: EmbeddedServer) -> None:
        simulator = Simulator(client_of(server), config=MINUTE)
        simulator.ask("before")
        crash(server)
        simulator.ask("after")
        until = simulator.client.hget(KEYS.server, "until")
        simulator.now += 30_000

        simulator.ask("later")

        assert simulator.client.hget(KEYS.server, "until") == until

    def test_a_new_installation_holds_nothing(self, server: EmbeddedServer) -> None:
        assert isinstance(Simulator(client_of(server), config=MINUTE).ask("first"), Admitted)


def mark_server(client: Any) -> bytes | None:
    """Let a worker check the server once; return the mark that says whether it is durable."""
    Marker(client, KEYS, Limiter(client, KEYS, LIMITER), RedisClock(), 5_000).mark()
    mark: bytes | None = client.hget(KEYS.server, "durable")
    return mark


class TestDurable:
    def test_a_server_is_durable_only_if_it_syncs_every_write(self, server: EmbeddedServer) -> None:
        simulator = Simulator(client_of(server))
        simulator.ask("first")
        marks = []
        for policy in ("everysec", "always", "no"):
            simulator.client.config_set("appendfsync", policy)
            marks.append(mark_server(simulator.client))
        simulator.client.config_set("appendfsync", "always")
        simulator.client.config_set("no-appendfsync-on-rewrite", "yes")
        marks.append(mark_server(simulator.client))
        simulator.client.config_set("no-appendfsync-on-rewrite", "no")
        simulator.client.config_set("appendonly", "no")

        assert [*marks, mark_server(simulator.client)] == [b"0", b"1", b"0", b"0", b"0"]

    def test_a_server_with_a_replica_is_not_durable(
        self, server: EmbeddedServer, tmp_path: Path
    ) -> None:
        simulator = Simulator(client_of(server))
        simulator.ask("first")
        simulator.client.config_set("appendfsync", "always")
        with EmbeddedServer(tmp_path / "replica") as other:
            client_of(other).replicaof("127.0.0.1", server.port)
            while not simulator.client.info("replication")["connected_slaves"]:
                time.sleep(0.05)

            assert mark_server(simulator.client) == b"0"

    def test_a_server_that_forbids_config_is_no_longer_durable(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server))
        simulator.ask("first")
        simulator.client.config_set("appendfsync", "always")
        assert mark_server(simulator.client) == b"1"
        simulator.client.acl_setuser(
            "limited", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-config"]
        )

        with redis.Redis(port=server.port, username="limited", password="x") as limited:
            assert mark_server(limited) == b"0"

    def test_a_server_with_another_id_is_not_marked_as_durable(
        self, server: EmbeddedServer
    ) -> None:
        simulator = Simulator(client_of(server))
        simulator.ask("first")
        simulator.client.hset(KEYS.server, "id", "another")
        simulator.client.config_set("appendfsync", "always")

        assert mark_server(simulator.client) == b"0"


@pytest.fixture
def simulator(redis_url: str) -> Iterator[Simulator]:
    with redis.Redis.from_url(redis_url) as client:
        yield Simulator(client)


class TestAClockThatJumps:
    def test_a_jump_forward_holds_all_calls_for_a_window(self, simulator: Simulator) -> None:
        simulator.fill_window()
        simulator.now += 65_000

        until = simulator.limiter.hold_all(Jump(65_000, 500), lambda: None).now()
        held = wait(simulator.ask("after"))

        assert until == simulator.now + SPAN
        assert held.reason == "clock_jumped"
        simulator.run_for(SPAN - 1)
        assert len(simulator.sent) == simulator.limit
        simulator.run_for(500)
        assert simulator.sent[-1][1] == "after"

    def test_one_jump_that_two_workers_notice_counts_once(self, simulator: Simulator) -> None:
        until = simulator.limiter.hold_all(Jump(65_000, 500), lambda: None).now()
        simulator.now += 900

        assert simulator.limiter.hold_all(Jump(64_700, 1_200), lambda: None).now() == until
        assert (
            simulator.limiter.hold_all(Jump(3_000, 1_200), lambda: None).now()
            == simulator.now + SPAN
        )

    def test_a_jump_back_delays_by_a_window_at_most(self, simulator: Simulator) -> None:
        simulator.fill_window()
        for name in ("a", "b", "c"):
            simulator.ask(name)
        simulator.now += SPAN - HORIZON // 2
        assert simulator.dealt() == ["a"]
        simulator.now -= 600_000
        stepped = simulator.now

        wait(simulator.ask("new"))
        simulator.run_for(3 * SPAN)

        assert [name for _, name in simulator.sent[simulator.limit :]] == ["a", "b", "c", "new"]
        assert simulator.sent[simulator.limit][0] <= stepped + SPAN + HORIZON

    def test_a_jump_back_does_not_wake_ended_rows(self, simulator: Simulator) -> None:
        simulator.fill_window()
        simulator.ask("ended")
        simulator.now += SPAN - HORIZON // 2
        assert simulator.dealt() == ["ended"]
        simulator.set_due("ended", 0)
        simulator.now -= 600_000

        simulator.ask("other")

        assert simulator.client.zscore(KEYS.due, "ended") is None
        assert simulator.client.hget(KEYS.row("ended"), "due") == b"0"

    def test_a_jump_back_leaves_polls_their_share(self, simulator: Simulator) -> None:
        simulator.limit = 4
        for name in ("p1", "p2"):
            assert isinstance(simulator.ask(name, lane=Lane.LOW), Admitted)
        simulator.now -= 600_000
        simulator.limiter.deal()
        simulator.ask("p3", lane=Lane.LOW)

        simulator.run_for(2 * SPAN)

        assert simulator.sent[-1][1] == "p3"

    def test_a_jump_back_after_one_forward_delays_by_a_window_too(
        self, simulator: Simulator
    ) -> None:
        simulator.limiter.hold_all(Jump(65_000, 500), lambda: None).now()
        simulator.now -= 600_000
        stepped = simulator.now
        wait(simulator.ask("a"))

        simulator.run_for(2 * SPAN)

        assert simulator.sent[-1][1] == "a"
        assert simulator.sent[-1][0] <= stepped + SPAN + HORIZON

    @pytest.mark.parametrize("seed", range(10))
    def test_in_real_time_no_window_sees_more_than_the_limit(
        self, simulator: Simulator, seed: int
    ) -> None:
        rng, ahead = random.Random(seed), 0
        called: list[int] = []
        for number in range(100):
            jump = rng.choice([-600_000, -3_000, -50, 2_000, 65_000, 10**7])
            if rng.random() < 0.05:
                simulator.now, ahead = simulator.now + jump, ahead + jump
                if jump > 0:
                    simulator.limiter.hold_all(Jump(jump, 10), lambda: None).now()
            before = len(simulator.sent)
            simulator.ask(f"v{number}")
            simulator.run_for(rng.choice([1, 40, 200, 900]))
            called += [time_ - ahead for time_, _ in simulator.sent[before:]]

        windows = [[t for t in called if start <= t <= start + WINDOW] for start in called]
        assert max(len(calls) for calls in windows) <= simulator.limit
        assert len(called) > 30


def test_a_worker_that_notices_a_jump_holds_before_it_calls(harness: Harness) -> None:
    row_id = harness.submit("passport")
    clock, now = harness.parts.marker._clock, time.monotonic()
    seconds, micros = harness.redis.time()
    clock.read(int(seconds) * 1000 + micros // 1000 - 65_000, now, now)

    held = harness.run_once(row_id)

    assert (held.state, held.reason) == (State.ACCEPTED, "clock_jumped")
    assert harness.vendor.charges() == []


def test_a_jump_that_could_not_be_reported_holds_the_next_call(harness: Harness) -> None:
    row_id = harness.submit("passport")
    clock, now = harness.parts.marker._clock, time.monotonic()
    seconds, micros = harness.redis.time()
    clock.read(int(seconds) * 1000 + micros // 1000 - 65_000, now, now)
    clock.read(int(seconds) * 1000 + micros // 1000, now, now)  # noticed, but not reported

    assert harness.run_once(row_id).reason == "clock_jumped"


def test_a_redis_user_without_info_works_without_the_protection(
    redis_url: str, sandbox: Sandbox
) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.acl_setuser(
            "kyc", enabled=True, passwords=["+pw"], commands=["+@all", "-info"],
            keys=["*"], channels=["*"],
        )  # fmt: skip
    own = redis_url.replace("redis://", "redis://kyc:pw@")
    harness = Harness(own, sandbox.root)

    ended = harness.run_once(harness.submit("passport"))
    harness.parts.marker.mark()

    assert ended.state is State.DONE
    assert harness.redis.get(harness.parts.ledger.keys.swept) is not None
