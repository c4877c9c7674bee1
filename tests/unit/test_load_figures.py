"""Figures that the load benchmarks derive from the vendor's calls; no process is started."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks import backlog_figures, returns
from benchmarks.backlog_figures import HIGH, NORMAL, Costs, Cpu, Probe
from benchmarks.returns import Return
from benchmarks.scene import missed, peak, percentile, quota_environment, sandbox_options
from config.reference import names
from config.settings import read_settings
from demo.environment import fresh_settings

PLAN = backlog_figures.Plan(limit=2, window_s=10, length_s=40, patience_s=60)
COSTS = Costs(
    submit_s=20,
    accepted=100,
    messages=7,
    drained_s=3,
    before=Cpu(workers=0.5, server=0.1),
    after=Cpu(workers=1.5, server=0.3),
)


def call(at: float, verification_id: str | None = "row", status: int = 200) -> dict[str, Any]:
    return {"at": at, "verification_id": verification_id, "status": status}


def probe(producer: str, at: float, took_s: float, *, done: bool = True) -> Probe:
    return Probe(producer=producer, id=f"{producer}-{at}", at=at, took_s=took_s, done=done)


PROBES = [probe(NORMAL, 100, 3), probe(NORMAL, 115, 5), probe(HIGH, 100, 1), probe(HIGH, 115, 2)]


# ---- helpers of both ----


def test_the_peak_is_the_fullest_window_at_any_start() -> None:
    assert peak([], 10) == 0
    assert peak([call(at) for at in (11.5, 0, 1, 9.9)], 10) == 3
    assert peak([call(at) for at in (0, 10, 20)], 10) == 1


@pytest.mark.parametrize(("percent", "value"), [(50, 15), (99, 30), (100, 30), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    assert percentile([float(n) for n in range(30, 0, -1)], percent) == value


def test_sandbox_and_workers_get_the_same_limits() -> None:
    limits = {"digilocker_status": 100, "passport": 7}

    assert quota_environment(limits, 60, 1000)["SATYAPAN_QUOTA_PER_MINUTE"] == (
        "digilocker_status=100,passport=7"
    )
    assert sandbox_options(limits, 60) == [
        *("--quota", "digilocker_status=100", "--quota", "passport=7"),
        *("--quota-window", "60"),
    ]


def test_workers_get_the_default_settings_except_the_quota() -> None:
    env = quota_environment({"passport": 7}, 60, 1000)
    fresh = fresh_settings("redis://127.0.0.1:1/0")
    ours, defaults = (
        read_settings(fresh | env),
        read_settings(dict.fromkeys(fresh, "") | _keys(fresh)),
    )

    assert set(env) <= set(names())
    assert ours.worker == defaults.worker
    assert ours.breaker == defaults.breaker
    assert ours.producer.visibility_timeout_s == defaults.producer.visibility_timeout_s
    assert ours.vendor.read_timeout_s == defaults.vendor.read_timeout_s


def _keys(fresh: dict[str, str]) -> dict[str, str]:
    return {name: fresh[name] for name in ("SATYAPAN_SEAL_KEYS", "SATYAPAN_ID_KEY")}


# ---- returns ----


def returned(vendor_id: str, took_s: float, *, served: bool = True) -> Return:
    return Return(vendor_id=vendor_id, took_s=took_s, served=served)


def test_a_read_of_a_journey_without_a_return_counts_as_a_poll() -> None:
    plan = returns.Plan(over_s=20, limit=3, window_s=10)
    calls = [
        call(99, "other"),  # before
        call(100, "other"),
        call(101, "ann"),
        call(119, "third"),
        call(119.5, None, 429),
        call(120, "other"),  # after
    ]

    figures = returns.judge(plan, [returned("ann", 0.5), returned("bob", 2)], calls, 100)

    assert (figures.reads, figures.polls, figures.refused, figures.peak) == (4, 2, 1, 3)
    assert (figures.served, figures.p50_s, figures.p99_s, figures.worst_s) == (2, 0.5, 2, 2)


def test_a_return_that_was_not_served_counts_with_the_whole_patience() -> None:
    plan = returns.Plan(over_s=180, people=2)
    polls = [call(float(at), f"other-{at}") for at in range(10)]
    people = [returned("ann", 4.9), returned("bob", plan.patience_s, served=False)]

    with_unserved = returns.judge(plan, people, polls, 0)
    all_served = returns.judge(plan, people[:1], polls, 0)

    assert (with_unserved.served, with_unserved.p99_s) == (1, 120)
    assert missed(returns.as_report(plan, with_unserved, people))
    assert not missed(returns.as_report(plan, all_served, people[:1]))
    assert missed(returns.as_report(plan, replace(all_served, polls=9), people[:1]))
    assert missed(returns.as_report(plan, replace(all_served, refused=1), people[:1]))


# ---- a backlog and other producers ----


def test_the_share_is_counted_over_whole_windows_of_the_measured_phase() -> None:
    even = [call(float(at)) for at in range(60, 200, 5)]

    figures = backlog_figures.judge(PLAN, even, PROBES, began=50, start=100)

    assert (figures.windows, figures.calls, figures.used) == (4, 8, 1.0)


def test_the_first_window_after_the_first_submission_is_left_out() -> None:
    late = [call(float(at)) for at in range(108, 200, 5)]

    figures = backlog_figures.judge(PLAN, late, PROBES, began=98, start=100)

    assert (figures.windows, figures.calls, figures.used) == (3, 6, 1.0)


def test_an_unused_quota_has_a_share_of_zero() -> None:
    figures = backlog_figures.judge(PLAN, [], PROBES, began=50, start=100)

    assert (figures.used, figures.peak, figures.normal.seen, figures.normal.seen_s) == (0, 0, 0, 60)


def test_the_rows_of_each_producer_are_judged_separately() -> None:
    lost = probe(HIGH, 130, 60, done=False)
    calls = [call(probe.at + 0.5, probe.id) for probe in PROBES]

    figures = backlog_figures.judge(PLAN, calls, [*PROBES, lost], began=50, start=100)

    assert (figures.normal.rows, figures.normal.answered, figures.normal.worst_s) == (2, 2, 5)
    assert (figures.normal.seen, figures.normal.seen_s) == (2, 0.5)
    assert (figures.high.rows, figures.high.answered, figures.high.worst_s) == (3, 2, 60)
    assert (figures.high.median_s, figures.high.seen, figures.high.seen_s) == (2, 2, 60)


def test_rows_after_the_first_window_are_also_reported_separately() -> None:
    early = backlog_figures.judge(PLAN, [], PROBES, began=100, start=100)
    never = backlog_figures.judge(PLAN, [], PROBES, began=110, start=110)

    assert (early.normal.worst_s, early.normal.later_s, early.high.later_s) == (5, 5, 2)
    assert (never.normal.worst_s, never.normal.later_s) == (5, None)


def test_each_missed_goal_of_a_backlog_is_noticed() -> None:
    even = [call(float(at)) for at in range(60, 200, 5)]
    seen = backlog_figures.judge(PLAN, even, PROBES, began=50, start=100)
    busy = replace(COSTS, after=Cpu(workers=2.5, server=0.3))
    slow = replace(seen.high, later_s=PLAN.goal_s + 0.1)

    assert PLAN.goal_s == 8
    assert COSTS.waiting == pytest.approx(1.2)
    assert not missed(backlog_figures.as_report(PLAN, seen, COSTS))
    assert missed(backlog_figures.as_report(PLAN, seen, busy))
    assert missed(backlog_figures.as_report(PLAN, replace(seen, high=slow), COSTS))
    assert missed(backlog_figures.as_report(PLAN, replace(seen, used=0.96), COSTS))
    assert missed(backlog_figures.as_report(PLAN, replace(seen, peak=3), COSTS))


def test_a_queue_that_never_drained_is_reported() -> None:
    seen = backlog_figures.judge(PLAN, [], PROBES, began=50, start=100)
    text = backlog_figures.as_report(PLAN, seen, replace(COSTS, drained_s=None)).text()

    assert "not within 600 s" in text
    assert "CPU was measured before the queue drained" in text
