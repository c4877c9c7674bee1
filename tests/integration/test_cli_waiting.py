"""`submit --wait` prints the link as soon as it exists, then each change; Ctrl-C ends it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
import segno
from click.testing import CliRunner, Result

from demo.local_stack import LocalStack
from satyapan.cli.main import main

PROGRAM = str(Path(sys.executable).with_name("satyapan"))
JOURNEY = ["submit", "digilocker", "document_requested=PAN", "--wait", "100"]
SHARED = ["submit", "static_kyc_link", "template_name=Aadhaar_verification", "--wait", "60"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with LocalStack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@contextmanager
def started(
    stack: LocalStack, *words: str, out: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start the installed program; kill it at the end of the block."""
    program = subprocess.Popen(
        [PROGRAM, *words], env=stack.env, stdout=out, stderr=subprocess.PIPE, text=True
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def first_link(program: subprocess.Popen[str]) -> str:
    """Read the program's output up to the link."""
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("link  "):
            return line.removeprefix("link  ").strip()
    raise AssertionError("the program ended without a link")


def run(stack: LocalStack, *words: str) -> Result:
    return CliRunner().invoke(main, words, env=stack.env)


def qr_code_of(link: str) -> str:
    out = StringIO()
    segno.make(link, micro=False).terminal(out, compact=True)
    return out.getvalue()


def test_the_link_is_printed_before_the_end_and_each_change_on_stderr(stack: LocalStack) -> None:
    with started(stack, *JOURNEY, "--id", "waited") as program:
        link = first_link(program)
        assert program.poll() is None
        known = stack.verifications().get("waited")
        stack.control("journeys/waited", {"decision": "deny"})
        out, err = program.communicate(timeout=100)

    assert known is not None
    assert link == known.link
    assert program.returncode == 1
    assert "DENIED" in out
    assert link not in out + err
    states = [line.split()[2] for line in err.splitlines()]
    assert states[-1] == "DENIED"
    assert "PENDING" in states
    assert all(line.split()[1] == "waited" for line in err.splitlines())


def test_a_poll_without_news_prints_no_change(stack: LocalStack) -> None:
    """The stack polls every second or two, and each poll changes `updated`."""
    words = [*JOURNEY[:-1], "5", "--key", "unchanged", "--json"]
    done = subprocess.run(
        [PROGRAM, *words], env=stack.env, capture_output=True, text=True, timeout=60, check=False
    )

    *objects, error = [json.loads(line) for line in done.stdout.splitlines()]
    printed = [{**each, "updated": None} for each in objects]
    assert error["error"]["type"] == "StillOpen"
    assert all(one != following for one, following in pairwise(printed))


def test_with_json_each_change_is_an_object_that_contains_the_link(stack: LocalStack) -> None:
    with started(stack, *JOURNEY, "--id", "read", "--json") as program:
        assert program.stdout is not None
        seen = json.loads(program.stdout.readline())
        while "link" not in seen:
            seen = json.loads(program.stdout.readline())
        stack.control("journeys/read", {"decision": "deny"})
        out, err = program.communicate(timeout=100)

    last = json.loads(out.splitlines()[-1])
    assert seen["link"].startswith("http")
    assert (seen["id"], last["state"], "link" in last) == ("read", "DENIED", False)
    assert (program.returncode, err) == (1, "")


def test_ctrl_c_prints_how_to_continue(stack: LocalStack) -> None:
    for words in ([*JOURNEY, "--id", "left"], ["watch", "left"]):
        with started(stack, *words) as program:
            assert program.stdout is not None
            if words[0] == "submit":
                first_link(program)
            else:
                program.stdout.readline()
            program.send_signal(signal.SIGINT)
            _, err = program.communicate(timeout=60)

        assert program.returncode == 130
        assert err.splitlines()[-1] == (
            "stopped waiting; the verification continues: "
            "`satyapan watch left` or `satyapan show left`"
        )
        assert "Traceback" not in err


def test_the_qr_code_is_printed_with_qr_or_on_a_terminal(stack: LocalStack) -> None:
    without_qr, with_qr = (
        run(stack, *SHARED, "--key", "q"),
        run(stack, *SHARED, "--key", "q", "--qr"),
    )
    reading_end, terminal = os.openpty()
    try:
        with started(stack, *SHARED, "--key", "q", out=terminal) as program:
            os.close(terminal)
            shown = read_all(reading_end)
    finally:
        os.close(reading_end)

    link = next(x for x in without_qr.stdout.splitlines() if x.startswith("link  http"))[6:]
    assert without_qr.exit_code == with_qr.exit_code == 0
    code = qr_code_of(link).strip()
    assert code not in without_qr.stdout
    assert code in with_qr.stdout
    assert code in shown
    assert program.returncode is not None


def read_all(terminal: int) -> str:
    """Read what a program writes to its terminal until it ends."""
    parts = []
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # on Linux: the last writer has closed it
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_without_segno_qr_is_refused_before_anything_is_stored(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)

    refused = run(stack, *SHARED, "--id", "no-code", "--qr")

    assert refused.exit_code == 2
    assert "pip install segno" in refused.stderr
    assert stack.verifications().get("no-code") is None


@pytest.mark.parametrize("words", [["--qr"], ["--qr", "--wait", "1", "--json"]])
def test_qr_needs_wait_without_json(stack: LocalStack, words: list[str]) -> None:
    refused = run(stack, *JOURNEY[:3], "--key", "1", *words)

    assert refused.exit_code == 2
    assert "--qr needs --wait" in refused.output
