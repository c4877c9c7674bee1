"""Ten minutes of 502 at one passport in 20 s, in a thirtieth of the time: no person has to decide.

The waits of the workers are scaled likewise: back-off and breaker. The end of each verification is
judged, not how long it took. One vendor's 502 leaves the id free, another's uses it up.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from satyapan import Verification
from satyapan.ids import generation_id
from tests.support.experiment_log import ExperimentLog, scale
from tests.support.installation import Services
from tests.support.outage import Trial

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
SCALE: Final = scale()
FASTER: Final = 30
OUTAGE_S: Final = 600 / FASTER
EVERY_S: Final = 20 / FASTER
SCALED: Final = {
    "SATYAPAN_WORKER_BACKOFF_BASE_S": str(1 / FASTER),
    "SATYAPAN_WORKER_BACKOFF_CAP_S": str(60 / FASTER),
    "SATYAPAN_BREAKER_OVER_S": str(30 / FASTER),
    "SATYAPAN_BREAKER_COOL_DOWN_S": str(10 / FASTER),
    "SATYAPAN_BREAKER_COOL_DOWN_MOST_S": str(120 / FASTER),
    # So that no answer is lost on a busy machine.
    "SATYAPAN_CASHFREE_CONNECT_TIMEOUT_S": "10",
    "SATYAPAN_CASHFREE_READ_TIMEOUT_S": "10",
    "SATYAPAN_CASHFREE_TOTAL_TIMEOUT_S": "10",
}


def verify_during_an_outage(vendors: Sequence[Services], trials: Sequence[Trial]) -> None:
    """Submit passports one by one while the vendors answer 502; wait until all are settled."""
    for services in vendors:
        services.stack.control("faults", {"route": "passport", "status": 502, "times": None})
    end = time.monotonic() + OUTAGE_S
    while time.monotonic() < end:
        for trial in trials:
            trial.submit(1)
        time.sleep(EVERY_S)
    for services in vendors:
        services.stack.control("faults/clear", {})
    for trial in trials:
        trial.settle()


def ended(trial: Trial) -> list[Verification]:
    """Read all verifications of a trial."""
    found = (trial.installation.producer.get(one) for one in trial.history.accepted())
    return [seen for seen in found if seen is not None]


def failed(services: Services) -> set[str]:
    """List the ids that the vendor answered with 502."""
    calls = services.stack.control("calls")["calls"]
    return {call["verification_id"] for call in calls if call["status"] == 502}


def charged(services: Services, rows: Sequence[Verification]) -> list[str]:
    """List the vendor-side ids of these verifications that were charged, once for each charge."""
    own = {generation_id(row.id, number) for row in rows for number in (1, 2, 3)}
    return sorted(e["verification_id"] for e in services.audit() if e["verification_id"] in own)


def note(trial: Trial, **figures: float) -> None:
    """Judge the trial and record the verdict; fail if there is a violation."""
    verdict = trial.judge(least_done=0.0)
    name = trial.installation.name
    ExperimentLog(SCALE).record(
        "vendor's outage", name, good=verdict.good, **{**verdict.figures, **figures}
    )
    assert verdict.good, str(verdict)


def check_ends(trial: Trial, end: tuple[str, str, int]) -> None:
    """Check that those whose calls failed ended like this, and all others are done."""
    rows, used = ended(trial), failed(trial.services)
    seen = {row.id: (row.state, row.reason, row.generation) for row in rows}
    assert seen == {one: end if one in used else ("DONE", "", 1) for one in seen}
    paid = [generation_id(row.id, row.generation) for row in rows if row.state == "DONE"]
    assert charged(trial.services, rows) == sorted(paid)
    # The breaker opened: some failed, the others waited without an attempt.
    assert 0 < len(used & set(seen)) < len(seen)
    assert max(row.attempts for row in rows) <= 40
    note(trial, most_attempts=max(row.attempts for row in rows))


def test_after_an_outage_all_are_done_or_end_as_the_policy_for_lost_answers_says(
    tmp_path: Path,
) -> None:
    strict = ("--failed-consumes-id",)
    with ExitStack() as stack:
        vendor = stack.enter_context(Services(tmp_path / "vendor"))
        keeper = stack.enter_context(Services(tmp_path / "keeper", sandbox_args=strict))
        plain, park, reissue = (
            stack.enter_context(
                Trial(services, name, workers=1, **SCALED, SATYAPAN_WORKER_LOST_ANSWER=policy)
            )
            for services, name, policy in (
                (vendor, "plain", "passport=park"),
                (keeper, "park", "passport=park"),
                (keeper, "reissue", "passport=reissue"),
            )
        )
        verify_during_an_outage([vendor, keeper], [plain, park, reissue])

        check_ends(plain, ("DONE", "", 1))
        check_ends(park, ("PARKED", "lost_answer", 1))
        check_ends(reissue, ("DONE", "", 2))
