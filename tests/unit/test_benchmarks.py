"""The figures that the benchmarks compute from their measurements."""

import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import drift, durability, run, workers
from benchmarks.__main__ import ALL
from benchmarks.commands import Counts, count
from benchmarks.latency import Rounds, lines
from benchmarks.machine import bounded, said
from benchmarks.plots import DRAWN
from benchmarks.report import Figure, Report, table
from benchmarks.rounds import Figures, pythons
from tests.support.project import ROOT


def command(text: str, port: str = "1", kind: str = "tcp") -> dict[str, Any]:
    return {"command": text, "client_port": port, "client_type": kind}


def round_of(cpu: float) -> Figures:
    others = dict.fromkeys(Figures.__slots__, 1.0)
    return Figures(**{**others, "worker": cpu, "producer": 0.0, "server": 0.0})


@pytest.mark.parametrize(
    ("value", "at_least", "verdict"),
    [
        (2.0, False, "reached"),
        (2.1, False, "not reached"),
        (2.0, True, "reached"),
        (1.9, True, "not reached"),
        (None, True, "not measured"),
    ],
)
def test_a_verdict_compares_a_figure_with_its_goal(
    value: float | None, at_least: bool, verdict: str
) -> None:
    assert Figure(what="it", value=value, goal=2.0, at_least=at_least).verdict == verdict


def test_a_table_has_the_columns_of_all_its_lines() -> None:
    text = table([{"a": 1234, "b": 0.123}, {"a": "x", "c": 1234.5}])

    assert text.splitlines() == [
        "| a | b | c |",
        "|---|---|---|",
        "| 1,234 | 0.12 |  |",
        "| x |  | 1,234 |",
    ]


def test_a_written_report_is_read_back(tmp_path: Path) -> None:
    figure = Figure(what="it", value=1.5, goal=2.0, unit="ms")
    report = Report(name="all", lines=[{"a": 1}], figures=[figure], notes=["left out"])

    report.tell(tmp_path / "it.json")

    assert Report.read(tmp_path / "it.json") == report
    assert "load of the machine" in json.loads((tmp_path / "it.json").read_text())["machine"]


def test_commands_are_counted_by_their_sender() -> None:
    monitored = [
        command("HELLO 3", "7"),
        command("EVALSHA abc 3 satyapan:row:v-1 satyapan:due satyapan:index:ACCEPTED v-1", "1"),
        command("HSET satyapan:row:v-1 a b", kind="lua"),
        command("ZADD satyapan:due 1 v-1", kind="lua"),
        command("BRPOP queue 1", "7"),
        command("EVALSHA def 1 satyapan:due 200 10000", "7"),
        command("ZRANGEBYSCORE satyapan:due -inf 5", kind="lua"),
        command("SET satyapan:swept 5", "7"),
        command("GET x", "7"),
        command("LPUSH queue x", "1"),
    ]

    assert count(monitored, {7}) == Counts(worker=2, producer=2, sweeps=2, inside=2)


def test_ratios_are_computed_within_a_round_and_failed_rounds_are_skipped() -> None:
    rounds: run.Found = {
        "ours": [round_of(1.0), None, round_of(6.0), round_of(4.0)],
        "celery_bare": [round_of(2.0), round_of(9.0), round_of(3.0), round_of(4.0)],
    }

    assert run.compare(rounds, "ours", "celery_bare", "cpu") == 1.0
    assert run.compare(rounds, "ours", "floor", "cpu") is None
    assert run.middle(rounds, "ours", "cpu") == 4.0


def test_an_unmeasured_goal_is_reported_as_not_measured() -> None:
    rounds: run.Found = {"ours": [round_of(1.0)], "celery_bare": [None]}

    verdicts = {each.what: each.verdict for each in run.figures(rounds, tls=False, most=100.0)}

    assert verdicts["single submit, CPU beside bare Celery"] == "not measured"
    assert verdicts["bulk, CPU"] == "not measured"
    assert verdicts["single submit, commands beside bare Celery's 18"] == "reached"


def test_a_peer_without_an_interpreter_is_left_out_with_the_reason() -> None:
    interpreters, missing = pythons((), "", sys.executable)

    assert set(interpreters) == {"ours", "ours_bulk", "celery_bare", "floor"}
    assert any("dramatiq_peer is left out: --peers" in each for each in missing)
    assert any("arq_peer is left out" in each and "has no arq" in each for each in missing)


def test_drift_compares_the_end_with_the_first_tenth() -> None:
    climb = [(done, 50.0 if done < 100 else 100.0 + done / 100) for done in range(0, 1001, 10)]

    assert drift.drift(climb, 1000) == pytest.approx((109.75 / 101 - 1) * 100)
    assert drift.drift([(done, 100.0) for done in range(0, 1001, 10)], 1000) == 0.0


def test_the_cost_of_always_is_compared_within_each_round() -> None:
    def sample(rate: float) -> durability.Sample:
        return durability.Sample(rate=rate, p50=1.0, server=0.1, p99=2.0, cpu=3.0)

    measured = {
        "everysec": [sample(100), None, sample(300)],
        "always": [sample(50), sample(9), None],
    }
    steps = (durability.ONE, "submit in bulk", *durability.WHOLE)
    samples: durability.Found = dict.fromkeys(steps, measured)

    figures = {each.what: (each.value, each.verdict) for each in durability.figures(samples)}
    rates = [each["a second"] for each in durability.lines(samples)[:2]]

    assert figures["submit in bulk, rate under always beside everysec"] == (0.5, "reached")
    assert figures["submit, 1 producer, p99 under always"] == (2.0, "reached")
    assert rates == [200, 29.5]


def test_a_setting_under_which_every_round_failed_has_no_figures() -> None:
    steps = (durability.ONE, *durability.WHOLE)
    failed = dict.fromkeys(durability.POLICIES, (None,))
    samples: durability.Found = dict.fromkeys(steps, failed)

    verdicts = {each.verdict for each in durability.figures(samples)}

    assert verdicts == {"not measured"}
    assert {each["a second"] for each in durability.lines(samples)} == {"failed in every round"}


@pytest.mark.parametrize(
    ("changed", "bound"),
    [
        ({"rate": 3000.0}, "calls under way"),
        ({"workers": 0.9}, "one core per worker"),
        ({"machine": 1.8}, "the machine's cores"),
        ({}, "none of these"),
    ],
)
def test_the_bottleneck_of_a_rate_is_named(changed: dict[str, float], bound: str) -> None:
    idle = workers.Run(rate=100.0, workers=0.1, server=0.1, stub=0.1, machine=0.5)

    assert workers.bound(replace(idle, **changed), 1, 20, 2).startswith(bound)


def test_a_curve_has_the_medians_of_the_measured_rounds() -> None:
    spans = [float(each) for each in range(100)]
    rounds: Rounds = {
        "ours": [{1: (10.0, spans)}, {1: (30.0, spans), 8: (5.0, spans)}],
        "floor": [{}],
    }

    curve = lines(rounds, [1, 8])

    assert [(each["contender"], each["in flight"], each["verif/s"]) for each in curve] == [
        ("ours", 1, 20.0),
        ("ours", 8, 5.0),
    ]
    assert curve[0]["p99 ms"] == 99.0


def test_work_beyond_its_bound_is_ended_and_the_previous_alarm_is_restored() -> None:
    handler, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)

    with pytest.raises(TimeoutError), bounded(0.05):
        time.sleep(60)

    assert signal.getsignal(signal.SIGALRM) is handler
    assert left - 60 < signal.getitimer(signal.ITIMER_REAL)[0] <= left


def test_a_pattern_is_found_in_the_log_of_a_process(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("warming up\n4711\n")

    assert said(tmp_path / "log", r"^([0-9]+)\n") == "4711"


@pytest.mark.parametrize("benchmark", ALL, ids=lambda each: each.name)
def test_every_benchmark_has_a_module_and_two_forms(benchmark: Any) -> None:
    assert (ROOT / f"{benchmark.module.replace('.', '/')}.py").exists()
    forms = [benchmark.options(long=each, peers="p", arq="") for each in (True, False)]
    assert forms[0] != forms[1]
    assert ("--peers" in forms[0]) == benchmark.peers


def test_every_plot_belongs_to_the_report_of_a_benchmark() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "benchmarks").glob("[ls]*.py"))

    assert all(f'name="{name}"' in sources for name in DRAWN)
