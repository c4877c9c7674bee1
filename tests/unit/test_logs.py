"""Which values may reach a log, and in which form."""

import ast
import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.aadhaar import mask_for_log
from config.logs import FIELDS, OURS, configure_logs
from satyapan.errors import NotFound
from satyapan.kinds import Registry

ROOT = Path(__file__).parents[2]
CANARY = "PA1079341954215"
AADHAAR = "234123412346"


@pytest.fixture(autouse=True)
def restore_logging() -> Iterator[None]:
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    others = (sys.unraisablehook, warnings.showwarning)
    handlers, level = root.handlers[:], root.level
    raise_exceptions = logging.raiseExceptions
    yield
    logging.basicConfig(level=level, handlers=handlers, force=True)
    sys.excepthook, threading.excepthook = hooks
    sys.unraisablehook, warnings.showwarning = others
    logging.raiseExceptions = raise_exceptions


@pytest.fixture
def written() -> io.StringIO:
    out = io.StringIO()
    configure_logs("DEBUG", "json", out)
    return out


def fail() -> None:
    raise KeyError(CANARY)


def fail_for_another_reason() -> None:
    try:
        fail()
    except KeyError as cause:
        raise ValueError(CANARY) from cause


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_an_event_of_ours_keeps_its_allowed_fields(written: io.StringIO) -> None:
    fields = {"id": "v-1", "kind": "passport", "attempt": 2}
    logging.getLogger("worker.engine").info("claimed", extra=fields)

    (line,) = lines(written)
    assert line["event"] == "claimed"
    assert (line["id"], line["kind"], line["attempt"]) == ("v-1", "passport", 2)
    assert (line["level"], line["logger"]) == ("info", "worker.engine")
    assert "dropped" not in line
    assert line["timestamp"].endswith("Z")


def test_a_field_that_is_not_allowed_is_dropped_and_counted(written: io.StringIO) -> None:
    fields = {"id": "v-1", "payload": {"n": CANARY}, "body": CANARY}
    logging.getLogger("worker").info("sent", extra=fields)

    (line,) = lines(written)
    assert line["dropped"] == 2
    assert CANARY not in written.getvalue()


@pytest.mark.parametrize("value", [object(), b"bytes", {"file_number": CANARY}])
def test_an_allowed_field_takes_plain_values_only(written: io.StringIO, value: object) -> None:
    logging.getLogger("worker").info("sent", extra={"code": value})

    (line,) = lines(written)
    assert not line.get("code")
    assert CANARY not in written.getvalue()


def test_fields_of_libraries_that_are_not_allowed_are_dropped_and_counted_too(
    written: io.StringIO,
) -> None:
    logging.getLogger("celery.worker").warning("late", extra={"id": "v-1", "secret": CANARY})

    (line,) = lines(written)
    assert (line["id"], line["dropped"]) == ("v-1", 1)
    assert CANARY not in written.getvalue()


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("got %s after %d tries", CANARY, 3), "got * after 3 tries"),
        (("got %r", CANARY), "got *"),
        (("failed: %s", ValueError(CANARY)), "failed: ValueError"),
        (("took %.2f s", 0.5), "took 0.50 s"),
        (
            ("Task %(name)s[%(id)s]: %(exc)s", {"name": "t", "id": "7", "exc": CANARY}),
            "Task t[7]: *",
        ),
        (("%d %d", 1), "%d %d"),
    ],
)
def test_an_event_of_a_library_keeps_its_wording_but_not_its_text_arguments(
    written: io.StringIO, args: tuple[Any, ...], expected: str
) -> None:
    logging.getLogger("celery.app.trace").error(*args)

    (line,) = lines(written)
    assert line["event"] == expected
    assert CANARY not in written.getvalue()


def test_events_of_our_own_standard_loggers_are_logged_in_full(written: io.StringIO) -> None:
    logging.getLogger("satyapan.broker.wakeups").warning("no wake-up sent (%s)", "OperationalError")

    (line,) = lines(written)
    assert line["event"] == "no wake-up sent (OperationalError)"


def test_a_foreign_exception_is_logged_by_type_and_place(written: io.StringIO) -> None:
    try:
        fail_for_another_reason()
    except ValueError:
        logging.getLogger("worker").exception("broke", extra={"id": "v-1"})
        logging.getLogger("celery").exception("broke")

    for line in lines(written):
        assert line["error"] == "ValueError < KeyError"
        assert line["frames"][0].startswith("unit/test_logs.py:")
        assert "message" not in line
    assert len(lines(written)) == 2
    assert CANARY not in written.getvalue()


def test_an_exception_passed_as_the_message_is_logged_by_type(written: io.StringIO) -> None:
    logging.getLogger("kombu").error(ValueError(CANARY))

    assert lines(written)[0]["event"] == "ValueError"


def test_an_error_of_ours_is_logged_with_its_text(written: io.StringIO) -> None:
    logging.getLogger("worker").error("missing", exc_info=NotFound("v-1"))

    assert lines(written)[0]["error_text"].startswith("no verification v-1")


def test_uncaught_exceptions_are_logged_by_type(written: io.StringIO) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join(5)
    sys.excepthook(ValueError, ValueError(CANARY), None)

    assert [line["error"] for line in lines(written)] == ["KeyError", "ValueError"]
    assert CANARY not in written.getvalue()


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("urllib3.connectionpool", logging.DEBUG),
        ("urllib3.connectionpool", logging.INFO),
        ("werkzeug", logging.INFO),
        ("gunicorn.access", logging.INFO),
        ("redis", logging.DEBUG),
        ("celery", logging.DEBUG),
        ("kombu", logging.DEBUG),
    ],
)
def test_lines_that_hold_addresses_are_never_written(
    written: io.StringIO, name: str, level: int
) -> None:
    logging.getLogger(name).log(level, "GET /return/%s", CANARY)

    assert written.getvalue() == ""


@pytest.mark.parametrize("logger", ["celery", "gunicorn.error", "worker", "redis"])
def test_every_logger_writes_an_event_once_in_the_same_form(
    written: io.StringIO, logger: str
) -> None:
    logging.getLogger(logger).addHandler(logging.StreamHandler(written))
    configure_logs("INFO", "json", written)

    logging.getLogger(logger).warning("here")

    events = [line for line in written.getvalue().splitlines() if line.startswith("{")]
    assert len(events) == 1
    assert json.loads(events[0])["logger"] == logger


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (AADHAAR, "XXXX XXXX 2346"),
        ("2341 2341 2346", "XXXX XXXX 2346"),
        ("2341-2341-2346!", "XXXX XXXX 2346!"),
        (f"a{AADHAAR}b", "aXXXX XXXX 2346b"),  # part of an id: a log may lose one
        (f"\\n{AADHAAR}\\n", r"\nXXXX XXXX 2346\n"),  # of a text written by repr()
        (f"{'A/b+9' * 240}/{AADHAAR}/", f"{'A/b+9' * 240}/XXXX XXXX 2346/"),  # inside base64
        (f"_{AADHAAR}/", "_XXXX XXXX 2346/"),
        ("234123412347", "234123412347"),  # wrong check digit
        (f"1{AADHAAR}", f"1{AADHAAR}"),  # a longer number
        ("1794300000000", "1794300000000"),  # a time in milliseconds
    ],
)
def test_aadhaar_numbers_are_masked(text: str, masked: str) -> None:
    assert mask_for_log(text) == masked


def test_aadhaar_numbers_are_masked_in_values_of_every_type(written: io.StringIO) -> None:
    fields = {"id": AADHAAR, "code": int(AADHAAR), "frames": [AADHAAR], "kind": f"uid{AADHAAR}x"}
    logging.getLogger("worker").info("for %s", AADHAAR, extra=fields)

    (line,) = lines(written)
    assert AADHAAR not in written.getvalue()
    assert line["kind"] == "uidXXXX XXXX 2346x"
    assert line["code"] == line["id"] == line["frames"][0] == "XXXX XXXX 2346"


def test_the_console_form_is_one_readable_line() -> None:
    out = io.StringIO()
    configure_logs("INFO", "console", out)

    logging.getLogger("worker").info("claimed", extra={"id": "v-1", "body": CANARY})

    assert out.getvalue().count("\n") == 1
    assert "claimed" in out.getvalue()
    assert "id=v-1" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_no_private_field_is_allowed() -> None:
    private = {
        field
        for kind in Registry()
        for field in (*kind.request().fields, *kind.result_fields)
        if not kind.is_public(field)
    }

    assert {"file_number", "documents", "message"} <= private
    assert not FIELDS & private


def test_every_field_that_our_code_logs_is_allowed() -> None:
    sources = [path for package in OURS for path in (ROOT / package).rglob("*.py")]
    logged = {name for path in sources for name in fields_logged(path.read_text("utf-8"))}

    assert "code" in logged
    assert not logged - FIELDS


def fields_logged(source: str) -> Iterator[str]:
    """Yield the names in each `extra={...}` of a module."""
    for node in ast.walk(ast.parse(source)):
        if (
            isinstance(node, ast.keyword)
            and node.arg == "extra"
            and isinstance(node.value, ast.Dict)
        ):
            yield from (ast.literal_eval(key) for key in node.value.keys if key)


def test_a_warning_is_logged_by_type_and_place(written: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit(CANARY, UserWarning, "/somewhere/package/module.py", 7)

    assert lines(written)[-1]["event"] == "UserWarning at package/module.py:7"


def test_an_unraisable_exception_is_logged_by_type(written: io.StringIO) -> None:
    class FailsWhenDeleted:
        def __del__(self) -> None:
            fail()

    FailsWhenDeleted()

    assert CANARY not in written.getvalue()
    assert lines(written)[-1]["error"] == "KeyError"


def test_printed_text_becomes_log_lines_in_the_json_form(tmp_path: Path) -> None:
    program = tmp_path / "prints.py"
    program.write_text(
        "import sys\n"
        "from config.logs import configure_logs\n"
        "configure_logs()\n"
        f"print({CANARY!r}); print({CANARY!r}, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True)

    assert not done.stdout
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == [f"a library printed {len(CANARY)} characters"] * 2
