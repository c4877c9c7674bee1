"""Reading excerpts: mistakes are named, values are as in JSON."""

from pathlib import Path

import pytest

from tests.contract import excerpts as module
from tests.contract.excerpts import EVERY_OPERATION, excerpts, find_excerpt

GOOD = """\
operation: GET /pan/{reference_id}
request: {reference_id: {type: integer, required: true}}
reply: {dob: string}
example: {reference_id: 7}
answers:
- {name: Found, http: 200, means: DONE/VALID, body: {dob: 2007-03-01, ref_id: 7}}
- {name: Failed, http: 500, means: unknown, code: failed, error: {refId: 209}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "excerpts", excerpts.__wrapped__)
    tmp_path.joinpath(f"{EVERY_OPERATION}.yaml").write_text("answers: []")
    return tmp_path


def test_an_excerpt_is_found_by_its_path_whatever_its_parameters_are_called(folder: Path) -> None:
    folder.joinpath("pan_read.yaml").write_text(GOOD)

    found = find_excerpt("GET", "/pan/{reference}")

    assert found is not None
    assert found.name == "pan_read"
    assert found.call({"reference_id": 7, "x": 1}) == {
        "method": "GET",
        "path": "/pan/7",
        "params": {"x": 1},
    }
    assert find_excerpt("POST", "/pan/{reference}") is None


def test_dates_are_texts_and_references_are_found(folder: Path) -> None:
    folder.joinpath("pan_read.yaml").write_text(GOOD)

    ((reply, error),) = (excerpt.answers for excerpt in module.excerpts())

    assert reply.body["dob"] == "2007-03-01"
    assert (reply.reference, error.reference) == ("7", "209")
    assert error.whole_body == {
        "type": "validation_error",
        "code": "failed",
        "error": {"refId": 209},
    }


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("means:", "meens:", "meens"), ("reply:", "replies:", "replies"), ("http: 200", "x: 1", "x")],
)
def test_a_mistake_is_named_with_its_file(folder: Path, old: str, new: str, named: str) -> None:
    folder.joinpath("pan_read.yaml").write_text(GOOD.replace(old, new))

    with pytest.raises(ValueError, match=rf"pan_read.yaml: .*{named}"):
        module.excerpts()
