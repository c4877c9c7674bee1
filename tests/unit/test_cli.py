"""The command line without a server: how commands are found and how errors are reported."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint

import click
import pytest
from click.testing import CliRunner, Result

from satyapan.cli import main as cli_main
from satyapan.cli.main import main
from satyapan.kinds import Kind, Registry
from satyapan.kinds.identity.digilocker import DOCUMENTS

SECRET = "PA0000000000001"
Cli = Callable[..., Result]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch) -> Cli:
    for name in [name for name in os.environ if name.startswith("SATYAPAN_")]:
        monkeypatch.delenv(name)
    return lambda *arguments, **more: CliRunner().invoke(main, arguments, **more)


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the entry points of this environment by the given ones."""

    def install(**paths: str) -> None:
        installed = [EntryPoint(name, path, cli_main.PLUGINS) for name, path in paths.items()]
        monkeypatch.setattr(cli_main, "entry_points", lambda **_: installed)

    return install


def test_help_lists_every_command_without_importing_one() -> None:
    program = """
import sys
from satyapan.cli.main import main
main(["--help"], standalone_mode=False)
heavy = {"flask", "requests", "gunicorn", "worker.cli", "demo.cli", "config.settings"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    for name in ("submit", "show", "watch", "list", "kinds", "demo", "sandbox", "worker"):
        assert f"\n  {name} " in done.stdout
    assert "Run verifications of " in done.stdout
    assert done.stdout.endswith("[]\n")


def test_every_installed_command_can_be_loaded(cli: Cli) -> None:
    for name in main.list_commands(click.Context(main)):
        assert cli(name, "--help").exit_code == 0, name


@pytest.mark.parametrize("path", ["no.such:command", "satyapan.errors:Absent", "satyapan:Conflict"])
def test_a_broken_command_is_named_and_the_others_work(
    cli: Cli, plugins: Callable[..., None], path: str
) -> None:
    plugins(odd=path)

    usage, broken, working = cli("--help"), cli("odd", "--any", "thing"), cli("kinds")

    assert "odd" in usage.stdout
    assert (broken.exit_code, usage.exit_code, working.exit_code) == (2, 0, 0)
    assert f"odd ({path}) can't be loaded" in broken.stderr


def test_a_plugin_never_replaces_a_built_in_command(cli: Cli, plugins: Callable[..., None]) -> None:
    plugins(kinds="no.such:command")

    assert "passport" in cli("kinds").stdout


def test_all_missing_settings_are_named_each_on_its_own_line(cli: Cli) -> None:
    text, data = cli("list"), cli("list", "--json")

    assert (text.exit_code, data.exit_code) == (2, 2)
    first, *lines = text.stderr.splitlines()
    names = ["SATYAPAN_SEAL_KEYS", "SATYAPAN_ID_KEY"]
    assert first == "satyapan: correct these settings and start again:"
    assert [line.partition(":")[0] for line in lines] == [f"  {name}" for name in names]
    error = json.loads(data.stdout)["error"]
    assert [fault["setting"] for fault in error["faults"]] == names


@pytest.mark.parametrize(
    ("arguments", "suggestion"),
    [
        (["lst"], "list"),
        (["re-drive", "--by", "me"], "redrive"),
        (["list", "--limt", "3"], "--limit"),
        (["list", "--state", "expierd"], "EXPIRED"),
        (["kinds", "digilockr"], "digilocker"),
    ],
)
def test_the_nearest_word_is_suggested_for_a_misspelt_one(
    cli: Cli, arguments: list[str], suggestion: str
) -> None:
    wrong = cli(*arguments)

    assert (wrong.exit_code, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert "did you mean" in wrong.stderr.lower()
    assert suggestion in wrong.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--key", "1"],
        ["a=b", "--key", "1", "--id", "2"],
        [SECRET, "--key", "1"],
        ["=" + SECRET, "--key", "1"],
        [f"a={SECRET}", f"a={SECRET}", "--key", "1"],
        [f"a={SECRET}", "--data", "{}", "--key", "1"],
        ["--data", SECRET, "--key", "1"],
        ["--data", f'["{SECRET}"]', "--key", "1"],
        ["--data", f'{{"a": "{SECRET}"', "--key", "1"],
        ["--data-file", "-", "--key", "1"],
        [f"--file_number={SECRET}", "--key", "1"],
    ],
)
def test_a_usage_error_is_one_line_that_repeats_no_value(cli: Cli, arguments: list[str]) -> None:
    wrong = cli("submit", "passport", *arguments, input=SECRET)

    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1
    assert SECRET not in wrong.stderr


def test_a_usage_error_is_an_object_with_the_json_option(cli: Cli) -> None:
    wrong = cli("submit", "passport", "a=b", "--json")

    assert json.loads(wrong.stdout)["error"] == {
        "type": "UsageError",
        "message": "give either --id or --key",
        "exit_code": 2,
    }


@pytest.mark.parametrize("arguments", [["lst"], ["list", "--limt", "3"], ["worker"]])
def test_an_error_before_a_command_runs_is_an_object_too(cli: Cli, arguments: list[str]) -> None:
    wrong = cli(*arguments, "--json")

    assert json.loads(wrong.stdout)["error"]["exit_code"] == wrong.exit_code == 2
    assert wrong.stderr == ""


def test_an_unknown_kind_is_refused_with_a_list_of_the_known_ones(cli: Cli) -> None:
    unknown = cli("submit", "licence", "a=b", "--key", "1")

    assert unknown.exit_code == 2
    assert ", ".join(sorted(Registry().names)) in unknown.stderr


@pytest.mark.parametrize("kind", tuple(Registry()), ids=lambda kind: kind.name)
def test_a_kind_is_described_from_its_data(cli: Cli, kind: Kind) -> None:
    text, data = (
        cli("kinds", kind.name).stdout,
        json.loads(cli("kinds", kind.name, "--json").stdout),
    )

    assert data["example"].keys() <= {field["name"] for field in data["request"]}
    for field in data["request"]:
        assert field["name"] in text
        assert field["type"] != "any"
        assert field["rule"] in text
        assert field["rule"]
    assert "--data '" not in text
    assert f"satyapan submit {kind.name} --key YOURS --data-file request.json" in text
    for label in data["labels"].values():
        assert label in text


def test_kinds_are_loaded_from_the_setting_and_a_broken_one_is_an_error(cli: Cli) -> None:
    bad = cli("kinds", env={"SATYAPAN_KINDS": "no.such:KIND"})
    good = cli("kinds", env={"SATYAPAN_KINDS": "satyapan.kinds.identity.passport:PASSPORT"})

    assert bad.exit_code == 2
    assert "SATYAPAN_KINDS" in bad.stderr
    assert good.exit_code == 0


def test_the_documents_and_rules_of_digilocker_are_described(cli: Cli) -> None:
    text = cli("kinds", "digilocker").stdout

    for term in (*DOCUMENTS, "signin or signup", "https://", "SATYAPAN_RETURN_HOSTS"):
        assert term in text


def test_kinds_prints_what_each_kind_needs_and_costs(cli: Cli) -> None:
    head, *lines = cli("kinds").stdout.splitlines()

    assert head.split() == ["KIND", "NEEDS", "PAID", "CALLS", "TITLE"]
    cells = {line.split("  ")[0]: line for line in lines}
    assert "file_number, dob  " in cells["passport"]
    assert "document_requested, a person in a browser" in cells["digilocker"]
    assert "one, and one for each document" in cells["digilocker"]
    assert "one for all who share it" in cells["static_kyc_link"]


def test_help_warns_about_personal_data_in_arguments(cli: Cli) -> None:
    text = " ".join(cli("submit", "--help").stdout.split())

    assert text.count("process list and stay in the shell's history") == 2


def test_the_help_of_every_command_says_where_its_exit_codes_are(cli: Cli) -> None:
    for name in main.list_commands(click.Context(main)):
        assert "Exit codes: see satyapan --help." in cli(name, "--help").stdout, name
