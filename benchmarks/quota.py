"""How much of the vendor's quota a backlog uses, and that it never exceeds it, with the sandbox.

    python -m benchmarks.quota --workers 4                     # 600 passports at 100 a minute
    python -m benchmarks.quota --workers 2 --cut               # the vendor halves it midway
    python -m benchmarks.quota --workers 2 --shift 300         # workers' clocks wrong by 5 minutes
    python -m benchmarks.quota --limit 40 --window 6 --margin 200 --windows 4     # the short form

All parts are real processes on this machine. The sandbox records the time at which each call
arrives, and all figures come from that. Exits 1 if a goal is missed.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import click

from benchmarks import report
from benchmarks.machine import bounded
from benchmarks.report import json_option
from demo.local_stack import LocalStack

GOAL: Final = 0.97
ROUTE: Final = "passport"
PASSPORT: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
_SETTLED_S: Final = 1.0
"""Seconds after a cut in which calls that were in flight may still be refused."""
_SHIFTED: Final = """
import os, pathlib, time
shift = {shift} if os.getpid() % 2 else -{shift}
true_time = time.time
time.time = lambda: true_time() + shift
pathlib.Path(__file__).with_name(str(os.getpid())).touch()
"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parameters of a run."""

    workers: int = 1
    limit: int = 100
    window_s: int = 60
    windows: int = 6
    margin_ms: int = 1000
    cut: bool = False
    """Whether the vendor halves the quota midway."""
    shift_s: int = 0
    """Seconds by which the workers' clocks are wrong: half of them ahead, half behind."""

    @property
    def length_s(self) -> int:
        """Return the seconds of the measurement, which starts at the first call."""
        return self.windows * self.window_s


@dataclass(frozen=True, kw_only=True)
class Report:
    """The vendor's observations."""

    calls: int
    peak: int
    """The most calls in any sliding window; with a cut, in windows that begin after it."""
    allowed: int
    """The limit that `peak` must not exceed."""
    refused: int
    """Number of 429 answers; with a cut, only those that come _SETTLED_S after it or later."""
    used: float
    """The share of the quota that was used. With a cut, it is measured from a window after the cut
    on, by the time that as many calls took as the quota allows in a window."""

    @property
    def good(self) -> bool:
        """Return True if all goals are reached."""
        return self.peak <= self.allowed and not self.refused and self.used >= GOAL


def run(plan: Plan, folder: Path) -> Report:
    """Run a plan in a folder. It takes the plan's length and some seconds more."""
    with LocalStack(
        folder,
        workers=plan.workers,
        env={
            "SATYAPAN_QUOTA_PER_MINUTE": f"{ROUTE}={plan.limit}",
            "SATYAPAN_QUOTA_WINDOW_S": str(plan.window_s),
            "SATYAPAN_QUOTA_MARGIN_MS": str(plan.margin_ms),
            "SATYAPAN_WORKER_SWEEP_S": "0.25",
        },
        worker_env=_shifted(folder, plan.shift_s) if plan.shift_s else {},
        sandbox_args=["--quota", f"{ROUTE}={plan.limit}", "--quota-window", str(plan.window_s)],
        callbacks=False,
    ) as stack:
        _submit(stack, plan.limit * plan.windows)
        first = _first_call(stack)
        cut = _cut_in_the_middle(stack, plan, first) if plan.cut else 0.0
        time.sleep(max(0.0, first + plan.length_s + 1 - time.time()))
        return judge(plan, stack.control("calls")["calls"], cut)


def judge(plan: Plan, calls: Sequence[dict[str, Any]], cut: float) -> Report:
    """Derive the figures from the calls; `cut` is when the vendor halved the quota, 0 for never."""
    times = sorted(call["at"] for call in calls)
    end = times[0] + plan.length_s
    allowed = plan.limit // 2 if cut else plan.limit
    steady = [at for at in times if cut + plan.window_s <= at < end]
    inside = len([at for at in times if at < end])
    settled = cut and cut + _SETTLED_S
    refusals = [c["at"] for c in calls if c["status"] == HTTPStatus.TOO_MANY_REQUESTS]
    return Report(
        calls=len(times),
        peak=_peak([at for at in times if at >= settled], plan.window_s),
        allowed=allowed,
        refused=len([at for at in refusals if at > settled]),
        used=_pace(steady, allowed, plan) if cut else inside / (allowed * plan.windows),
    )


def _pace(times: Sequence[float], allowed: int, plan: Plan) -> float:
    """Return the window divided by the mean time that `allowed` calls took."""
    took = [late - early for early, late in zip(times, times[allowed:], strict=False)]
    return plan.window_s * len(took) / sum(took) if took else 0.0


def _peak(times: Sequence[float], window_s: float) -> int:
    return max((sum(start <= at < start + window_s for at in times) for start in times), default=0)


def _submit(stack: LocalStack, count: int) -> None:
    """Submit the backlog as three producers."""
    producers = [stack.verifications(f"producer-{n}") for n in range(3)]

    def one(n: int) -> None:
        producers[n % 3].submit(ROUTE, PASSPORT, key=f"key-{n}")

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(count)))


def _first_call(stack: LocalStack) -> float:
    end = time.monotonic() + 30
    while not (calls := stack.control("calls")["calls"]):
        if time.monotonic() > end:
            raise TimeoutError("the workers make no calls; see their logs")
        time.sleep(0.05)
    return float(calls[0]["at"])


def _cut_in_the_middle(stack: LocalStack, plan: Plan, first: float) -> float:
    time.sleep(max(0.0, first + plan.length_s / 2 - time.time()))
    stack.control("quota", {"route": ROUTE, "per_minute": plan.limit // 2})
    return time.time()


def _shifted(folder: Path, shift_s: int) -> dict[str, str]:
    """Return variables that give Python processes a wrong clock; each leaves a file with its id."""
    place = folder / "shifted"
    place.mkdir(parents=True)
    (place / "sitecustomize.py").write_text(_SHIFTED.format(shift=shift_s), encoding="utf-8")
    return {"PYTHONPATH": str(place)}


@click.command()
@click.option("--workers", default=1, show_default=True)
@click.option("--limit", default=100, show_default=True, help="Calls a window.")
@click.option("--window", "window_s", default=60, show_default=True, help="Seconds.")
@click.option("--windows", default=6, show_default=True, help="Number of windows.")
@click.option("--margin", "margin_ms", default=1000, show_default=True)
@click.option("--cut", is_flag=True, help="The vendor halves the quota midway.")
@click.option("--shift", "shift_s", default=0, help="Seconds that the workers' clocks are wrong.")
@json_option
def main(file: Path | None, **options: Any) -> None:
    """Measure how much of the quota a backlog uses, and whether it ever exceeds it."""
    plan = Plan(**options)
    with (
        bounded(plan.length_s + 120),
        tempfile.TemporaryDirectory(prefix="satyapan-quota-") as folder,
    ):
        found = run(plan, Path(folder))
    as_report(plan, found).tell(file)
    sys.exit(not found.good)


def as_report(plan: Plan, found: Report) -> report.Report:
    """Return the plan and the vendor's observations as a report with goals."""
    name = f"{plan.limit} calls in {plan.window_s} s, {plan.workers} workers"
    name += ", halved midway" * plan.cut + f", clocks wrong by {plan.shift_s} s" * bool(
        plan.shift_s
    )
    peak = f"most calls in any sliding {plan.window_s} s"
    used = report.Figure(what="quota used", value=found.used, goal=GOAL, at_least=True)
    return report.Report(
        name=name,
        lines=[asdict(found)],
        figures=[
            report.Figure(what=peak, value=found.peak, goal=found.allowed),
            report.Figure(what="refused by the vendor (429)", value=found.refused, goal=0),
            used,
        ],
    )


if __name__ == "__main__":
    main()
