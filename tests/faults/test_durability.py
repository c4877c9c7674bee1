"""Redis is killed while producers submit: every confirmed submit is still there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import redis

from demo.server import EmbeddedServer
from satyapan import Unavailable
from tests.support.eventually import eventually
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.slow_disk import slow_disk
from tests.support.worker_harness import Harness

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
SCALE = scale()
REQUEST = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
PRODUCERS = 4


class Submits:
    """Producers that submit until the server is gone, and the ids that it confirmed."""

    def __init__(self, url: str, name: str = "") -> None:
        self.confirmed: list[str] = []
        self._name = name
        self._verifications = Harness(url, "http://127.0.0.1:1").verifications

    def submit(self, key: str) -> None:
        """Submit one; raise Unavailable if it isn't confirmed."""
        done = self._verifications.submit("passport", REQUEST, key=f"{self._name}-{key}")
        self.confirmed.append(done.id)

    @contextmanager
    def until_killed(self) -> Iterator[None]:
        """Submit during the block. The block must end by killing the server."""
        threads = [threading.Thread(target=self._submit_all, args=(n,)) for n in range(PRODUCERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            for thread in threads:
                thread.join(30)

    def reached(self, least: int) -> bool:
        """Return True if at least this many were confirmed."""
        return len(self.confirmed) >= least

    def held_back(self, client: redis.Redis) -> bool:
        """Submit one; return True if Redis confirmed it before it wrote it."""
        self.submit(str(len(self.confirmed)))
        return int(client.info("persistence")["aof_buffer_length"]) > 0

    def lost(self) -> int:
        """Count the confirmed ones that are lost."""
        return sum(self._verifications.get(one) is None for one in self.confirmed)

    def _submit_all(self, producer: int) -> None:
        with suppress(Unavailable):
            for number in range(100_000):
                self.submit(f"{producer}-{number}")


def kill_while_submitting(server: EmbeddedServer, disk: str, least: int) -> None:
    """Kill the server repeatedly, each time after `least` more submits were confirmed."""
    for number in range(SCALE.runs):
        submits = Submits(server.url, f"{disk}-{number}")
        with submits.until_killed():
            try:
                eventually(partial(submits.reached, least))
            finally:
                server.kill()
        server.restart()

        confirmed, lost = len(submits.confirmed), submits.lost()
        figures = {"accepted": confirmed, "lost": lost}
        ExperimentLog(SCALE).record("durability", f"{disk} {number}", good=not lost, **figures)
        assert lost == 0, f"{lost} of {confirmed} are lost"


def test_a_killed_server_keeps_every_confirmed_submit(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / "redis") as server:
        kill_while_submitting(server, "disk", least=200)


def test_a_server_killed_on_a_slow_disk_keeps_every_confirmed_submit(tmp_path: Path) -> None:
    with slow_disk(tmp_path, 0.1) as server:
        kill_while_submitting(server, "slow disk", least=8)


def test_under_everysec_a_slow_disk_loses_confirmed_submits(tmp_path: Path) -> None:
    with slow_disk(tmp_path, 1.5) as server, redis.Redis.from_url(server.url) as client:
        for number in range(5):  # the server may write just before it is killed
            client.config_set("appendfsync", "everysec")
            submits = Submits(server.url, str(number))
            eventually(partial(submits.held_back, client))
            submits.submit("last")  # of the previous one, perhaps only the wake-up is unwritten
            server.kill()
            server.restart()
            if submits.lost():
                return
        pytest.fail("nothing was lost: docs/promises.md says otherwise")
