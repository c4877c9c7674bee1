"""Everything that the docs refer to exists, and their programs and output are true."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

import satyapan
from config.reference import names
from satyapan.cli.main import main
from satyapan.names import Keys
from satyapan.testing import FakeVerifications
from tests.support.project import APPLICATION, PRODUCER, ROOT, pyproject

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "sandbox/*.md", "satyapan/*.md")
    for page in ROOT.glob(pattern)
)
ADRS = sorted(ROOT.glob("docs/adr/[0-9]*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]+(/[\w.-]+)+\.(py|lua|md|yml|toml|json)", re.ASCII)
SETTING = re.compile(r"(?<![A-Z_])SATYAPAN_[A-Z_]+(?![A-Z_*])")
COMMAND = re.compile(r"(?:`|exec |^\s+)satyapan ([a-z]+)", re.MULTILINE)
SWITCHES = {"SATYAPAN_EMBEDDED_SERVER", "SATYAPAN_FAILPOINT"}
"""Environment variables that aren't settings of the application."""


def text(page: str) -> str:
    return ROOT.joinpath(page).read_text(encoding="utf-8")


def prose(page: str) -> str:
    return FENCE.sub("", text(page))


def pointers() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for link in LINK.findall(prose(page)):
            if "://" not in link:
                yield page, link


@cache
def anchors(path: Path) -> set[str]:
    """Return the valid fragments of links to a file: its tests, or its headings."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return {
            node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
        }
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", source), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "link"), sorted(set(pointers())))
def test_every_link_has_an_existing_target(page: str, link: str) -> None:
    place, _, anchor = link.partition("#")
    target = ROOT.joinpath(page).parent.joinpath(place) if place else ROOT.joinpath(page)

    assert target.exists()
    assert not anchor or anchor in anchors(target)


def test_every_promise_of_the_readme_is_linked_to_a_test() -> None:
    table = text("README.md").partition("## What it promises")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]

    assert len(rows) > 10
    assert [row for row in rows if ".py#test_" not in row] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_in_the_text_exists(page: str) -> None:
    named = {code for code in CODE.findall(prose(page)) if FILE.fullmatch(code)}

    assert {name for name in named if not ROOT.joinpath(name).exists()} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_in_the_text_exists(page: str) -> None:
    known = {name + end for name in names() for end in ("", "_FILE")}

    assert set(SETTING.findall(text(page))) <= known | SWITCHES


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_the_text_exists(page: str) -> None:
    added = pyproject()["project"]["entry-points"]["satyapan.commands"]
    known = {*main.list_commands(click.Context(main)), *added}

    assert set(COMMAND.findall(text(page))) <= known


@pytest.mark.parametrize("page", ["README.md", "satyapan/README.md"])
def test_the_programs_on_a_page_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeVerifications()
    fake.answer("passport", status="VALID", result={"name": "JOHN DOE"})
    monkeypatch.setattr(satyapan.Verifications, "from_env", lambda: fake)
    programs = [code for language, code in FENCE.findall(text(page)) if language == "python"]

    assert programs
    for program in programs:
        spaces: dict[str, object] = {}
        exec(program, spaces)  # noqa: S102  this test runs the programs of the docs
        for name, value in spaces.items():
            if name.startswith("test_") and callable(value):
                value()


@pytest.mark.slow
def test_the_readme_shows_the_output_of_the_demo() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "satyapan.cli", "demo"],
        cwd=ROOT,
        env=os.environ | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    shown = next(
        code for language, code in FENCE.findall(text("README.md")) if "1. Passport" in code
    )

    assert demo.returncode == 0, demo.stderr
    lines = {plain(line) for line in demo.stdout.splitlines()}
    assert [line for line in shown.splitlines() if plain(line) not in lines | {"..."}] == []


def plain(line: str) -> str:
    """Remove from a line what differs between runs: ids, addresses, durations, column widths."""
    line = re.sub(r"\b[vc]-[a-z2-7]{26}\b|http://\S+|\d+\.\d s", "*", line)
    return re.sub(r" {2,}", "  ", line).strip()


def test_the_page_on_architecture_has_every_package_key_and_script() -> None:
    page = text("docs/architecture.md")
    scripts = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("[!.]*/**/lua/*.lua")}
    keys = {name.replace("_", "-") for name in {**vars(Keys), **vars(Keys())}}
    keys = {key for key in keys if not key.startswith("-")} - {"channel", "prefix"} | {"changed"}

    assert {script for script in scripts if f"`{script}`" not in page} == set()
    assert {key for key in keys if not re.search(rf"`{key}[:`]", page)} == set()
    assert {name for name in [PRODUCER, *APPLICATION] if f"`{name}/`" not in page} == set()


def test_each_decision_is_short_complete_and_listed() -> None:
    index = text("docs/adr/README.md")

    assert ADRS
    for adr in ADRS:
        lines = adr.read_text(encoding="utf-8").splitlines()
        headings = [line[3:] for line in lines if line.startswith("## ")]
        assert headings == ["Context", "Decision", "Consequences", "What would change our mind"]
        assert len(lines) <= 40
        assert f"({adr.name})" in index
