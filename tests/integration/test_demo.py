"""The demo as a person starts it: a process of its own, ended in every way there is."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from demo.summary import ScenarioOutcome, charges_of, lines
from satyapan.records import Row, State, view
from tests.support.eventually import eventually

DEMO = [sys.executable, "-P", "-m", "satyapan.cli", "demo"]
SETTLED = {"DONE", "DENIED", "EXPIRED", "LOST", "PARKED"}
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where this test's demo keeps its files; its processes are known by it. With a space."""
    folder = tmp_path / "a place"
    folder.mkdir()
    return folder


def of_place(place: Path) -> dict[int, str]:
    """Return the live processes that were started with this place, with their command lines."""
    listing = subprocess.run(
        ["ps", "axeww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines() if f"TMPDIR={place}" in line]
    return {int(pid): command for pid, stat, command in rows if not stat.startswith("Z")}


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Start a demo in the place, as from a terminal: in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [*DEMO, *options],
            cwd=place,
            env={**os.environ, "TMPDIR": str(place), "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(demo)
        return demo

    yield begin
    for demo in started:
        demo.kill()
        demo.communicate()
    kill(of_place(place))


def kill(pids: Iterable[int]) -> None:
    """Kill what has not ended by itself meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def read_until(demo: subprocess.Popen[str], text: str) -> None:
    """Read the output up to a line that holds this text."""
    assert demo.stdout
    for line in demo.stdout:
        if text in line:
            return
    pytest.fail(f"the output ended before {text!r}: {demo.communicate()[1]}")


def summary(demo: subprocess.Popen[str], timeout: float = 100) -> dict[str, Any]:
    out, err = demo.communicate(timeout=timeout)
    assert out, err
    found: dict[str, Any] = json.loads(out)
    return found


def assert_nothing_is_left(place: Path) -> None:
    eventually(lambda: not of_place(place))
    assert not list(place.iterdir())


def test_it_runs_the_scenario_and_cleans_up(start: Start, place: Path) -> None:
    demo = start()

    out, err = demo.communicate(timeout=100)

    assert (demo.returncode, err) == (0, "")
    told = ["DONE, VALID", "charged once", "QR picture", "is sent back to our return page: 'We "]
    for text in [*told, "exactly what the person consented to", "everything ended as expected"]:
        assert text in out
    assert_nothing_is_left(place)


@pytest.mark.parametrize(
    ("journey", "state", "charges"),
    [
        ("some", "DONE", {"digilocker": 1, "document PAN": 1}),
        pytest.param("deny", "DENIED", {"digilocker": 1}, marks=pytest.mark.slow),
        pytest.param("expire", "EXPIRED", {"digilocker": 1}, marks=pytest.mark.slow),
    ],
)
def test_its_summary_says_how_each_journey_ended_and_what_it_cost(
    start: Start, place: Path, journey: str, state: str, charges: dict[str, int]
) -> None:
    demo = start("--json", "--journey", journey)

    told = summary(demo)

    assert (demo.returncode, told["ok"], told["journey"]) == (0, True, journey)
    passport, link, shared, *_, consent = told["verifications"]
    assert passport["charges"] == {"passport": 1}
    assert (link["charges"], shared["charges"]) == ({"static_link": 1}, {})
    assert (consent["state"], consent["charges"]) == (state, charges)
    assert_nothing_is_left(place)


@pytest.mark.parametrize("attempt", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_whenever_the_worker_is_killed_all_ends_and_nothing_is_paid_twice(
    start: Start, place: Path, attempt: int
) -> None:
    moment = random.uniform(0, 2.5)
    demo = start("--json")
    eventually(lambda: worker_of(place), within=60)

    time.sleep(moment)
    kill(worker_of(place))
    told = summary(demo)

    assert "verifications" in told, told
    for each in told["verifications"]:
        assert each["state"] in SETTLED, (moment, each)
        assert max(each["charges"].values(), default=1) == 1, (moment, each)
        # Only a call that the kill cut in two may end otherwise; the demo reports it and fails.
        assert each["as_expected"] or each["state"] in {"LOST", "PARKED"}, (moment, each)
    assert told["ok"] is (demo.returncode == 0)
    eventually(lambda: not of_place(place))


def worker_of(place: Path) -> list[int]:
    return [pid for pid, line in of_place(place).items() if " -m satyapan.cli worker " in line]


@pytest.mark.parametrize("line", ["Starting", "sandbox", "1. Passport", "3. DigiLocker"])
def test_ctrl_c_stops_everything_with_one_friendly_line(
    start: Start, place: Path, line: str
) -> None:
    demo = start()
    read_until(demo, line)

    os.killpg(demo.pid, signal.SIGINT)
    _, err = demo.communicate(timeout=100)

    assert demo.returncode == 130
    assert err == "Stopped by Ctrl-C; no process is left running.\n"
    assert_nothing_is_left(place)


def test_nothing_survives_the_killed_demo(start: Start, place: Path) -> None:
    demo = start()
    read_until(demo, "worker-1")
    assert len(of_place(place)) >= 5

    os.kill(demo.pid, signal.SIGKILL)

    eventually(lambda: not of_place(place))


def test_no_secret_stands_in_a_command_line_and_none_of_ones_own_settings_gets_in(
    start: Start, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATYAPAN_PREFIX", "somebody-elses")
    demo = start("--stay")
    read_until(demo, "Events, until Ctrl-C")
    (file,) = place.glob("satyapan-demo-*/satyapan.env")
    text = file.read_text(encoding="utf-8")
    lines = [line.removeprefix("export ") for line in text.splitlines()]
    settings = {name: value.strip("'") for name, _, value in (row.partition("=") for row in lines)}
    secrets = [value for name, value in settings.items() if "KEY" in name]

    listing = ["ps", "ax", "-o", "args="]
    commands = subprocess.run(listing, capture_output=True, text=True, check=True).stdout

    assert file.stat().st_mode & 0o077 == 0
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in commands]
    assert "somebody-elses" not in text


def outcome(audit: list[dict[str, Any]], state: State = State.DONE) -> ScenarioOutcome:
    row = Row(id="P-1", kind="passport", state=state)
    return ScenarioOutcome(view(row), State.DONE, ("passport",), charges_of(audit).get("P-1", {}))


def test_only_what_ended_well_and_was_charged_once_is_as_expected() -> None:
    charge = {"charge": "passport", "verification_id": "P-1", "detail": None}
    document = {"charge": "document", "verification_id": "P-1", "detail": "PAN"}

    assert outcome([charge]).as_expected
    assert not outcome([charge], State.PARKED).as_expected
    assert not outcome([]).paid_once
    assert not outcome([charge, charge]).paid_once
    assert not outcome([charge, document]).paid_once
    assert "passport 2 TIMES" in "\n".join(lines([outcome([charge, charge])]))


def test_without_a_server_it_says_what_to_do_and_where_the_logs_are(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATYAPAN_EMBEDDED_SERVER", "no-such-server")
    demo = start()

    _, err = demo.communicate(timeout=100)

    assert demo.returncode == 1
    assert "set SATYAPAN_EMBEDDED_SERVER" in err
    assert "Logs are in" in err
