"""The vendor's own Python SDK 3.0.0 as a judge of the sandbox: it makes the calls.

Every call of the sandbox's test data and every published error of an operation that the SDK knows
goes through it. Its models have to accept each value, and to read each field: what they make of a
request or a reply is compared with what was sent. For some statuses, such as 429, the SDK has no
model: it raises a general error then. ``sdk/differences.yaml`` lists where the SDK differs from
what the vendor publishes, with a reason. What it knows and the sandbox doesn't is skipped.

The SDK is installed in a folder of its own at first use (``sdk/environment.py``).
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from sandbox.config import SandboxConfig
from sandbox.definitions.model import VendorOperation
from tests.conftest import skip_or_fail_in_ci
from tests.contract.conftest import KEYS, OPERATIONS, PLENTY, Vendor, on_a_socket
from tests.contract.data_calls import data_calls, prepare
from tests.contract.excerpts import find_excerpt
from tests.contract.sdk import environment
from tests.contract.sdk.environment import SdkMissing, sdk_folder

HERE: Final = Path(__file__).parent / "sdk"
DATA: Final[dict[str, Any]] = yaml.safe_load((HERE / "differences.yaml").read_bytes())
KNOWN: Final[list[str]] = DATA["operations"]
"""The operations of the SDK, so that tests can be made of them without it."""


def place(operation: str) -> str:
    """Return an operation's method and path without the names of its parameters."""
    return re.sub(r"\{\w+\}", "{}", operation)


OURS: Final = {place(f"{each.method} {each.path}"): each for each in OPERATIONS}
JUDGED: Final = [
    pytest.param(
        operation,
        id=operation,
        marks=() if place(operation) in OURS else pytest.mark.skip("not in the sandbox yet"),
    )
    for operation in KNOWN
]


class Sdk:
    """The SDK in a process of its own, and the sandbox that it calls."""

    def __init__(self, sandbox: Vendor, process: subprocess.Popen[str]) -> None:
        self.sandbox = sandbox
        self._process = process
        self.operations: list[str] = self._answer()

    def call(
        self, operation: str, fields: Mapping[str, Any], headers: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Make one call; return what the SDK made of the request and the reply."""
        assert self._process.stdin
        keys = {**KEYS, **(headers or {})}
        call = {"operation": operation, "fields": fields, "keys": keys}
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        return dict(self._answer())

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the SDK's process has ended; its error is on stderr"
        return json.loads(line)


@pytest.fixture(scope="module")
def sdk() -> Iterator[Sdk]:
    try:
        folder = sdk_folder()
    except SdkMissing as missing:
        skip_or_fail_in_ci(str(missing))
    with on_a_socket(SandboxConfig(quotas=PLENTY)) as sandbox:
        command = [sys.executable, "-I", "-S", str(HERE / "client.py"), str(folder), sandbox.base]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Sdk(sandbox, process)
            finally:
                process.kill()


def differences(sent: Any, read: Any, where: str) -> Iterator[str]:
    """Yield what the SDK's model lost or changed; it drops values that are null."""
    if isinstance(sent, Mapping) and isinstance(read, Mapping):
        for name, value in sent.items():
            if name in read:
                yield from differences(value, read[name], f"{where}.{name}")
            elif value is not None:
                yield f"{where}.{name} is lost"
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for one, other in zip(sent, read, strict=True):
            yield from differences(one, other, f"{where}[]")
    elif sent != read:
        yield f"{where} is changed"


def found(result: Mapping[str, Any], fields: Mapping[str, Any]) -> set[str]:
    """Return all differences that one call shows."""
    problems = {*result["problems"]}
    if result["request"] is not None:
        problems.update(differences(fields, result["request"], "request"))
    if result["model"] is None and result["status"] < 300:
        return problems | {f"reply: no model for {result['status']}"}
    if result["read"] is None:
        return problems  # an error that has no model: the SDK raises it as it is
    refused = {problem.split(":")[1].split(".")[-1] for problem in result["problems"]}
    lost = differences(result["reply"], result["read"], "reply")
    return problems | {each for each in lost if each.split()[0].split(".")[-1] not in refused}


def allowed(name: str) -> dict[str, str]:
    """Return the listed differences of an operation, each with its reason."""
    entries = DATA["differences"].get(name, [])
    return {each: entry["because"] for entry in entries for each in entry["found"]}


def judge_replies(sdk: Sdk, operation: str, ours: VendorOperation) -> set[str]:
    """Send all test data of an operation; return the differences."""
    problems: set[str] = set()
    calls = [each for each in data_calls(OPERATIONS) if each.operation is ours]
    assert calls, f"no test data of {ours.name} is answered with 200"
    for call in calls:
        sdk.sandbox.control("reset")
        request = call.prepared(sdk.sandbox)
        result = sdk.call(operation, request)
        assert result["status"] == 200, result["reply"]
        problems |= found(result, request)
    return problems


def judge_errors(sdk: Sdk, operation: str, ours: VendorOperation) -> set[str]:
    """Cause every published error of an operation; return the differences."""
    problems: set[str] = set()
    excerpt = find_excerpt(ours.method, ours.path)
    assert excerpt
    for answer in excerpt.answers:
        leaves_a_key_out = None in answer.headers.values()  # the SDK can't
        if answer.is_reply or answer.no_fixture or leaves_a_key_out:
            continue
        sdk.sandbox.control("reset")
        taken = prepare(sdk.sandbox, excerpt, answer)
        request = {**excerpt.request_for(answer), **taken}
        result = sdk.call(operation, request, answer.headers)
        assert (result["status"], result["reply"]["code"]) == (answer.http, answer.code)
        problems |= {each for each in found(result, request) if each.startswith("reply")}
    return problems


@pytest.mark.parametrize(
    ("sent", "read", "shown"),
    [
        ({"a": 1, "b": None}, {"a": 1}, []),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 1}]}}, []),
        ({"a": 1}, {}, ["reply.a is lost"]),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{}]}}, ["reply.a.b[].c is lost"]),
        ({"a": 1}, {"a": "1"}, ["reply.a is changed"]),
        ({"a": [1]}, {"a": []}, ["reply.a is changed"]),
    ],
)
def test_what_a_model_loses_or_changes_is_a_difference(
    sent: object, read: object, shown: list[str]
) -> None:
    assert list(differences(sent, read, "reply")) == shown


def test_an_sdk_that_cannot_be_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("requirements.lock").write_text("without-a-hash==1\n", encoding="utf-8")
    monkeypatch.setattr(environment, "LOCK", tmp_path / "requirements.lock")
    monkeypatch.setattr(environment, "KEPT", tmp_path / "kept")

    with pytest.raises(SdkMissing, match=r"can't be installed from .*requirements\.lock"):
        sdk_folder()

    assert list(tmp_path.joinpath("kept").iterdir()) == []


@pytest.mark.parametrize("operation", JUDGED)
def test_the_sdk_reads_what_the_sandbox_answers(sdk: Sdk, operation: str) -> None:
    ours = OURS[place(operation)]

    problems = judge_replies(sdk, operation, ours) | judge_errors(sdk, operation, ours)

    listed = allowed(ours.name)
    assert sorted(problems) == sorted(listed), "see sdk/differences.yaml"


def test_the_list_of_its_operations_is_complete(sdk: Sdk) -> None:
    assert sorted(sdk.operations) == sorted(KNOWN)


def test_each_listed_difference_is_about_an_operation_that_both_know() -> None:
    both = {OURS[place(each)].name for each in KNOWN if place(each) in OURS}

    assert DATA["differences"].keys() <= both
    assert all(entry["because"] for name in both for entry in DATA["differences"].get(name, []))
