"""Which paths each address serves; no request header changes that."""

import re

import pytest

from demo.supervisor import ChildFailed, Supervisor
from tests.support.callbacks_process import Callbacks, running_callbacks, send_raw
from tests.support.eventually import eventually

OPERATIONS = ("/metrics", "/openapi.json")


def status(url: str, target: str, *headers: str) -> int:
    """Request a path with exactly these headers; return the status."""
    lines = [f"GET {target} HTTP/1.1", "Connection: close", *headers]
    if not any(line.startswith("Host:") for line in headers):
        lines.append("Host: x")
    raw = send_raw(url, "\r\n".join([*lines, "", ""]).encode())
    return int(raw.split()[1])


def ops_url(callbacks: Callbacks) -> str:
    """Return the operators' address; it is logged after the line that the app is ready."""
    found: list[str] = []

    def is_logged() -> bool:
        pattern = r"operations listening on ([^\s\"]+)"
        found[:] = re.findall(pattern, callbacks.child.log.read_text())
        return bool(found)

    eventually(is_logged)
    return found[0]


@pytest.mark.parametrize(
    "headers",
    [
        ("SCRIPT_NAME: /return",),
        ("Script-Name: /return",),
        ("SCRIPT_NAME: /return", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Proto: https"),
        ("PATH_INFO: /metrics",),
        ("X-Forwarded-Prefix: /return",),
        ("X_Script_Name: /return",),
    ],
    ids=lambda headers: headers[0],
)
def test_no_request_header_changes_the_path(
    processes: Supervisor, redis_url: str, headers: tuple[str, ...]
) -> None:
    with running_callbacks(
        processes, redis_url, "--workers", "1", CALLBACKS_OPS_BIND="public"
    ) as callbacks:
        assert status(callbacks.url, "/return/metrics", *headers) == 404
        assert status(callbacks.url, "/return/healthz", *headers) == 404
        assert status(callbacks.url, "/healthz", *headers) == 200


def test_the_public_address_does_not_serve_operations(
    processes: Supervisor, redis_url: str
) -> None:
    options = ("--workers", "1", "--ops-bind", "127.0.0.1:0")
    with running_callbacks(processes, redis_url, *options) as callbacks:
        inside = ops_url(callbacks)
        host = f"Host: {inside.removeprefix('http://')}"
        unknown = callbacks.get("/nowhere")
        for path in OPERATIONS:
            answer = callbacks.get(path)
            assert (answer.status_code, answer.content) == (404, unknown.content)
            assert status(callbacks.url, path, host, "X-Forwarded-Port: 1") == 404
            assert status(callbacks.url, f"{inside}{path}", host) == 404
            assert status(callbacks.url, f"{path}/") == 404
            assert status(inside, path) == 200
        assert callbacks.get("/readyz").json() == {"status": "ready"}
        assert callbacks.get("/healthz").json() == {"status": "ok"}
        assert status(inside, "/readyz") == status(inside, "/healthz") == 200


def test_operations_are_served_nowhere_unless_configured(
    processes: Supervisor, redis_url: str
) -> None:
    with running_callbacks(
        processes, redis_url, "--workers", "1", CALLBACKS_OPS_BIND=""
    ) as callbacks:
        assert [callbacks.get(path).status_code for path in OPERATIONS] == [404, 404]
        assert "operations listening" not in callbacks.child.log.read_text()


def test_operations_need_a_port_of_their_own(processes: Supervisor, redis_url: str) -> None:
    options = ("--bind", "127.0.0.1:8123", "--ops-bind", "127.0.0.2:8123")
    with (
        pytest.raises(ChildFailed, match="another port"),
        running_callbacks(processes, redis_url, *options),
    ):
        pass


@pytest.mark.parametrize("text", ["8123", "::1:8123", "127.0.0.2:08123", "127.0.0.2:65536", "x"])
def test_an_invalid_operations_address_is_refused_and_its_option_named(
    processes: Supervisor, redis_url: str, text: str
) -> None:
    with (
        pytest.raises(ChildFailed, match=r"--ops-bind.*write it as host:port"),
        running_callbacks(processes, redis_url, "--bind", "127.0.0.1:8123", "--ops-bind", text),
    ):
        pass


@pytest.mark.parametrize("text", [":99999", "127.0.0.1:99999", "8000", "unix:/tmp/socket"])
def test_an_invalid_bind_address_is_a_usage_error(
    processes: Supervisor, redis_url: str, text: str
) -> None:
    with (
        pytest.raises(ChildFailed, match=r"--bind.*write it as host:port"),
        running_callbacks(processes, redis_url, "--bind", text),
    ):
        pass
