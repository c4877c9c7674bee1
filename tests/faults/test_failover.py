"""A planned failover under load: the address moves, connections stay with the old master."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import requests

from satyapan import SatyapanError, Verifications
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.failover import ReplicaPair
from tests.support.installation import Services, listens_at
from tests.support.outage import REQUEST, Trial
from tests.web.callbacks_app import EVENT, signed, written

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
BACK_S = 15.0
"""Seconds allowed for recovery. It takes less than two on an idle machine."""
QUIET_S = 5.0
"""Seconds without a failure that count as recovered."""
PACE_S = 0.05


class Steady:
    """Repeats one step in its own thread, and records when it last failed."""

    def __init__(self, step: Callable[[], bool]) -> None:
        self._step = step
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.good = 0
        self.failed_at = 0.0

    def _run(self) -> None:
        while not self._over.wait(PACE_S):
            if self._step():
                self.good += 1
            else:
                self.failed_at = time.monotonic()

    def back_after(self, begun: float) -> float:
        """Wait until the step keeps succeeding; return for how many seconds it failed before."""
        deadline = begun + BACK_S + QUIET_S
        while (since := max(self.failed_at, begun)) + QUIET_S > time.monotonic():
            if time.monotonic() > deadline:
                return float("inf")
            time.sleep(PACE_S)
        return since - begun

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(30)


@contextmanager
def steadily(**steps: Callable[[], bool]) -> Iterator[dict[str, Steady]]:
    """Repeat every step during the block."""
    running = {name: Steady(step) for name, step in steps.items()}
    for each in running.values():
        each.start()
    try:
        yield running
    finally:
        for each in running.values():
            each.stop()


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with Services(tmp_path, sandbox_args=("--latency-ms", "50")) as services:
        yield services


@pytest.mark.parametrize(
    "how", [ReplicaPair.swap, ReplicaPair.fail_over], ids=lambda how: how.__name__
)
def test_every_process_follows_the_address_to_the_new_master(
    services: Services, tmp_path: Path, how: Callable[[ReplicaPair], float]
) -> None:
    with (
        ReplicaPair(tmp_path / "pair", services.stack.server) as pair,
        Trial(services, "failover", SATYAPAN_REDIS_URL=pair.url) as trial,
    ):
        trial.installation.producer = Verifications.from_env(trial.installation.env)
        with steadily(**_load(trial)) as load:
            trial.wait(lambda: all(each.good > 10 for each in load.values()), "load")
            moved = how(pair)
            back = {f"{name}_s": round(each.back_after(moved), 2) for name, each in load.items()}
        assert max(back.values()) <= BACK_S, back
        trial.settle()

        verdict = trial.judge()
        ExperimentLog(scale()).record(
            "failover", how.__name__, good=verdict.good, **verdict.figures, **back
        )
        assert verdict.good, str(verdict)
        assert trial.alive() == 2


def _load(trial: Trial) -> dict[str, Callable[[], bool]]:
    """Return the steps that applications, the vendor and the orchestrator repeat all the time."""
    app = trial.installation.start_callbacks()
    trial.wait(lambda: listens_at(app), "the callbacks app")
    url = listens_at(app)
    reader, waiter = (Verifications.from_env(trial.installation.env) for _ in range(2))
    numbers = count()

    def submit() -> bool:
        one = f"failover-{next(numbers)}"
        return trial.history.submit(trial.installation.producer, "passport", REQUEST, one) == "ok"

    def read() -> bool:
        ids = trial.history.accepted()
        return not ids or reader.get(ids[-1]) is not None

    def wait() -> bool:
        one = f"failover-{next(numbers)}"
        outcome = trial.history.submit(waiter, "passport", REQUEST, one)
        return outcome == "ok" and waiter.wait(one, 5).settled

    def webhook() -> bool:
        body, now = written({**EVENT, "number": next(numbers)}), str(int(time.time() * 1000))
        headers = signed(body, secret="sandbox-secret", timestamp=now)
        answer = requests.post(f"{url}/webhooks/cashfree", data=body, headers=headers, timeout=5)
        return answer.status_code == 200

    def ready() -> bool:
        return requests.get(f"{url}/readyz", timeout=5).status_code == 200

    steps = {"submit": submit, "read": read, "wait": wait, "webhook": webhook, "ready": ready}
    return {name: _tried(step) for name, step in steps.items()}


def _tried(step: Callable[[], bool]) -> Callable[[], bool]:
    def tried() -> bool:
        try:
            return step()
        except (SatyapanError, requests.RequestException):
            return False

    return tried
