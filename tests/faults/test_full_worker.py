"""A worker without a free slot during an outage of its broker consumes again afterwards."""

import time
from pathlib import Path

import pytest

from satyapan.records import State
from tests.support.installation import Services
from tests.support.outage import Trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(200)]


def test_a_worker_that_could_not_acknowledge_its_messages_consumes_again(tmp_path: Path) -> None:
    slow = ("--latency-ms", "1000")
    with (
        Services(tmp_path, sandbox_args=slow) as services,
        Trial(services, "hands", workers=1) as trial,
    ):
        trial.submit(8)
        trial.wait(lambda: trial.installation.producer.counts()[State.SENT] == 2, "both slots work")
        services.stack.server.kill()
        time.sleep(2)  # both calls are answered meanwhile, and no acknowledgement succeeds
        services.stack.server.restart()

        back = trial.seconds_to_work(within=60)
        trial.settle()

        assert trial.alive() == 1
        assert trial.judge(least_done=0.5).good
        print(f"consuming again after {back:.1f} s")
