"""Real workers use the quota fully and never exceed it, by the sandbox's count."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.quota import Plan, Report, judge, run

QUIET = os.environ.get("SATYAPAN_TEST_QUOTA_USE") == "1"
"""Set on an otherwise idle machine: then the quota must also be used up, not only kept."""
# The margin covers differing delays on the way to the vendor, above 0.2 s on a busy machine. With
# production's 1 s all calls of a window still arrive within a window: one too many is noticed.
SHORT = Plan(limit=40, window_s=6, windows=4, margin_ms=200 if QUIET else 1000)


def is_good(report: Report) -> bool:
    """Return True if no window had too many calls and, on an idle machine, nearly all were used."""
    return report.good if QUIET else report.peak <= report.allowed and not report.refused


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_backlog_uses_the_quota_and_no_window_sees_more(tmp_path: Path, workers: int) -> None:
    report = run(replace(SHORT, workers=workers), tmp_path)

    assert is_good(report), report


@pytest.mark.slow
def test_a_quota_that_the_vendor_halves_is_kept_at_once(tmp_path: Path) -> None:
    report = run(replace(SHORT, workers=2, window_s=12, windows=5, cut=True), tmp_path)

    assert is_good(report), report


@pytest.mark.slow
def test_workers_whose_clocks_are_wrong_keep_the_quota(tmp_path: Path) -> None:
    report = run(replace(SHORT, workers=2, shift_s=400), tmp_path)

    assert is_good(report), report
    assert len(list((tmp_path / "shifted").iterdir())) > 2


def call(at: float, status: int = 200) -> dict[str, Any]:
    return {"at": at, "status": status}


def test_the_judge_finds_a_window_with_too_many_calls() -> None:
    plan = Plan(limit=2, window_s=10, windows=2)

    assert judge(plan, [call(0), call(1), call(10.5), call(11.5)], 0).good
    assert judge(plan, [call(0), call(1), call(9.9), call(11.5)], 0).peak == 3
    assert not judge(plan, [call(0), call(1), call(9.9), call(11.5)], 0).good
    assert judge(plan, [call(0), call(1), call(10.5), call(11.5, 429)], 0).refused == 1
    assert judge(plan, [call(0), call(10.5)], 0).used == 0.5


def test_the_judge_applies_a_cut_limit_from_one_window_after_the_cut() -> None:
    plan = Plan(limit=4, window_s=10, windows=5, cut=True)
    before = [call(at) for at in (0, 1, 2, 3, 10, 11)]
    after = [call(at) for at in (21, 26, 31, 36, 41.2)]

    assert judge(plan, [*before, *after], 11.5).used == pytest.approx(10 / 10.07, abs=0.01)
    assert judge(plan, [*before, call(12, 429), *after], 11.5).good
    assert not judge(plan, [*before, call(13, 429), *after], 11.5).good
