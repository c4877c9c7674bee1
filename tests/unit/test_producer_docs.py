"""The pages for producers and for authors of kinds match the code."""

import re
from pathlib import Path

import pytest

import satyapan
from satyapan import State
from satyapan.records import SETTLED
from satyapan.testing import FakeVerifications
from tests.support.project import ROOT

PRODUCERS = ROOT.joinpath("docs/producers.md").read_text(encoding="utf-8")
KINDS = ROOT.joinpath("docs/adding-a-kind.md").read_text(encoding="utf-8")


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def rows(page: str, heading: str) -> list[str]:
    """Return the first cell of each row in the table below a heading."""
    table = page.partition(f"\n{heading}\n")[2].partition("\n|---|")[2].partition("\n\n")[0]
    return re.findall(r"^\| (.*?) \|", table, re.MULTILINE)


class FakeWithAnswers(FakeVerifications):
    """A fake with answers for every verification that the page submits."""

    def __init__(self, *, reply_to: str = "default") -> None:
        super().__init__(reply_to=reply_to, return_hosts=["shop.example"])
        self.answer("passport", status="VALID", result={"name": "JOHN DOE"})
        self.link("digilocker", "https://vendor.example/journey")


def test_the_producers_page_runs_from_top_to_bottom(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(satyapan, "Verifications", FakeWithAnswers)
    namespace: dict[str, object] = {}

    for block in blocks(PRODUCERS):
        exec(block, namespace)  # noqa: S102 - the page's own code

    assert len(blocks(PRODUCERS)) == 5
    assert namespace["link"] == "https://vendor.example/journey"
    assert "DONE VALID {'name': 'JOHN DOE'}" in capsys.readouterr().out


def test_every_state_is_explained() -> None:
    explained = re.findall(r"`([A-Z]+)`", " ".join(rows(PRODUCERS, "## 4. What the states say")))

    assert sorted(explained) == sorted(State)


def test_every_error_is_explained() -> None:
    explained = {cell.strip("`") for cell in rows(PRODUCERS, "## 5. Errors")}
    errors = {
        name
        for name in satyapan.__all__
        if isinstance(value := getattr(satyapan, name), type) and issubclass(value, Exception)
    }

    assert explained == errors - {"SatyapanError"}


def test_every_event_that_workers_write_is_explained() -> None:
    sources = [path.read_text(encoding="utf-8") for path in Path(ROOT / "worker").rglob("*.py")]
    written = set(re.findall(r'Emit\("(\w+)"\)', "\n".join(sources)))

    explained = {cell.strip("`") for cell in rows(PRODUCERS, "## 6. Events")}

    assert len(written) >= 3
    assert explained == written | {state.lower() for state in SETTLED}


def test_the_kind_on_the_page_is_the_tested_kind() -> None:
    tested = ROOT.joinpath("tests/support/toy_kinds/toy_pan.py").read_text(encoding="utf-8")

    assert blocks(KINDS) == [tested]
