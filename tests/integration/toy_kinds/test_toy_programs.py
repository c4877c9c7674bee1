"""The programs know a kind by its file and its place in the settings, and by nothing else."""

import json
from pathlib import Path

import pytest

from satyapan import State, linked
from tests.support.project import APPLICATION, PRODUCER, ROOT, files
from tests.support.toy_stack import NAMES, Toys, toy_kinds


def test_the_command_line_lists_the_kinds(toys: Toys) -> None:
    table, data = toys.satyapan("kinds"), toys.satyapan("kinds", "--json")

    assert [name for name in NAMES if f"\n{name} " not in table] == []
    assert set(NAMES) < {each["name"] for each in json.loads(data)}


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_describes_each_kind(toys: Toys, name: str) -> None:
    kind = toy_kinds()[name]

    text = toys.satyapan("kinds", name)
    schema = json.loads(toys.satyapan("kinds", name, "--schema"))

    assert text.startswith(f"{name}: {kind.title}")
    assert [word for word in (*kind.labels, *kind.result_fields) if word not in text] == []
    assert set(schema["request"]["properties"]) == set(kind.request().fields)
    assert set(schema["result"]["properties"]) == set(kind.result_fields)
    assert schema["result"]["x-statuses"] == dict(kind.labels)


@pytest.mark.parametrize("name", ["toy_pan", "toy_pan_check", "toy_account"])
def test_the_command_line_submits_and_shows_each_kind(toys: Toys, name: str) -> None:
    kind, one = toy_kinds()[name], f"cli-{name}"

    request = json.dumps(dict(kind.example))
    toys.satyapan("submit", name, "--data", request, "--id", one, "--wait", "30")
    text = toys.satyapan("show", one)

    found = toys.read(one)
    assert found.state is State.DONE
    assert f"{found.status} ({kind.labels[found.status]})" in text
    assert "reference_id" in text


def test_the_command_line_shows_what_is_handed_to_a_person(toys: Toys) -> None:
    toys.submit("toy_pay", "cli-toy_pay")
    found = toys.producer.wait("cli-toy_pay", timeout=30, until=linked)

    masked, private = toys.satyapan("show", found.id), toys.satyapan("show", found.id, "--private")

    assert "gpay, qr_code, upi_link: show --private" in masked
    assert found.link in private
    assert found.handoff["upi_link"] in private


def test_no_shipped_program_names_the_kinds() -> None:
    shipped = [Path(name) for package in (PRODUCER, *APPLICATION) for name in files(package)]
    programs = [path for path in shipped if path.suffix != ".md"]  # a page may show an example

    naming = [
        path
        for path in programs
        if any(name.encode() in ROOT.joinpath(path).read_bytes() for name in NAMES)
    ]

    assert len(programs) > 50
    assert naming == []
