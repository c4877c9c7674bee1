"""The files of operations: what is refused at start, and what people see of them."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.app import create_app
from sandbox.config import SandboxConfig
from sandbox.definitions.loading import FOLDER, load_operations
from sandbox.definitions.model import VendorOperation
from sandbox.definitions.yaml_file import BadOperationFile
from sandbox.engine.execution import matching_answer
from sandbox.python_answers import PYTHON_ANSWERS
from tests.contract.conftest import KEYS, OPERATIONS, FixedClock, FixedIds, Process
from tests.contract.toy_calls import TOYS
from tests.support.project import ROOT

GOOD = """\
operation: POST /card
name: card
title: A PAN
per_minute: 5
fields:
  pan: {required: true, like: '[A-Z]+'}
answers:
- when: {pan: A}
  body: {pan: $pan}
- error: [502, verification_failed, away]
"""
BATCH = (
    GOOD.replace("fields:\n", "fields:\n  entries: {type: list}\n  'entries[].pan': {}\n")
    + "entries:\n  field: entries\n  waiting: {who: $pan}\n"
    + "  answers: [{set: {own: 1}, body: {who: $own}}]\n"
)
WITH_STAGES = GOOD + "stages:\n  first: {after_s: 1, body: {}}\n  last: {body: {}}\n"


def refusal(folder: Path, content: str) -> str:
    """Return why a folder with this file is refused, without the file's name."""
    file = folder / "pan.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(BadOperationFile) as caught:
        load_operations(PYTHON_ANSWERS, [folder])
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


def changed(old: str, new: str, content: str = GOOD) -> str:
    assert old in content
    return content.replace(old, new)


def test_the_file_of_these_tests_is_good(tmp_path: Path) -> None:
    tmp_path.joinpath("pan.yaml").write_text(GOOD, encoding="utf-8")

    assert load_operations(PYTHON_ANSWERS, [tmp_path])["card"].per_minute == 5


@pytest.mark.parametrize(
    ("content", "place", "hint"),
    [
        (changed("name: card", "name: [card"), "line 3, column 6", "expected ',' or ']'"),
        (changed("title: A PAN", "name: card"), "line 1, column 1", "name stands here twice"),
        (changed("title: A PAN\n", ""), "the file", "title is missing; add it"),
        (changed("title:", "titel:"), "the file", "unknown key titel; write one of"),
        ("[]", "the file", "write a mapping of operation"),
        (changed("POST /card", "CARD"), "operation", "such as POST /pan"),
        (changed("name: card", "name: Pan!"), "name", "lower case letters"),
        (changed("name: card", "name: passport"), "the file", "another file has the name passport"),
        (changed("/card\n", "/passport\n"), "the file", "passport has this method and path"),
        (changed("per_minute: 5", "per_minute: often"), "per_minute", "write a number"),
        (changed("per_minute: 5", "per_minute: -5"), "per_minute", "0 or more"),
        (changed("like:", "looks:"), "fields.pan", "unknown key looks"),
        (changed("'[A-Z]+'", "'[A-Z'"), "fields.pan.like", "write a regular expression"),
        (changed("required: true", "required: 1"), "fields.pan.required", "write true or false"),
        (changed("required: true", "type: word"), "fields.pan.type", "write one of text"),
        (changed("required: true", "date: false"), "fields.pan.date", "leave the rule out"),
        (changed("{required: true, like: '[A-Z]+'}", "shared"), "fields.pan", "no shared field"),
        (changed("when: {pan: A}", "when: {pna: A}"), "answers[0].when", "no field is called pna"),
        (changed("when: {pan: A}", "when: {pan: 1}"), "answers[0].when.pan", "write it in quotes"),
        (changed("[502, ", "["), "answers[1].error", "write [status, code, message]"),
        (changed("body: {pan: $pan}", "means: x"), "answers[0]", "write either body or error"),
        (changed("$pan", "$pna"), "the file", "unknown name $pna in a body; write one of pan"),
        (changed("when: {pan: A}", "becomes: x"), "answers[0].becomes", "no stage is called x"),
        (changed("- error: [502, verification_failed, away]\n", ""), "answers", "without when"),
        (changed("answers:", "python: magic\nanswers:"), "the file", "write exactly one of"),
        (GOOD.partition("answers:")[0] + "python: magic", "python", "digilocker.create"),
        (GOOD + "id: {field: user_id}", "id", "no field is called user_id"),
        (GOOD + "entries: {field: pan, answers: [{body: {}}]}", "entries.field", "type: list"),
        (changed("own: 1", "own: $pna", BATCH), "entries.answers[0]", "unknown name $pna"),
        (changed("who: $pan", "who: $pna", BATCH), "entries.waiting", "unknown name $pna"),
        (
            GOOD + "needs_one_of: {fields: [a], error: [400, b, c]}",
            "needs_one_of",
            "no field is called a",
        ),
        (WITH_STAGES, "answers[0]", "write becomes"),
        (changed("after_s: 1", "after_s: 1, next: end", WITH_STAGES), "stages.first", "called end"),
        (changed("after_s: 1", "next: last", WITH_STAGES), "stages.first", "needs after_s"),
        (
            GOOD.partition("answers:")[0]
            + "read: {of: nothing, by: {}, nothing_given: [400, a, b]}",
            "read.of",
            "write the name of an operation with answers",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_place_and_hint(
    tmp_path: Path, content: str, place: str, hint: str
) -> None:
    found = refusal(tmp_path, content)

    assert found.startswith(f"{place}: ")
    assert hint in found


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOperationFile, match=r"no file \*\.yaml"):
        load_operations(PYTHON_ANSWERS, [tmp_path])


def test_the_process_refuses_a_wrong_file(tmp_path: Path) -> None:
    tmp_path.joinpath("pan.yaml").write_text("title: [", encoding="utf-8")
    command = [sys.executable, "-m", "sandbox", "--operations", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "pan.yaml: line " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_process_loads_another_folder(spawn: Callable[..., Process]) -> None:
    vendor = spawn("--operations", TOYS, "--quota", "toy_pan=1").vendor

    body = {"verification_id": "t-1", "pan": "ABCPV1234D"}
    answers = [vendor.call("POST", "/toy/pan", json=body) for _ in range(2)]

    assert [each.status_code for each in answers] == [200, 429]
    assert "/verification/toy/pan" in vendor.open(f"{vendor.root}/").text


CONSENT = """\
operation: POST /consent
name: consent
title: A consent
per_minute: 100
fields:
  phone: {type: [text, number], like: '[0-9]+', longest: 10}
  mail: {}
  alias: {required: true, errors: {empty: [alias_value_invalid, alias is empty]}}
  user_consent: {required: true, type: object}
  user_consent.obtained: {required: true, type: boolean}
  user_consent.timestamp: {required: true, recent_s: 300}
  user_consent.purpose: {required: true, shortest: 20}
needs_one_of: {fields: [phone, mail], error: [400, invalid_request, provide phone or mail.]}
answers:
- when: {user_consent.obtained: false}
  error: [400, no_consent, without consent]
- means: the consent
  send:
    phone: '9000000001'
    user_consent: {obtained: true, timestamp: $now, purpose: to try it here}
  body: {phone: $phone, consent: $user_consent}
"""
GIVEN = {
    "obtained": True,
    "timestamp": "2026-01-05T10:08:00Z",
    "purpose": "to open an account here",
}


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 200, None),
        ({"phone": 9000000002}, 200, None),
        ({"phone": 90000000021}, 400, "phone_length_exceeded"),
        ({"phone": "9a"}, 400, "phone_value_invalid"),
        ({"phone": True}, 400, "phone_value_invalid"),
        ({"phone": ""}, 400, "phone_value_invalid"),
        ({"phone": None, "mail": "a@b"}, 400, "phone_value_invalid"),
        ({"alias": None}, 400, "alias_missing"),
        ({"alias": ""}, 400, "alias_value_invalid"),
        ({"user_consent": None}, 400, "user_consent_missing"),
        ({"user_consent": "yes"}, 400, "user_consent_value_invalid"),
        ({"user_consent": {**GIVEN, "obtained": None}}, 400, "obtained_missing"),
        ({"user_consent": {**GIVEN, "obtained": False}}, 400, "no_consent"),
        ({"user_consent": {**GIVEN, "purpose": "short"}}, 400, "purpose_length_short"),
        ({"user_consent": {**GIVEN, "timestamp": "now"}}, 400, "timestamp_value_invalid"),
        (
            {"user_consent": {**GIVEN, "timestamp": "2026-01-05T10:06:00"}},
            400,
            "timestamp_value_invalid",
        ),
    ],
)
def test_nested_fields_and_a_fresh_time_are_checked(
    tmp_path: Path, changes: dict[str, object], status: int, code: str | None
) -> None:
    tmp_path.joinpath("consent.yaml").write_text(CONSENT, encoding="utf-8")
    config = SandboxConfig(operations=[str(tmp_path)])
    client = create_app(config, FixedClock(), FixedIds()).test_client()
    body = {"phone": "9000000001", "alias": "A", "user_consent": GIVEN, **changes}

    answer = client.post("/verification/consent", json=body, headers=KEYS)

    assert (answer.status_code, answer.get_json().get("code")) == (status, code)


def test_a_request_to_copy_has_the_time_at_which_it_is_shown(tmp_path: Path) -> None:
    tmp_path.joinpath("consent.yaml").write_text(CONSENT, encoding="utf-8")
    clock = FixedClock()
    client = create_app(SandboxConfig(operations=[str(tmp_path)]), clock).test_client()
    first = client.get("/").text
    clock.at += 3600

    assert "2026-01-05T10:11:12Z" in first
    assert "2026-01-05T11:11:12Z" in client.get("/").text
    assert "$now" not in first


def test_a_request_needs_one_of_some_fields(tmp_path: Path) -> None:
    tmp_path.joinpath("consent.yaml").write_text(CONSENT, encoding="utf-8")
    client = create_app(SandboxConfig(operations=[str(tmp_path)]), FixedClock()).test_client()
    body = {"alias": "A", "user_consent": GIVEN}

    answer = client.post("/verification/consent", json=body, headers=KEYS)

    assert answer.get_json()["message"] == "provide phone or mail."


@pytest.fixture(scope="module")
def page() -> str:
    return create_app(SandboxConfig(operations=[TOYS])).test_client().get("/").text


ALL = list(load_operations(PYTHON_ANSWERS, [Path(TOYS)]))


@pytest.mark.parametrize("operation", ALL, ids=lambda each: each.name)
def test_the_first_page_shows_every_operation_with_a_call_to_copy(
    page: str, operation: VendorOperation
) -> None:
    (section,) = re.findall(rf'<section id="{operation.name}">(.*?)</section>', page, re.DOTALL)

    assert f"{operation.method} /verification{operation.path}" in section
    assert f"{operation.per_minute} calls a minute" in section
    assert "<pre" in section


def test_the_first_page_links_to_the_pages_that_wait_for_a_person() -> None:
    client = create_app(SandboxConfig(operations=[TOYS])).test_client()
    assert "Pages that wait" not in client.get("/").text
    sent = client.post("/verification/toy/pay", json={"verification_id": "r-1"}, headers=KEYS)
    link = sent.get_json()["link"]

    assert f'href="{link}"' in client.get("/").text
    client.post(link, data={"decision": "pay"})
    assert link not in client.get("/").text


def test_the_first_page_says_that_it_is_a_sandbox(page: str) -> None:
    assert "This is a sandbox" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("operation", "index"),
    [(each, index) for each in ALL for index in range(len(each.answers))],
    ids=lambda each: getattr(each, "name", each),
)
def test_every_answer_has_a_call_to_copy_that_gets_it(
    operation: VendorOperation, index: int
) -> None:
    answer = operation.answers[index]

    assert answer.means
    assert matching_answer(operation.answers, answer.send) is answer


@pytest.mark.parametrize("operation", list(OPERATIONS), ids=lambda each: each.name)
def test_the_sandbox_names_only_the_tiers_of_the_vendor(operation: VendorOperation) -> None:
    assert operation.per_minute in (5, 100, 200)


def test_the_example_on_the_page_is_the_file() -> None:
    page = ROOT.joinpath("sandbox/README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)

    assert example == Path(TOYS, "toy_pay.yaml").read_text(encoding="utf-8")


def test_seventy_seven_files_load_quickly(tmp_path: Path) -> None:
    source = (FOLDER / "passport.yaml").read_text(encoding="utf-8")
    for number in range(77):
        content = source.replace("POST /passport", f"POST /passport{number}")
        content = content.replace("name: passport", f"name: passport{number}")
        tmp_path.joinpath(f"{number}.yaml").write_text(content, encoding="utf-8")

    started = time.process_time()
    found = load_operations(PYTHON_ANSWERS, [tmp_path])

    assert len(list(found)) == 77 + len(list(OPERATIONS))
    assert time.process_time() - started < 2
