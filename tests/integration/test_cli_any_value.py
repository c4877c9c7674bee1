"""The command line answers anything that a shell can pass on one line, without a traceback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.worker_harness import environment

PROGRAM = str(Path(sys.executable).with_name("satyapan"))
SENT = "CANARY"
DEEP = "[" * 100_000
Words = list[str | bytes]


def run(env: dict[str, str], *words: str | bytes, text: bytes = b"") -> tuple[int, str, str]:
    """Run the installed program; return its exit code, stdout and stderr."""
    done = subprocess.run(
        [PROGRAM, *words],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **env},
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture
def env(redis_url: str) -> dict[str, str]:
    return environment(redis_url, "http://127.0.0.1:1")


SUBMIT = ["submit", "passport", "--key", "a"]
ODD: dict[str, tuple[Words, int]] = {
    "a kind": (["submit", b"\xff" + SENT.encode(), "a=b", "--key", "a"], 2),
    "a kind's name": (["kinds", b"\xff"], 2),
    "a command": ([b"\xff"], 2),
    "an option": ([*SUBMIT, b"--\xff"], 2),
    "a field": ([*SUBMIT, b"\xff=1"], 2),
    "a value": ([*SUBMIT, b"file_number=\xff", "dob=2007-03-01"], 2),
    "an id": (["submit", "passport", "a=b", "--id", b"\xff"], 2),
    "a long id": (["submit", "passport", "a=b", "--id", SENT * 10_000], 2),
    "a key": (["submit", "passport", "a=b", "--key", SENT * 10_000], 2),
    "data": ([*SUBMIT, "--data", b'{"file_number": "\xff"}'], 2),
    "deep data": ([*SUBMIT, "--data", DEEP], 2),
    "a number": ([*SUBMIT, "--data", '{"dob": ' + "1" * 10_000 + "}"], 2),
    "no number": ([*SUBMIT, "--data", '{"dob": NaN}'], 2),
    "half a pair": ([*SUBMIT, "--data", r'{"file_number": "\ud800", "\ud800": 1}'], 2),
    "a directory": ([*SUBMIT, "--data-file", "/"], 2),
    "no file": ([*SUBMIT, "--data-file", b"/no/such/\xff"], 2),
    "an endless file": ([*SUBMIT, "--data-file", "/dev/zero"], 2),
    "a file that can't be read": ([*SUBMIT, "--data-file", "/proc/self/mem"], 2),
    "a wait": (["submit", "passport", "a=b", "--key", "a", "--wait", "nan"], 2),
    "show": (["show", b"\xff"], 5),
    "show a line": (["show", "a\nb"], 5),
    "show a long one": (["show", SENT * 10_000], 5),
    "watch": (["watch", b"\xff", "--timeout", "1"], 5),
    "a time": (["watch", "nobody", "--timeout", "nan"], 2),
    "a group": (["watch", "--group", b"\xff", "--timeout", "1"], 2),
    "an empty group": (["watch", "--group", "", "--timeout", "1"], 2),
    "a limit": (["list", "--limit", "1" * 30], 2),
    "a state": (["list", "--state", b"\xff"], 2),
}


@pytest.mark.parametrize(("words", "code"), ODD.values(), ids=ODD)
def test_an_invalid_argument_is_answered_on_one_line(
    env: dict[str, str], words: Words, code: int
) -> None:
    ended, out, err = run(env, *words)

    assert (ended, out) == (code, "")
    assert err.count("\n") == 1
    assert len(err) < 20_000
    assert SENT not in err


@pytest.mark.parametrize("name", ["half a pair", "a command", "show", "a field"])
def test_with_json_an_invalid_argument_is_an_error_object(env: dict[str, str], name: str) -> None:
    words, code = ODD[name]

    ended, out, err = run(env, *words, *([] if name == "a command" else ["--json"]))

    assert ended == code
    if name != "a command":
        assert (json.loads(out)["error"]["exit_code"], err) == (code, "")


FILES = {
    "deep": DEEP.encode(),
    "deep objects": b'{"a":' * 100_000,
    "deep and whole": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b'{"file_number": "\xff\xfe"}',
    "UTF-16": '{"file_number": "1"}'.encode("utf-16"),
    "nothing": b"",
    "zeros": bytes(100),
    "too much": b" " * 2_000_001,
    "a huge value": json.dumps({"file_number": SENT * 200_000}).encode(),
    "many fields": json.dumps(dict.fromkeys(range(100_000), SENT)).encode(),
    "a list": b"[]",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_an_invalid_file_or_standard_input_is_answered_on_one_line(
    env: dict[str, str], tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "request.json"
    file.write_bytes(content)

    by_file = run(env, *SUBMIT, "--data-file", str(file))
    by_input = run(env, *SUBMIT, "--data-file", "-", text=content)

    assert by_file == by_input
    code, out, err = by_file
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert len(err) < 1_000
    assert SENT not in err


OPERATOR_COMMANDS = {
    "redrive": ["redrive"],
    "reissue": ["reissue", "--pay-again"],
    "replay": ["replay"],
    "forget": ["forget"],
    "retire": ["retire"],
    "inbox": ["inbox", "--show"],
}


@pytest.mark.parametrize("words", OPERATOR_COMMANDS.values(), ids=OPERATOR_COMMANDS)
@pytest.mark.parametrize("odd", [b"\xff", b"a\nb", SENT.encode() * 10_000], ids=range(3))
def test_operator_commands_exit_with_5_for_an_impossible_id(
    env: dict[str, str], words: list[str], odd: bytes
) -> None:
    code, out, err = run(env, *words, odd)

    assert (code, out, err.count("\n")) == (5, "", 1)
    assert len(err) < 1_000
    assert "Traceback" not in err


@pytest.mark.parametrize("name", [b"\xff", b"asha,ravi"])
def test_an_operators_name_that_a_row_cannot_record_is_refused(
    env: dict[str, str], name: bytes
) -> None:
    code, out, err = run(env, "redrive", "--by", name, "a")

    assert (code, out, err.count("\n")) == (2, "", 1)
