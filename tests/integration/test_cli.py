"""The producer's commands with real servers: their output and exit codes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from demo.local_stack import LocalStack
from satyapan import Verifications, linked
from satyapan.cli.main import main
from satyapan.sealing import new_key
from tests.support.eventually import eventually

FILE_NUMBER = "PA1079341954215"
PASSPORT = ["submit", "passport", f"file_number={FILE_NUMBER}", "dob=2007-03-01"]
Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture
def verifications(stack: LocalStack) -> Verifications:
    return stack.verifications()


@pytest.fixture
def cli(stack: LocalStack) -> Cli:
    """Run a command line; `env` changes settings."""

    def run(*arguments: str, text: str = "", env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=text, env={**stack.env, **(env or {})})

    return run


def printed_json(result: Result) -> Any:
    return json.loads(result.stdout.splitlines()[-1])


def test_submit_and_wait_shows_the_outcome_and_no_private_value(cli: Cli) -> None:
    done = cli(*PASSPORT, "--id", "shown-1", "--wait", "30")

    assert done.exit_code == 0, done.output
    assert "VALID (the passport exists)" in done.stdout
    assert "file_number" in done.stdout
    assert FILE_NUMBER not in done.output


def test_a_repeated_submit_is_the_same_verification_and_other_data_is_a_conflict(cli: Cli) -> None:
    first = printed_json(cli(*PASSPORT, "--key", "customer-1", "--wait", "30", "--json"))

    again = cli(*PASSPORT, "--key", "customer-1", "--json")
    other = cli("submit", "passport", "file_number=OTHER", "dob=2007-03-01", "--key", "customer-1")

    assert printed_json(again) == first
    assert (other.exit_code, other.stdout) == (3, "")
    assert first["id"] in other.stderr
    assert other.stderr.count("\n") == 1
    assert "OTHER" not in other.stderr


def test_a_request_can_come_from_a_file_or_from_standard_input(cli: Cli, tmp_path: Path) -> None:
    text = json.dumps({"file_number": FILE_NUMBER, "dob": "2007-03-01"})
    file = tmp_path / "request.json"
    file.write_text(text, encoding="utf-8")

    by_file = cli("submit", "passport", "--key", "filed", "--data-file", str(file), "--json")
    by_input = cli("submit", "passport", "--key", "filed", "--data-file", "-", "--json", text=text)

    assert by_file.exit_code == by_input.exit_code == 0
    assert printed_json(by_file)["id"] == printed_json(by_input)["id"]


def test_a_refused_verification_exits_with_1(cli: Cli) -> None:
    refused = cli(*PASSPORT, "--id", "magic-400-some_code-1", "--wait", "30", "--json")

    assert refused.exit_code == 1
    assert (printed_json(refused)["state"], printed_json(refused)["reason"]) == (
        "REFUSED",
        "some_code",
    )


def test_an_invalid_request_is_reported_with_all_faults_and_no_value(cli: Cli) -> None:
    wrong = ["submit", "passport", "dob=1/3/2007", "--id", "not an id"]

    line, data = cli(*wrong), cli(*wrong, "--json")

    assert line.exit_code == data.exit_code == 2
    assert line.stderr.count("\n") == 1
    assert "1/3/2007" not in line.output + data.output
    assert [each["field"] for each in printed_json(data)["error"]["faults"]] == [
        "verification_id",
        "file_number",
        "dob",
    ]


def test_without_a_server_submit_exits_with_4_and_advises_a_repeat(cli: Cli) -> None:
    gone = cli(*PASSPORT, "--key", "1", env={"SATYAPAN_REDIS_URL": "redis://127.0.0.1:1"})

    assert gone.exit_code == 4
    assert "try again with the same id" in gone.stderr


def test_show_of_an_unknown_id_exits_with_5(cli: Cli) -> None:
    missing = cli("show", "nobody", "--json")

    assert missing.exit_code == 5
    assert printed_json(missing)["error"]["verification_id"] == "nobody"


def test_a_wait_that_ends_before_the_person_acts_exits_with_6(cli: Cli) -> None:
    journey = ["submit", "digilocker", "document_requested=AADHAAR,PAN", "--key", "open"]

    open_still = cli(*journey, "--wait", "0.3")

    assert open_still.exit_code == 6
    assert "wait again" in open_still.stderr


def test_result_and_link_are_shown_on_request_only(cli: Cli, verifications: Verifications) -> None:
    link = verifications.submit(
        "static_kyc_link", {"template_name": "Aadhaar_verification"}, key="shown"
    )
    link = verifications.wait(link.id, 30)

    masked, private = cli("show", link.id), cli("show", link.id, "--private")
    data = printed_json(cli("show", link.id, "--private", "--json"))

    assert link.link
    assert link.link not in masked.output
    assert "hidden: show --private" in masked.output
    assert link.link in private.output
    assert "--json prints all" in private.output  # the image in it is too long
    assert data["result"] == link.result


def test_a_result_can_only_be_shown_with_the_key_that_seals_it(
    cli: Cli, verifications: Verifications
) -> None:
    request = {"file_number": FILE_NUMBER, "dob": "2007-03-01"}
    sealed = verifications.submit("passport", request, key="sealed")

    refused = cli("show", sealed.id, "--private", env={"SATYAPAN_SEAL_KEYS": new_key("other")})

    assert refused.exit_code == 2
    assert "sealed under key 'demo'" in refused.stderr
    assert FILE_NUMBER not in refused.output


def test_watch_follows_a_journey_to_its_end(
    cli: Cli, stack: LocalStack, verifications: Verifications
) -> None:
    journey = verifications.submit("digilocker", {"document_requested": ["PAN"]}, key="watched")
    verifications.wait(journey.id, 30, until=linked)
    stack.control("webhooks", {"delay_s": 1})
    try:
        stack.control(f"journeys/{journey.id}", {"decision": "deny"})

        denied = cli("watch", journey.id, "--timeout", "60", "--json")
    finally:
        stack.control("webhooks", {"delay_s": 0})

    lines = [json.loads(line) for line in denied.stdout.splitlines()]
    assert denied.exit_code == 1
    assert lines[-1]["state"] == "DENIED"
    assert {line["id"] for line in lines} == {journey.id}
    assert all("link" not in line for line in lines)


def test_watch_gives_each_group_every_event_once(cli: Cli, verifications: Verifications) -> None:
    request = {"file_number": FILE_NUMBER, "dob": "2007-03-01"}
    passport = verifications.submit("passport", request, key="event")
    verifications.wait(passport.id, 30)
    watch = ["watch", "--timeout", "0.5", "--group"]

    first, again, other = cli(*watch, "a"), cli(*watch, "a"), cli(*watch, "b", "--json")

    assert f"{passport.id}  passport  done  VALID" in first.stdout
    assert (again.exit_code, again.stdout) == (0, "")
    events = [json.loads(line) for line in other.stdout.splitlines()]
    assert [e["name"] for e in events if e["verification_id"] == passport.id] == ["done"]


def test_list_counts_and_shows_the_newest_first(cli: Cli, verifications: Verifications) -> None:
    request = {"file_number": FILE_NUMBER, "dob": "2007-03-01"}
    for name in ("list-1", "list-2"):
        verifications.submit("passport", request, verification_id=name)
        verifications.wait(name, 30)

    data = printed_json(cli("list", "--state", "done", "--limit", "2", "--json"))
    lines = cli("list").stdout

    assert [each["id"] for each in data["verifications"]] == ["list-2", "list-1"]
    assert data["counts"]["DONE"] >= 2
    assert f"DONE {data['counts']['DONE']}" in lines
    assert "list-1" in lines


def test_the_installed_program_submits_and_waits(stack: LocalStack) -> None:
    program = str(Path(sys.executable).with_name("satyapan"))
    command = [program, *PASSPORT, "--key", "installed", "--wait", "30", "--json"]

    done = subprocess.run(
        command, env=stack.env, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "VALID"


def test_a_killed_worker_can_be_replaced_and_its_work_is_done(stack: LocalStack) -> None:
    before = stack.pid()
    verifications = stack.verifications()

    stack.kill_worker()
    passport = verifications.submit(
        "passport", {"file_number": FILE_NUMBER, "dob": "2007-03-01"}, key="orphan"
    )
    assert stack.restart_ended() == []
    stack.restart_worker()

    assert stack.pid() != before
    assert verifications.wait(passport.id, 60).status == "VALID"
    eventually(lambda: stack.restart_ended() == [])
