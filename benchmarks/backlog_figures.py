"""The plan of `benchmarks.backlog`, and the figures that it derives from its observations.

Pure: nothing here starts a process or reads a clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import report
from benchmarks.scene import Call, peak, percentile, refused

USED: Final = 0.97
COST: Final = 2.0
"""Goal for the CPU that a waiting backlog adds, in per cent of one core."""
HORIZON_S: Final = 2.0
"""The default of SATYAPAN_QUOTA_HORIZON_MS, in seconds."""
SLACK_S: Final = 4.0
DRAIN_S: Final = 600
"""Seconds, at most, to wait for an empty broker queue."""
NORMAL: Final = "small"
"""The producer that submits single rows of normal priority."""
HIGH: Final = "urgent"
"""The producer that submits single rows of high priority."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parameters of a run."""

    workers: int = 1
    count: int = 200_000
    limit: int = 100
    window_s: int = 60
    margin_ms: int = 1000
    length_s: int = 180
    """Length of the measured phase."""
    every_s: int = 15
    """Seconds between two rows of each of the other producers."""
    idle_s: int = 30
    """Seconds over which CPU is measured."""
    patience_s: int = 180
    """Seconds, at most, to wait for a row of the other producers."""
    single: bool = False
    """Whether each row of the backlog is submitted by a call of its own."""

    @property
    def goal_s(self) -> float:
        """Return the goal for another producer's row, in seconds."""
        return HORIZON_S + self.window_s / 5 + SLACK_S

    @property
    def most_s(self) -> float:
        """Return the time limit of the whole run, in seconds."""
        submission = self.count / (50 if self.single else 200)
        phases = self.length_s + self.patience_s + 2 * self.idle_s
        return 120 + submission + phases + DRAIN_S


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One row of another producer."""

    producer: str
    id: str
    at: float
    """Unix seconds of its submission."""
    took_s: float
    """Seconds from submission until `wait` returned DONE; `patience_s` if it didn't."""
    done: bool


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Times of the rows of another producer."""

    rows: int
    answered: int
    median_s: float
    worst_s: float
    later_s: float | None
    """The longest time of a row submitted at least a window after the backlog's first row."""
    seen: int
    """Rows whose call reached the vendor, at any time."""
    seen_s: float
    """The longest time from submission to that call; `patience_s` if a call is missing."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Observations of the vendor and of the other producers."""

    normal: Waits
    high: Waits
    windows: int
    """Number of whole windows over which `used` is counted."""
    calls: int
    """Calls in these windows."""
    used: float
    """Calls in these windows / calls that the quota allows in them."""
    peak: int
    """The most calls in any sliding window of the whole run."""
    refused: int
    """Number of 429 answers in the whole run."""


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """CPU in per cent of one core."""

    workers: float
    server: float

    @property
    def both(self) -> float:
        """Return the sum."""
        return self.workers + self.server


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of the backlog in this installation."""

    submit_s: float
    accepted: int
    messages: int
    """Length of the broker's queue when the submission ended."""
    drained_s: float | None
    """Seconds from then until the queue was first empty; None if it never was."""
    before: Cpu
    """CPU of the idle installation."""
    after: Cpu
    """CPU with a backlog that waits."""

    @property
    def waiting(self) -> float:
        """Return the CPU that the backlog adds, in per cent of one core."""
        return self.after.both - self.before.both


def judge(
    plan: Plan, calls: Sequence[Call], probes: Sequence[Probe], *, began: float, start: float
) -> Seen:
    """Derive the figures. Submission began at `began`, the measured phase at `start`."""
    contended_s = plan.length_s - max(0.0, began + plan.window_s - start)
    windows = max(1, int(contended_s // plan.window_s))
    end = start + plan.length_s
    inside = [call for call in calls if end - windows * plan.window_s <= call["at"] < end]
    return Seen(
        normal=_waits(plan, calls, [each for each in probes if each.producer == NORMAL], began),
        high=_waits(plan, calls, [each for each in probes if each.producer == HIGH], began),
        windows=windows,
        calls=len(inside),
        used=len(inside) / (plan.limit * windows),
        peak=peak(calls, plan.window_s),
        refused=refused(calls),
    )


def _waits(plan: Plan, calls: Sequence[Call], probes: Sequence[Probe], began: float) -> Waits:
    first = {call["verification_id"]: call["at"] for call in reversed(calls)}
    seen = [first[probe.id] - probe.at for probe in probes if probe.id in first]
    took = [probe.took_s for probe in probes]
    later = [probe.took_s for probe in probes if probe.at >= began + plan.window_s]
    return Waits(
        rows=len(probes),
        answered=sum(probe.done for probe in probes),
        median_s=percentile(took, 50),
        worst_s=max(took),
        later_s=max(later, default=None),
        seen=len(seen),
        seen_s=max(seen) if len(seen) == len(probes) else plan.patience_s,
    )


def as_report(plan: Plan, seen: Seen, costs: Costs) -> report.Report:
    """Return the plan and the observations as a report with goals."""
    how = "one by one" if plan.single else "in bulk"
    lines = [*_cost_lines(plan, costs), *_wait_lines(plan, seen), *_vendor_lines(seen)]
    return report.Report(
        name=f"a backlog of {plan.count:,} {how}, {plan.limit} calls in {plan.window_s} s, "
        f"{plan.workers} workers",
        lines=[{"what": what, "found": found} for what, found in lines],
        figures=_figures(plan, seen, costs),
        notes=[] if costs.drained_s is not None else ["CPU was measured before the queue drained"],
    )


def _cost_lines(plan: Plan, costs: Costs) -> Iterator[tuple[str, Any]]:
    never = f"not within {DRAIN_S} s"
    yield "rows accepted", costs.accepted
    yield "submission, s", costs.submit_s
    yield "rows/s", costs.accepted / costs.submit_s
    yield "messages in the broker's queue after it", costs.messages
    yield "queue empty after, s", never if costs.drained_s is None else costs.drained_s
    for name, cpu in (("idle", costs.before), ("backlog waits", costs.after)):
        yield f"{name}: CPU of workers over {plan.idle_s} s, % of a core", cpu.workers
        yield f"{name}: CPU of Redis, % of a core", cpu.server


def _wait_lines(plan: Plan, seen: Seen) -> Iterator[tuple[str, Any]]:
    for name, waits in (("normal", seen.normal), ("high", seen.high)):
        later = "no such row" if waits.later_s is None else waits.later_s
        yield f"{name} rows of another producer", waits.rows
        yield f"{name}: answered within {plan.patience_s} s", waits.answered
        yield f"{name}: called at all", waits.seen
        yield f"{name}: median until DONE, s", waits.median_s
        yield f"{name}: worst until DONE after the first window, s", later
        yield f"{name}: worst until the vendor saw its call, s", waits.seen_s


def _vendor_lines(seen: Seen) -> Iterator[tuple[str, Any]]:
    yield "whole windows over which the quota is counted", seen.windows
    yield "calls in them", seen.calls


def _figures(plan: Plan, seen: Seen, costs: Costs) -> list[report.Figure]:
    goal, normal, high = plan.goal_s, seen.normal.later_s, seen.high.later_s
    peak_of = f"most calls in any sliding {plan.window_s} s"
    worst = "row of another producer, worst until DONE after the first window"
    cost = "CPU that a waiting backlog adds, of a core"
    return [
        report.Figure(what=f"normal {worst}", value=normal, goal=goal, unit="s"),
        report.Figure(what=f"high {worst}", value=high, goal=goal, unit="s"),
        report.Figure(what="quota used", value=seen.used, goal=USED, at_least=True),
        report.Figure(what=cost, value=costs.waiting, goal=COST, unit="%"),
        report.Figure(what=peak_of, value=seen.peak, goal=plan.limit),
        report.Figure(what="refused by the vendor (429)", value=seen.refused, goal=0),
    ]
