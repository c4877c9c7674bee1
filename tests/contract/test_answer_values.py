"""Values that an answer sets for bodies, and a read that finds the calls of several operations."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.definitions.loading import load_operations
from sandbox.definitions.yaml_file import BadOperationFile
from sandbox.python_answers import PYTHON_ANSWERS
from tests.contract.conftest import KEYS, FixedClock, FixedIds

CREATE = """\
operation: POST /{name}
name: {name}
title: A call
per_minute: 5
fields:
  pan: {{required: true}}
  own_id: {{}}
id: {{field: own_id}}
answers:
- when: {{pan: A}}
  set: {{holder: 'ASHA $pan', score: 100}}
  becomes: done
  body: &body {{by: {name}, reference_id: $reference_id, holder: $holder, score: $score}}
- becomes: done
  body: *body
stages:
  open: {{after_s: 2, body: {{by: open}}}}
  done: {{body: *body}}
"""
READ = """\
operation: GET /either
name: either_read
title: A read
per_minute: 5
read:
  of: [first, second]
  by:
    reference_id: {finds: reference, unknown: [404, reference_id_not_found, none]}
    own_id: {finds: id, unknown: [404, own_id_not_found, none]}
  nothing_given: [400, invalid_request, give one]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        tmp_path.joinpath(f"{name}.yaml").write_text(CREATE.format(name=name), encoding="utf-8")
    tmp_path.joinpath("read.yaml").write_text(READ, encoding="utf-8")
    return tmp_path


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def client(folder: Path, clock: FixedClock) -> FlaskClient:
    return create_app(SandboxConfig(operations=[str(folder)]), clock, FixedIds()).test_client()


def test_an_answer_sets_values_for_its_body_and_for_the_stages(client: FlaskClient) -> None:
    known = client.post("/verification/first", json={"pan": "A", "own_id": "a"}, headers=KEYS)
    other = client.post("/verification/first", json={"pan": "B"}, headers=KEYS)
    client.post("/_control/clock", json={"advance_s": 2})
    read = client.get("/verification/either?own_id=a", headers=KEYS)

    assert (known.get_json()["holder"], known.get_json()["score"]) == ("ASHA A", 100)
    assert (other.get_json()["holder"], other.get_json()["score"]) == (None, None)
    assert read.get_json() == known.get_json()


def test_a_read_finds_the_calls_of_each_operation(client: FlaskClient) -> None:
    for name in ("first", "second"):
        made = client.post(f"/verification/{name}", json={"pan": "A"}, headers=KEYS)
        client.post("/_control/clock", json={"advance_s": 2})
        reference = made.get_json()["reference_id"]
        read = client.get(f"/verification/either?reference_id={reference}", headers=KEYS)

        assert read.get_json()["by"] == name


def test_an_id_of_no_operation_is_unknown(client: FlaskClient) -> None:
    read = client.get("/verification/either?own_id=x", headers=KEYS)

    assert (read.status_code, read.get_json()["code"]) == (404, "own_id_not_found")


@pytest.mark.parametrize("of", ["[first, nothing]", "[]", "[first, either_read]"])
def test_a_read_of_an_operation_without_answers_is_refused(folder: Path, of: str) -> None:
    wrong = READ.replace("[first, second]", of)
    folder.joinpath("read.yaml").write_text(wrong, encoding="utf-8")

    with pytest.raises(BadOperationFile, match=r"read\.of: write the name"):
        load_operations(PYTHON_ANSWERS, [folder])


def test_a_value_that_a_body_already_has_is_refused(folder: Path) -> None:
    wrong = CREATE.format(name="first").replace("{holder:", "{pan: B, holder:")
    folder.joinpath("first.yaml").write_text(wrong, encoding="utf-8")

    with pytest.raises(BadOperationFile, match=r"answers\[0\]\.set: pan is a field"):
        load_operations(PYTHON_ANSWERS, [folder])
