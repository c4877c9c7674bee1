"""The demo as a user runs it: a process of its own, ended in several ways."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from demo.person import Person
from demo.summary import ScenarioOutcome, audit_digest, charges_of, lines
from satyapan.records import Row, State, view
from tests.support.eventually import eventually

DEMO = [sys.executable, "-P", "-m", "satyapan.cli", "demo"]
PRIVATE = ("026291800001191", "GKUMARUT", "YESB0000262", "404223241810", "John Doe", "ABCPV1234D")
"""Values that the scenario sends, or gets as an answer."""
SETTLED = {"DONE", "DENIED", "EXPIRED", "LOST", "PARKED"}
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def demo_dir(tmp_path: Path) -> Path:
    """The demo's TMPDIR, by which its processes are found; its name has a space."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    return folder


def demo_processes(demo_dir: Path) -> dict[int, str]:
    """Return the live processes of the demo in this folder, with their command lines."""
    listing = subprocess.run(
        ["ps", "axeww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listing.splitlines() if f"TMPDIR={demo_dir}" in line]
    return {int(pid): command for pid, stat, command in rows if not stat.startswith("Z")}


@pytest.fixture
def start(demo_dir: Path) -> Iterator[Start]:
    """Start a demo in the folder, as from a terminal: in a process group of its own."""
    started: list[subprocess.Popen[str]] = []

    def begin(*options: str) -> subprocess.Popen[str]:
        demo = subprocess.Popen(
            [*DEMO, *options],
            cwd=demo_dir,
            env={**os.environ, "TMPDIR": str(demo_dir), "PYTHONIOENCODING": "utf-8"},
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
    kill(demo_processes(demo_dir))


def kill(pids: Iterable[int]) -> None:
    """Kill the processes that are still running."""
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


def assert_nothing_is_left(demo_dir: Path) -> None:
    eventually(lambda: not demo_processes(demo_dir))
    assert not list(demo_dir.iterdir())


def test_it_runs_the_scenario_and_cleans_up(start: Start, demo_dir: Path) -> None:
    demo = start()

    out, err = demo.communicate(timeout=100)

    assert (demo.returncode, err) == (0, "")
    texts = ["DONE, VALID", "charged once", "QR picture", "is sent back to our return page: 'We "]
    for text in [*texts, "exactly what the person consented to", "everything ended as expected"]:
        assert text in out
    assert [value for value in PRIVATE if value.casefold() in out.casefold()] == []
    assert_nothing_is_left(demo_dir)


def test_the_answer_to_a_pan_is_read_by_the_reference_that_an_error_named(start: Start) -> None:
    out, _ = start().communicate(timeout=100)

    _, _, section = out.partition("2. PAN")
    section, _, _ = section.partition("\n\n")
    assert "and answer HTTP 500" in section
    assert re.search(r"read by the vendor's reference \d+, which the error named", section)
    assert "seen by the vendor: PAN calls: 1, reads: 1" in section
    assert "charged once, says the vendor's audit (1)" in section


@pytest.mark.parametrize(
    ("journey", "state", "charges"),
    [
        ("some", "DONE", {"digilocker": 1, "document PAN": 1}),
        pytest.param("deny", "DENIED", {"digilocker": 1}, marks=pytest.mark.slow),
        pytest.param("expire", "EXPIRED", {"digilocker": 1}, marks=pytest.mark.slow),
    ],
)
def test_the_summary_lists_the_outcome_and_charges_of_each_verification(
    start: Start, demo_dir: Path, journey: str, state: str, charges: dict[str, int]
) -> None:
    demo = start("--json", "--journey", journey)

    result = summary(demo)

    assert (demo.returncode, result["ok"], result["journey"]) == (0, True, journey)
    found = {each["kind"]: each for each in reversed(result["verifications"])}
    links = [each for each in result["verifications"] if each["kind"] == "static_kyc_link"]
    assert [each["charges"] for each in links[:2]] == [{"static_link": 1}, {}]
    for kind in ("passport", "pan", "bank_account", "reverse_penny_drop"):
        assert found[kind]["charges"] == {kind: 1}
    consent = found["digilocker"]
    assert (consent["state"], consent["charges"]) == (state, charges)
    assert_nothing_is_left(demo_dir)


def test_with_stay_the_user_is_the_person_who_pays(start: Start) -> None:
    demo = start("--stay")
    read_until(demo, "Be the one who pays")
    assert demo.stdout
    person, link = Person(), demo.stdout.readline().strip()

    back = person.send(person.open(link), {"decision": "pay"})

    assert "/return/reverse_penny_drop/" in back.url
    read_until(demo, "reverse_penny_drop  done  SUCCESS")


@pytest.mark.parametrize("attempt", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_all_verifications_settle_and_are_paid_once_whenever_the_worker_is_killed(
    start: Start, demo_dir: Path, attempt: int
) -> None:
    moment = random.uniform(0, 4)
    demo = start("--json")
    eventually(lambda: worker_of(demo_dir), within=60)

    time.sleep(moment)
    kill(worker_of(demo_dir))
    result = summary(demo)

    assert "verifications" in result, result
    for each in result["verifications"]:
        assert each["state"] in SETTLED, (moment, each)
        assert max(each["charges"].values(), default=1) == 1, (moment, each)
        # Only a call that the kill interrupted may end otherwise; then the demo fails.
        assert each["as_expected"] or each["state"] in {"LOST", "PARKED"}, (moment, each)
    assert result["ok"] is (demo.returncode == 0)
    eventually(lambda: not demo_processes(demo_dir))


def worker_of(demo_dir: Path) -> list[int]:
    return [
        pid for pid, line in demo_processes(demo_dir).items() if " -m satyapan.cli worker " in line
    ]


@pytest.mark.parametrize("line", ["Starting", "sandbox", "1. Passport", "5. DigiLocker"])
def test_ctrl_c_stops_all_processes_and_prints_one_line(
    start: Start, demo_dir: Path, line: str
) -> None:
    demo = start()
    read_until(demo, line)

    os.killpg(demo.pid, signal.SIGINT)
    _, err = demo.communicate(timeout=100)

    assert demo.returncode == 130
    assert err == "Stopped by Ctrl-C; no process is left running.\n"
    assert_nothing_is_left(demo_dir)


def test_no_process_survives_a_killed_demo(start: Start, demo_dir: Path) -> None:
    demo = start()
    read_until(demo, "worker-1")
    assert len(demo_processes(demo_dir)) >= 5

    os.kill(demo.pid, signal.SIGKILL)

    eventually(lambda: not demo_processes(demo_dir))


def test_no_command_line_contains_a_secret_and_the_users_settings_are_ignored(
    start: Start, demo_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATYAPAN_PREFIX", "somebody-elses")
    demo = start("--stay")
    read_until(demo, "Events, until Ctrl-C")
    (file,) = demo_dir.glob("satyapan-demo-*/satyapan.env")
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


def test_only_a_done_verification_that_was_charged_once_is_as_expected() -> None:
    charge = {"charge": "passport", "verification_id": "P-1", "detail": None}
    document = {"charge": "document", "verification_id": "P-1", "detail": "PAN"}

    assert outcome([charge]).as_expected
    assert not outcome([charge], State.PARKED).as_expected
    assert not outcome([]).paid_once
    assert not outcome([charge, charge]).paid_once
    assert not outcome([charge, document]).paid_once
    assert "passport 2 TIMES" in "\n".join(lines([outcome([charge, charge])]))


def test_a_call_without_an_id_is_counted_by_the_digest_of_its_request() -> None:
    request = {"pan": "ABCPV1234D", "name": "JOHN DOE"}
    digest = audit_digest(request)
    row = {"charge": "pan", "verification_id": None, "detail": digest}
    other = {**row, "detail": audit_digest({**request, "name": "JANE DOE"})}

    assert digest == "request e0bd5830111f5c53"
    assert charges_of([row, other, row])[digest] == {"pan": 2}


def test_without_a_server_the_error_names_the_setting_and_the_folder_of_the_logs(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SATYAPAN_EMBEDDED_SERVER", "no-such-server")
    demo = start()

    _, err = demo.communicate(timeout=100)

    assert demo.returncode == 1
    assert "set SATYAPAN_EMBEDDED_SERVER" in err
    assert "Logs are in" in err
