"""Slow senders, killed processes and shared metrics of the deployed command."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

import pytest
import redis
import requests

from callbacks.webhooks.incoming_webhook import signed_content
from demo.server import EmbeddedServer
from demo.supervisor import Supervisor
from satyapan.canonical import digest
from tests.support.callbacks_process import Callbacks, raw_request, running_callbacks
from tests.support.eventually import eventually
from tests.support.process_groups import live_members
from tests.web.callbacks_app import EVENT, ID_KEY, signed, written

BODY = written(EVENT)
THREADS = 8


def connect_and_send(url: str, open_for: ExitStack, raw: bytes) -> socket.socket:
    """Connect and send the first bytes; the rest is sent later."""
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=30)
    open_for.enter_context(connection)
    connection.sendall(raw)
    return connection


@pytest.mark.parametrize("part", ["header", "body", "chunk"])
def test_slow_senders_are_cut_off_and_do_not_delay_others(
    processes: Supervisor, redis_url: str, part: str
) -> None:
    lines = [f"{name}: {value}" for name, value in signed(BODY).items()]
    chunked = raw_request(lines, None, b"").removesuffix(b"0\r\n\r\n0\r\n\r\n") + b"ffff\r\n{"
    raw = {
        "header": b"POST / HTTP/1.1\r\nX: ",
        "body": raw_request(lines, b"500", b"{"),
        "chunk": chunked,
    }
    options = ("--workers", "1")
    with running_callbacks(processes, redis_url, *options, CALLBACKS_REQUEST_S="3") as callbacks:
        with ExitStack() as all_open:
            slow = [connect_and_send(callbacks.url, all_open, raw[part]) for _ in range(THREADS)]
            ended = threading.Event()
            dripper = threading.Thread(target=drip, args=(slow, ended))
            dripper.start()
            all_open.callback(dripper.join, 10)
            all_open.callback(ended.set)

            status = callbacks.post(BODY, signed(BODY))

        assert status == 200
    log = callbacks.child.log.read_text(encoding="utf-8")
    assert "Traceback" not in log


def drip(slow: list[socket.socket], ended: threading.Event) -> None:
    """Send a byte on each connection from time to time, so that none is silent for long."""
    while not ended.wait(0.2):
        for connection in slow:
            with suppress(OSError):
                connection.sendall(b"x")


def test_metrics_sum_all_web_processes_including_replaced_ones(
    processes: Supervisor, redis_url: str
) -> None:
    with running_callbacks(processes, redis_url, "--workers", "2") as callbacks:
        eventually(lambda: len(live_members(callbacks.child.pid)) >= 3)
        for _ in range(20):
            requests.post(  # a new connection for each, so that both processes get some
                f"{callbacks.url}/webhooks/cashfree", data=BODY, headers=signed(BODY), timeout=10
            )
        before = live_members(callbacks.child.pid)
        os.kill(max(before - {callbacks.child.pid}), signal.SIGTERM)
        eventually(lambda: live_members(callbacks.child.pid) - before)

        text = callbacks.get("/metrics").text

    assert 'satyapan_webhooks_total{outcome="stored",vendor="cashfree"} 1.0' in text
    assert 'satyapan_webhooks_total{outcome="repeated",vendor="cashfree"} 19.0' in text


class Vendor(threading.Thread):
    """Sends one webhook after another and records which were answered 2xx."""

    def __init__(self, callbacks: Callbacks, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.accepted: list[str] = []
        self.failed = 0
        self.enough = threading.Event()
        self._url = f"{callbacks.url}/webhooks/cashfree"

    def run(self) -> None:
        """Send until stopped."""
        number = 0
        while not self.enough.is_set():
            number += 1
            self._send(f"{self.name}-{number}")

    def _send(self, name: str) -> None:
        body = written({**EVENT, "data": {"verification_id": name}})
        try:
            answer = requests.post(self._url, data=body, headers=signed(body), timeout=10)
        except requests.RequestException:
            self.failed += 1
            return
        if answer.ok:
            self.accepted.append(digest(ID_KEY, b"webhook", b"cashfree", signed_content(body)))


def webhooks(redis_url: str) -> set[str]:
    """Return the ids of the webhooks in the inbox."""
    with redis.Redis.from_url(redis_url) as client:
        keys = client.scan_iter("satyapan:inbox:*", count=1000)
        return {key.decode().removeprefix("satyapan:inbox:") for key in keys}


@contextmanager
def under_load(callbacks: Callbacks, name: str) -> Iterator[list[Vendor]]:
    """Send from four threads until the end of the block, and wait for the last responses."""
    vendors = [Vendor(callbacks, f"{name}{n}") for n in range(4)]
    try:
        for vendor in vendors:
            vendor.start()
        yield vendors
    finally:
        for vendor in vendors:
            vendor.enough.set()
        for vendor in vendors:
            vendor.join(timeout=60)


@pytest.mark.parametrize("victim", ["web process", "everything"])
def test_every_accepted_webhook_is_kept_whichever_process_is_killed(
    processes: Supervisor, redis_url: str, redis_server: EmbeddedServer, victim: str
) -> None:
    with (
        running_callbacks(processes, redis_url) as callbacks,
        under_load(callbacks, "v") as vendors,
    ):
        kill_mid_load(callbacks, vendors, victim)

    accepted = {webhook for vendor in vendors for webhook in vendor.accepted}
    assert len(accepted) > 10
    assert failures(vendors), "nothing was killed mid-load"
    kept = webhooks(redis_url)
    assert accepted <= kept, "answered 2xx, and not in the inbox"
    assert len(kept) <= len(accepted) + failures(vendors)


def kill_mid_load(callbacks: Callbacks, vendors: list[Vendor], victim: str) -> None:
    """Kill until a sender has got no response, at least three times unless nothing is left to kill.

    A web process may die between two requests, and then no sender is affected.
    """
    for kills in range(1, 31):
        eventually(partial(accepted_more_than, vendors, 12 * kills))
        kill(callbacks, victim)
        if victim == "everything":
            eventually(partial(failures, vendors))
            return
        if kills >= 3 and failures(vendors):
            return


def failures(vendors: list[Vendor]) -> int:
    """Return the number of webhooks that got no response."""
    return sum(vendor.failed for vendor in vendors)


def accepted_more_than(vendors: list[Vendor], accepted: int) -> bool:
    """Return True if more than this many webhooks were accepted."""
    return sum(len(vendor.accepted) for vendor in vendors) > accepted


def kill(callbacks: Callbacks, victim: str) -> None:
    """Kill one web process, or the whole command."""
    pids = live_members(callbacks.child.pid)
    web = sorted(pids - {callbacks.child.pid})
    for pid in [callbacks.child.pid, *web] if victim == "everything" else web[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_graceful_stop_answers_every_webhook_that_it_stored(
    processes: Supervisor, redis_url: str
) -> None:
    with (
        running_callbacks(processes, redis_url) as callbacks,
        under_load(callbacks, "g") as vendors,
    ):
        eventually(partial(accepted_more_than, vendors, 20))
        code = processes.end("callbacks")

    accepted = {webhook for vendor in vendors for webhook in vendor.accepted}
    assert code == 0
    assert accepted
    assert accepted == webhooks(redis_url)
