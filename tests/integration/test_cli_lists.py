"""The output of list commands: headers and times for people, values for programs."""

import json
import re
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from satyapan import State
from satyapan.cli.main import main
from tests.support.worker_harness import Harness

TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ANY_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")
MILLISECONDS = re.compile(r"\b1[0-9]{12}\b")
Cli = Callable[..., Result]


@pytest.fixture
def cli(harness: Harness) -> Cli:
    return lambda *words: CliRunner().invoke(main, words, env=harness.env)


@pytest.fixture
def forgotten_id(harness: Harness) -> str:
    """A verification that an operator has forgotten."""
    row_id = harness.submit("passport")
    assert harness.settle(row_id).state is State.DONE
    store_webhook(harness)
    done = CliRunner().invoke(main, ["forget", row_id, "--by", "asha"], env=harness.env)
    assert done.exit_code == 0, done.output
    return row_id


def store_webhook(harness: Harness) -> None:
    harness.parts.ingest._inbox.store("webhook", "cashfree", "AN_EVENT", b"{}", "v-1")


def test_audit_entries_have_a_header_and_a_time(cli: Cli, forgotten_id: str) -> None:
    head, line = cli("audit").stdout.splitlines()
    (entry,) = [json.loads(each) for each in cli("audit", "--json").stdout.splitlines()]

    assert head.split() == ["TIME", "VERB", "ID", "BY", "OUTCOME"]
    assert line.split()[1:4] == ["forget", forgotten_id, "asha"]
    assert TIME.fullmatch(line.split()[0])
    assert (entry["verb"], entry["id"], entry["by"]) == ("forget", forgotten_id, "asha")
    assert TIME.fullmatch(entry["time"])


@pytest.mark.parametrize("command", ["list", "audit", "inbox", "show", "watch", "events"])
def test_no_command_prints_raw_milliseconds(cli: Cli, forgotten_id: str, command: str) -> None:
    events = ["watch", "--timeout", "1", "--group"]
    words = {"show": ["show", forgotten_id], "watch": ["watch", forgotten_id]}.get(
        command, [command]
    )
    text = cli(*events, "a") if command == "events" else cli(*words)
    data = cli(*events, "b", "--json") if command == "events" else cli(*words, "--json")

    for result in (text, data):
        assert ANY_TIME.search(result.stdout)
        assert not MILLISECONDS.search(result.stdout)


def test_a_list_omits_private_fields_that_it_does_not_decrypt(cli: Cli, harness: Harness) -> None:
    owner = harness.settle(harness.submit("static_kyc_link"))
    assert owner.link

    (listed,) = json.loads(cli("list", "--json").stdout)["verifications"]
    shown = json.loads(cli("show", owner.id, "--json").stdout)

    assert {"has_link", "result_fields"}.isdisjoint(listed)
    assert shown["has_link"] is True
    assert shown["result_fields"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["audit"], "no operator has acted so far"),
        (["inbox"], "no webhook is kept"),
        (["inbox", "--state", "parked"], "no webhook is PARKED"),
        (["list"], "no verification is stored"),
        (["list", "--state", "lost"], "no verification is LOST"),
    ],
)
def test_an_empty_list_says_so(cli: Cli, words: list[str], says: str) -> None:
    text, data = cli(*words), cli(*words, "--json")

    assert (text.exit_code, text.stdout, text.stderr) == (0, "", f"{says}\n")
    assert data.stderr == ""
    assert "null" not in data.stdout


@pytest.mark.parametrize("command", ["list", "inbox", "audit"])
@pytest.mark.parametrize("limit", ["-1", "0", "1000001"])
def test_an_invalid_limit_is_refused(cli: Cli, command: str, limit: str) -> None:
    wrong = cli(command, "--limit", limit)

    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "range" in wrong.stderr


@pytest.mark.parametrize(
    ("command", "word", "near", "other"),
    [("list", "dne", "DONE", "ACCEPTED"), ("inbox", "handeld", "HANDLED", "UNMATCHED")],
)
def test_an_unknown_state_is_an_error_that_names_the_states(
    cli: Cli, command: str, word: str, near: str, other: str
) -> None:
    wrong = cli(command, "--state", word)

    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert f"did you mean {near}?" in wrong.stderr
    assert other in wrong.stderr
