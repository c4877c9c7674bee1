"""Redis loses the calls of its last second; they still count in the vendor's window."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.experiment_log import ExperimentLog, scale
from tests.support.installation import Services
from tests.support.outage import Trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
SCALE = scale()
LIMIT: Final = 20


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path) as services:
        services.stack.control("quota", {"route": "passport", "per_minute": LIMIT})
        yield services


@pytest.mark.skipif(not SCALE.long, reason="waits for a whole window: part of the long form")
def test_calls_that_redis_lost_still_count_against_the_limit(
    services: Services, tmp_path: Path
) -> None:
    quota = {"SATYAPAN_QUOTA_PER_MINUTE": f"passport={LIMIT}", "SATYAPAN_QUOTA_WINDOW_S": "60"}
    server = services.stack.server
    with Trial(services, "second", workers=0, **quota) as trial:
        with trial.server as client:
            client.config_set("appendfsync", "everysec")
        trial.workers.append(trial.installation.start_worker())
        trial.submit(1)
        trial.settle()
        time.sleep(2.5)  # the row is on disk by then, and writes are marked as not durable
        shutil.copytree(server.data, tmp_path / "before")
        forgotten = trial.submit(LIMIT - 1)
        trial.settle()

        server.kill()
        shutil.rmtree(server.data)
        shutil.copytree(tmp_path / "before", server.data)
        server.restart()
        later = trial.submit(LIMIT)
        trial.wait(lambda: all(trial._settled(one) for one in later), "the later ones end", 120)

        (seen,) = (
            each for each in services.stack.control("quota")["quota"] if each["route"] == "passport"
        )
        rows = [trial.installation.producer.get(one) for one in later]
        good = seen["peak"] <= LIMIT and not seen["refused"]
        ExperimentLog(SCALE).record("outages", "lost second", good=good, peak=seen["peak"])
        assert good, seen
        assert {row.status for row in rows if row} == {"VALID"}
        assert all(trial.installation.producer.get(one) is None for one in forgotten)
