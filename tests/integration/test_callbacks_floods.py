"""Hundreds of idle and slow connections from one address don't delay other addresses."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from callbacks.server import THREADS, THREADS_PER_ADDRESS
from config.brand import LARGEST
from demo.supervisor import Supervisor
from tests.support.callbacks_process import Callbacks, raw_request, running_callbacks
from tests.support.eventually import eventually
from tests.web.callbacks_app import EVENT, signed, written

ELSEWHERE = "127.0.0.2"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
HALF = b"POST /webhooks/cashfree HTTP/1.1\r\nHost: x\r\nX: "


def another_address() -> str:
    """Return a second loopback address; skip if the machine has only one."""
    with socket.socket() as trial:
        try:
            trial.bind((ELSEWHERE, 0))
        except OSError:
            pytest.skip("this machine has one loopback address only")
    return ELSEWHERE


def connect(url: str, source: str = "127.0.0.1") -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), 10, (source, 0))


def is_served(callbacks: Callbacks) -> bool:
    with suppress(OSError), connect(callbacks.url) as connection:
        connection.settimeout(1)
        connection.sendall(LAST)
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    return False


def send_webhook(callbacks: Callbacks, number: int) -> float:
    """Send one webhook from another address; return the seconds until it was answered 200."""
    body = written({**EVENT, "data": {"verification_id": f"valid-{number}"}})
    lines = [f"{name}: {value}" for name, value in signed(body).items()]
    begun = time.monotonic()
    with connect(callbacks.url, ELSEWHERE) as connection:
        connection.sendall(raw_request(lines, b"%d" % len(body), body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    return time.monotonic() - begun


def keep_dripping(crowd: list[socket.socket], ended: threading.Event) -> None:
    while not ended.wait(1):
        for connection in crowd:
            with suppress(OSError):
                connection.send(b"x")


def request_once(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.sendall(HEALTH)
        connection.recv(4096)


KINDS: dict[str, Callable[[socket.socket], object]] = {
    "idle": id,  # does nothing
    "half a header": lambda connection: connection.sendall(HALF),
    "a byte a second": lambda connection: connection.sendall(HALF),
    "half a body": lambda connection: connection.sendall(raw_request([], b"500", b"{")),
    "idle after a request": request_once,
    "open after the last answer": lambda connection: connection.sendall(LAST),
}


@contextmanager
def crowd(callbacks: Callbacks, kind: str, count: int) -> Iterator[None]:
    """Keep connections of one kind open; those that the server closes are not replaced."""
    with ExitStack() as all_open:
        connections: list[socket.socket] = []
        for _ in range(count):
            with suppress(OSError):
                connections.append(all_open.enter_context(connect(callbacks.url)))
                KINDS[kind](connections[-1])
        ended = threading.Event()
        if kind == "a byte a second":
            dripper = threading.Thread(target=keep_dripping, args=(connections, ended))
            dripper.start()
            all_open.callback(dripper.join, 10)
        all_open.callback(ended.set)
        yield


@pytest.mark.parametrize("count", [200, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_many_connections_from_one_address_do_not_delay_others(
    processes: Supervisor, redis_url: str, kind: str, count: int
) -> None:
    another_address()
    with (
        running_callbacks(processes, redis_url, "--workers", "1") as callbacks,
        crowd(callbacks, kind, count),
    ):
        took = [send_webhook(callbacks, number) for number in range(5)]

    assert max(took) < 2
    assert "Traceback" not in callbacks.child.log.read_text(encoding="utf-8")


def test_an_address_is_served_once_its_slow_connections_are_cut_off(
    processes: Supervisor, redis_url: str
) -> None:
    with (
        running_callbacks(
            processes, redis_url, "--workers", "1", CALLBACKS_REQUEST_S="2"
        ) as callbacks,
        crowd(callbacks, "half a header", 50),
    ):
        assert callbacks.get("/healthz").status_code == 200


def test_a_proxys_connections_are_not_bounded_by_address(
    processes: Supervisor, redis_url: str
) -> None:
    with (
        running_callbacks(
            processes, redis_url, "--workers", "1", CALLBACKS_PROXIES="1"
        ) as callbacks,
        crowd(callbacks, "idle", 300),
    ):
        eventually(lambda: callbacks.get("/healthz").status_code == 200)
        with crowd(callbacks, "half a header", 6):
            begun = time.monotonic()
            assert callbacks.get("/healthz").status_code == 200

    assert time.monotonic() - begun < 5


def test_senders_that_do_not_read_responses_lose_their_threads(
    processes: Supervisor, redis_url: str, tmp_path: Path
) -> None:
    another_address()
    # With such a large page no buffer between the two can hold all responses.
    logo = tmp_path / "logo.svg"
    logo.write_bytes(b"<svg>".ljust(LARGEST))
    brand = {"CALLBACKS_BRAND_NAME": "A Bank", "CALLBACKS_BRAND_LOGO": str(logo)}
    page = b"GET /return/passport/none HTTP/1.1\r\nHost: x\r\n\r\n"
    with (
        running_callbacks(
            processes, redis_url, "--workers", "1", CALLBACKS_REQUEST_S="3", **brand
        ) as callbacks,
        ExitStack() as all_open,
    ):
        for number in range(THREADS):
            source = f"127.0.0.{2 + number // THREADS_PER_ADDRESS}"
            connection = all_open.enter_context(connect(callbacks.url, source))
            connection.sendall(page * 500)
        # Three times: a single slow one may be due to a busy machine.
        eventually(lambda: not any(is_served(callbacks) for _ in range(3)))

        eventually(lambda: is_served(callbacks))
