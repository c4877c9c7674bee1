"""Every command has the exit codes that docs/command-line.md lists."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from satyapan.cli.main import main
from tests.support.worker_harness import environment

AWAY = {"SATYAPAN_REDIS_URL": "redis://127.0.0.1:1"}
PASSPORT = ["submit", "passport", "file_number=PA1", "dob=2007-03-01", "--key", "1"]
BY_ID = {
    "show": ["show", "nobody"],
    "watch": ["watch", "nobody", "--timeout", "5"],
    "redrive": ["redrive", "nobody"],
    "reissue": ["reissue", "nobody", "--pay-again"],
    "replay": ["replay", "nobody"],
    "forget": ["forget", "nobody"],
    "retire": ["retire", "nobody"],
    "inbox": ["inbox", "--show", "nobody"],
}
LISTS = {
    "list": ["list"],
    "events": ["watch", "--timeout", "5"],
    "audit": ["audit"],
    "webhooks": ["inbox"],
}
WITH_REDIS = {**BY_ID, **LISTS, "submit": PASSPORT, "check": ["check"]}


@pytest.fixture
def env(redis_url: str) -> dict[str, str]:
    return environment(redis_url, "http://127.0.0.1:1")


def run(words: list[str], env: dict[str, str | None]) -> Result:
    return CliRunner().invoke(main, words, env=env)


@pytest.mark.parametrize("words", WITH_REDIS.values(), ids=WITH_REDIS)
def test_an_absent_server_exits_with_4(env: dict[str, str], words: list[str]) -> None:
    line, data = run(words, {**env, **AWAY}), run([*words, "--json"], {**env, **AWAY})

    assert (line.exit_code, data.exit_code) == (4, 4), line.output
    assert "Traceback" not in line.output
    found = json.loads(data.stdout)
    if words != ["check"]:
        assert found["error"]["exit_code"] == 4
        assert (line.stdout, line.stderr.count("\n"), data.stderr) == ("", 1, "")


def test_a_worker_without_a_server_exits_with_4(env: dict[str, str]) -> None:
    program = str(Path(sys.executable).with_name("satyapan"))

    done = subprocess.run(
        [program, "worker"],
        env={"PATH": os.environ["PATH"], **env, **AWAY},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4


@pytest.mark.parametrize("words", BY_ID.values(), ids=BY_ID)
def test_an_unknown_id_exits_with_5(env: dict[str, str], words: list[str]) -> None:
    line, data = run(words, {**env}), run([*words, "--json"], {**env})

    assert (line.exit_code, data.exit_code) == (5, 5), line.output
    assert (line.stdout, "nobody" in line.stderr) == ("", True)
    assert "nobody" in data.stdout
    json.loads(data.stdout)


@pytest.mark.parametrize("words", WITH_REDIS.values(), ids=WITH_REDIS)
def test_invalid_settings_exit_with_2_and_each_has_its_own_line(
    env: dict[str, str], words: list[str]
) -> None:
    wrong: dict[str, str | None] = {**env, "SATYAPAN_SEAL_KEYS": None, "SATYAPAN_ID_KEY": None}

    line, data = run(words, wrong), run([*words, "--json"], wrong)

    assert (line.exit_code, data.exit_code) == (2, 2)
    names = ["SATYAPAN_SEAL_KEYS", "SATYAPAN_ID_KEY"]
    for name in names:
        assert sum(f"{name}:" in one for one in line.output.splitlines()) == 1
    if words != ["check"]:
        faults = json.loads(data.stdout)["error"]["faults"]
        assert [fault["setting"] for fault in faults] == names
        assert all(fault["message"] for fault in faults)


@pytest.mark.parametrize("name", main.list_commands(click.Context(main)))
def test_wrong_usage_exits_with_2_for_every_command(env: dict[str, str], name: str) -> None:
    wrong = run([name, "--no-such-option"], {**env})

    assert (wrong.exit_code, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


def test_a_refusal_exits_with_1_even_beside_an_unknown_id(env: dict[str, str]) -> None:
    submitted = run([*PASSPORT, "--json"], {**env})
    accepted = json.loads(submitted.stdout)["id"]

    mixed = run(["redrive", "nobody", accepted], {**env})

    assert mixed.exit_code == 1
    assert mixed.stderr.count("\n") == 2
