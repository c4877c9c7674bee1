"""How long a person who gave consent waits for the result while many links are abandoned.

    python -m benchmarks.returns                              # 1,000 links, 30 people, 3 minutes
    python -m benchmarks.returns --links 300 --people 10 --over 60
    python -m benchmarks.returns --links 150 --people 6 --over 30 --limit 40 --window 12

Every link is a journey whose status the workers poll, and the quota of status reads is far below
what that many journeys could use. People then press Allow at random times. The time is measured
from Allow, through the return page, until `wait` returns DONE; the vendor sends its signed webhook
as well. All processes are real, and settings other than the quota are the defaults. A poll is a
status read of a journey whose person did not return. Exits 1 if a goal is missed.
"""

import random
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import requests

from benchmarks import report
from benchmarks.machine import bounded
from benchmarks.report import json_option
from benchmarks.scene import (
    Call,
    calls_of,
    missed,
    peak,
    percentile,
    quota_environment,
    refused,
    sandbox_options,
)
from demo.local_stack import LocalStack
from demo.person import Person
from satyapan import SatyapanError, State, Verification, Verifications
from satyapan.ids import generation_id

GOAL_S: Final = 5.0
POLLS: Final = 10
"""The least number of polls in `POLLS_OVER_S`: other journeys must still be polled."""
POLLS_OVER_S: Final = 180
ROUTE: Final = "digilocker_status"
REQUEST: Final = {"document_requested": ["AADHAAR"]}
_PLENTY: Final = 1_000_000
_SETTLE_S: Final = 120
_LINK_S: Final = 0.1
_CHECK_S: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Parameters of a run."""

    workers: int = 1
    links: int = 1000
    """Links that are opened and abandoned."""
    people: int = 30
    """Further journeys, whose people return."""
    over_s: int = 180
    """Seconds over which the people press Allow."""
    limit: int = 100
    """Status reads in a window."""
    window_s: int = 60
    margin_ms: int = 1000
    patience_s: int = 120
    """Seconds, at most, to wait for a person's result."""
    seed: int = 1

    @property
    def settle_s(self) -> float:
        """Return the seconds, at most, until all links exist."""
        return _SETTLE_S + (self.links + self.people) * _LINK_S

    @property
    def polls(self) -> float:
        """Return the least number of polls while people return."""
        return POLLS * self.over_s / POLLS_OVER_S


@dataclass(frozen=True, kw_only=True)
class Return:
    """One person who returned; `took_s` is the patience if they were not served."""

    vendor_id: str
    took_s: float
    problem: str = ""
    """The reason why the person was not served, or the fault of the return page."""
    served: bool = True


@dataclass(frozen=True, kw_only=True)
class Report:
    """Observations of the people and the vendor."""

    served: int
    p50_s: float
    p99_s: float
    worst_s: float
    reads: int
    """Status reads while people returned."""
    polls: int
    """Status reads of the abandoned journeys in that time."""
    refused: int
    """Number of 429 answers on the status route in the whole run."""
    peak: int
    """The most status reads in any sliding window of the whole run."""


def run(plan: Plan, folder: Path) -> tuple[Report, list[Return]]:
    """Run a plan in a folder."""
    limits = {ROUTE: plan.limit, "digilocker": _PLENTY, "digilocker_document": _PLENTY}
    with LocalStack(
        folder,
        workers=plan.workers,
        env=quota_environment(limits, plan.window_s, plan.margin_ms),
        sandbox_args=sandbox_options(limits, plan.window_s),
    ) as stack:
        producer = stack.verifications("shop")
        people = _open_links(producer, plan)
        start = time.time()
        returns = _let_return(stack, producer, plan, people)
        return judge(plan, returns, calls_of(stack, ROUTE), start), returns


def judge(plan: Plan, returns: Sequence[Return], calls: Sequence[Call], start: float) -> Report:
    """Derive the figures; `calls` are the status reads, people begin to return at `start`.

    A refused call has no id, so it counts as a read but not as a poll.
    """
    took = [each.took_s for each in returns]
    own = {each.vendor_id for each in returns}
    during = [call for call in calls if start <= call["at"] < start + plan.over_s]
    return Report(
        served=sum(each.served for each in returns),
        p50_s=percentile(took, 50),
        p99_s=percentile(took, 99),
        worst_s=max(took),
        reads=len(during),
        polls=len(_of_others(during, own)),
        refused=refused(calls),
        peak=peak(calls, plan.window_s),
    )


def _of_others(calls: Sequence[Call], own: Collection[str]) -> list[Call]:
    return [call for call in calls if call["verification_id"] not in {None, *own}]


def _open_links(producer: Verifications, plan: Plan) -> list[Verification]:
    """Submit all journeys, wait until each has its link, and choose those whose people return."""
    count = plan.links + plan.people
    items = [{"request": REQUEST, "key": f"journey-{n}"} for n in range(count)]
    made = producer.submit_many("digilocker", items)
    ids = [each.id for each in made if isinstance(each, Verification)]
    end = time.monotonic() + plan.settle_s
    while (open_links := producer.counts()[State.PENDING]) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{open_links} of {count} links exist; see the worker's log")
        time.sleep(_CHECK_S)
    print(f"{count:,} links exist", file=sys.stderr, flush=True)
    chosen = [producer.get(each) for each in _random(plan).sample(ids, plan.people)]
    return [each for each in chosen if each and each.link]


def _random(plan: Plan) -> random.Random:
    return random.Random(plan.seed)  # noqa: S311  repeatable, nothing secret


def _let_return(
    stack: LocalStack, producer: Verifications, plan: Plan, people: Sequence[Verification]
) -> list[Return]:
    """Let each person press Allow at a random time, in a thread of their own."""
    chance, start = _random(plan), time.monotonic()
    moments = [start + chance.uniform(0, plan.over_s) for _ in people]

    def one(moment: float, person: Verification) -> Return:
        time.sleep(max(0.0, moment - time.monotonic()))
        found = _allow(stack, producer, plan, person)
        print(f"{found.took_s:.1f} s {found.problem}", file=sys.stderr, flush=True)
        return found

    with ThreadPoolExecutor(len(people)) as pool:
        found = list(pool.map(one, moments, people))
    time.sleep(max(0.0, start + plan.over_s - time.monotonic()))
    return found


def _allow(stack: LocalStack, producer: Verifications, plan: Plan, person: Verification) -> Return:
    """Press Allow, open the return page, and wait for the result."""
    vendor_id = generation_id(person.id, person.generation)
    begun, problem, served = time.monotonic(), "", False
    try:
        answer = stack.control(f"journeys/{vendor_id}", {"decision": "allow"})
        page = Person().open(str(answer.get("redirect_to")))
        problem = "" if page.good else f"return page: {page.status}"
        left = begun + plan.patience_s - time.monotonic()
        ended = producer.wait(person.id, max(0.0, left))
        served = ended.state is State.DONE
        problem = problem if served else f"{ended.state} {ended.reason}".strip()
    except (SatyapanError, requests.RequestException) as error:
        problem = type(error).__name__
    took = time.monotonic() - begun if served else float(plan.patience_s)
    return Return(vendor_id=vendor_id, took_s=took, served=served, problem=problem)


@click.command()
@click.option("--workers", default=1, show_default=True)
@click.option("--links", default=1000, show_default=True, help="Abandoned journeys.")
@click.option("--people", default=30, show_default=True, help="Journeys whose people return.")
@click.option(
    "--over", "over_s", default=180, show_default=True, help="Seconds over which they return."
)
@click.option("--limit", default=100, show_default=True, help="Status reads in a window.")
@click.option("--window", "window_s", default=60, show_default=True, help="Seconds.")
@click.option("--margin", "margin_ms", default=1000, show_default=True)
@click.option("--patience", "patience_s", default=120, show_default=True, help="Seconds.")
@click.option("--seed", default=1, show_default=True, help="Seed of the random choices.")
@json_option
def main(file: Path | None, **options: Any) -> None:
    """Measure how long people who return wait while other links are abandoned."""
    plan = Plan(**options)
    limit = plan.settle_s + plan.over_s + plan.patience_s + 120
    with bounded(limit), tempfile.TemporaryDirectory(prefix="satyapan-returns-") as folder:
        found = as_report(plan, *run(plan, Path(folder)))
    found.tell(file)
    sys.exit(missed(found))


def as_report(plan: Plan, found: Report, returns: Sequence[Return]) -> report.Report:
    """Return the plan and the observations as a report with goals."""
    others = f"status reads of other journeys in {plan.over_s} s"
    problems = sorted({each.problem for each in returns if each.problem})
    lines = [
        {"what": "people", "found": len(returns)},
        {"what": f"of these served within {plan.patience_s} s", "found": found.served},
        {"what": "wait, p50, s", "found": found.p50_s},
        {"what": "wait, p99, s", "found": found.p99_s},
        {"what": "wait, worst, s", "found": found.worst_s},
        {"what": f"status reads in {plan.over_s} s", "found": found.reads},
        {"what": others, "found": found.polls},
    ]
    most = f"most status reads in any sliding {plan.window_s} s"
    return report.Report(
        name=f"{plan.people} people come back beside {plan.links:,} abandoned links, "
        f"{plan.limit} status reads in {plan.window_s} s, {plan.workers} workers",
        lines=lines,
        figures=[
            report.Figure(what="from Allow to DONE, p99", value=found.p99_s, goal=GOAL_S, unit="s"),
            report.Figure(what="status reads refused (429)", value=found.refused, goal=0),
            report.Figure(what=most, value=found.peak, goal=plan.limit),
            report.Figure(what=others, value=found.polls, goal=plan.polls, at_least=True),
        ],
        notes=[f"problems: {', '.join(problems)}"] if problems else [],
    )


if __name__ == "__main__":
    main()
