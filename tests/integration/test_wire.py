"""The wire with servers that misbehave: it always knows whether a byte of a call had left."""

import contextlib
import gzip
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from tests.support.eventually import eventually
from tests.support.scripted_server import (
    GOOD,
    Script,
    ScriptedServer,
    accept_as_clean,
    answer,
    drip,
    read_request,
    wait_for_hang_up,
)
from worker.vendors.cashfree.wire import Cut, Limits, NotSent, Raw, Wire

PATIENT = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=1000, pool_size=1)
SHORT_READ = Limits(connect_s=20, read_s=0.4, total_s=20)
SHORT_TOTAL = Limits(connect_s=20, read_s=20, total_s=2)
SECRET = "do-not-show"


def post(wire: Wire, url: str) -> Raw:
    headers = {"x-client-secret": SECRET}
    return wire.send("POST", url, headers, accept_as_clean, body=b"{}", params={"person": SECRET})


def cut_code(script: Script, limits: Limits = PATIENT) -> str:
    with ScriptedServer(script) as server, pytest.raises(Cut) as caught:
        post(Wire(limits), server.url)
    return caught.value.code


def test_a_complete_reply_is_returned() -> None:
    seen: list[bytes] = []

    def script(conn: socket.socket) -> None:
        seen.append(read_request(conn))
        conn.sendall(b"HTTP/1.1 200 OK\r\nX-RateLimit-Reset: 7\r\nContent-Length: 2\r\n\r\n{}")

    with ScriptedServer(script) as server:
        raw = post(Wire(PATIENT), server.url)

    assert (raw.status, raw.headers["x-ratelimit-reset"], raw.body) == (200, "7", b"{}")
    assert seen[0].startswith(b"POST /passport?person=")
    assert b"Accept-Encoding: identity" in seen[0]


def test_a_chunked_reply_is_returned() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    with ScriptedServer(answer(head, b"1\r\n{\r\n", b"1\r\n}\r\n0\r\n\r\n")) as server:
        assert post(Wire(PATIENT), server.url).body == b"{}"


def test_a_compressed_reply_is_returned_decompressed() -> None:
    body = b"x" * 300_000  # decompressed, it takes more than one read
    packed = gzip.compress(body)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)

    with ScriptedServer(answer(head, packed)) as server:
        assert post(Wire(Limits()), server.url).body == body


def test_the_values_of_a_repeated_header_are_joined() -> None:
    head = b"HTTP/1.1 429 X\r\nRetry-After: 5\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n"

    with ScriptedServer(answer(head)) as server:
        assert post(Wire(PATIENT), server.url).headers["retry-after"] == "5, 9"


def test_connections_are_kept_and_reused() -> None:
    def script(conn: socket.socket) -> None:
        for _ in range(3):
            read_request(conn)
            conn.sendall(GOOD)

    with ScriptedServer(script) as server:
        wire = Wire(PATIENT)
        bodies = [post(wire, server.url).body for _ in range(3)]

    assert (bodies, server.accepted) == ([b"{}"] * 3, 1)


def test_head_and_body_are_sent_together() -> None:
    seen: list[bytes] = []

    def script(conn: socket.socket) -> None:
        seen.append(conn.recv(65536))
        conn.sendall(GOOD)

    with ScriptedServer(script) as server:
        post(Wire(PATIENT), server.url)

    assert seen[0].endswith(b"\r\n\r\n{}")


def test_a_call_with_a_refused_connection_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(NotSent) as caught:
        post(Wire(PATIENT), f"http://127.0.0.1:{port}/")

    assert caught.value.code == "connect_failed"


def test_a_call_to_an_unknown_name_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    with pytest.raises(NotSent) as caught:
        post(Wire(PATIENT), "http://vendor.invalid/")

    assert caught.value.code == "dns_failed"


def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()[1]
    with ScriptedServer(answer(GOOD)) as server:
        kinds = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
        found = [(*kinds, ("127.0.0.1", port)) for port in (dead, server.port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        assert post(Wire(PATIENT), "http://vendor.invalid/").status == 200


def test_a_call_to_a_server_with_a_full_backlog_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):
            extra = stack.enter_context(socket.socket())
            extra.setblocking(False)
            extra.connect_ex(full.getsockname())
        limits = Limits(connect_s=0.3, read_s=5, total_s=5)

        with pytest.raises(NotSent) as caught:
            post(Wire(limits), f"http://127.0.0.1:{full.getsockname()[1]}/")

    assert caught.value.code == "connect_timeout"


def test_a_call_without_a_free_connection_is_not_sent() -> None:
    busy = Event()
    done = Event()

    def script(conn: socket.socket) -> None:
        read_request(conn)
        busy.set()
        done.wait(20)
        conn.sendall(GOOD)

    limits = Limits(connect_s=0.2, read_s=60, total_s=60, pool_size=1)
    with ScriptedServer(script) as server, ThreadPoolExecutor(1) as pool:
        wire = Wire(limits)
        first = pool.submit(post, wire, server.url)
        try:
            assert busy.wait(20)

            with pytest.raises(NotSent) as caught:
                post(wire, server.url)
        finally:
            done.set()
        assert first.result(20).status == 200
    assert caught.value.code == "pool_failed"


def test_a_failed_call_makes_room_for_another_connection() -> None:
    def hang_up(conn: socket.socket) -> None:
        read_request(conn)

    with ScriptedServer(hang_up, hang_up, answer(GOOD)) as server:
        wire = Wire(PATIENT)
        for _ in range(2):
            with pytest.raises(Cut):
                post(wire, server.url)

        assert post(wire, server.url).status == 200


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param(lambda conn: conn.recv(1), "headers_failed", id="reset while it reads"),
        pytest.param(answer(), "headers_failed", id="closed before the status"),
        pytest.param(answer(b"HTTP/1.1 20"), "headers_failed", id="closed in the status"),
        pytest.param(answer(b"HTTP/1.1 200 OK\r\nConte"), "headers_failed", id="closed in headers"),
        pytest.param(answer(b"SSH-2.0-OpenSSH\r\n\r\n"), "headers_failed", id="another protocol"),
        pytest.param(answer(GOOD[:-1]), "body_failed", id="closed in the body"),
        pytest.param(
            answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
            "body_failed",
            id="closed in a chunk",
        ),
        pytest.param(
            answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            "body_failed",
            id="no chunk length",
        ),
        pytest.param(
            answer(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
            "body_failed",
            id="not what its encoding says",
        ),
        pytest.param(
            answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", b"x" * 1001),
            "too_large",
            id="too large",
        ),
        pytest.param(
            answer(
                b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 1001\r\n\r\n", b"x" * 1001
            ),
            "too_large",
            id="a large redirect",
        ),
    ],
)
def test_a_failure_after_the_first_byte_is_a_cut(script: Script, code: str) -> None:
    assert cut_code(script) == code


@pytest.mark.parametrize(("sent", "code"), [(b"", "headers_timeout"), (GOOD[:-1], "body_timeout")])
def test_a_silent_server_is_a_cut(sent: bytes, code: str) -> None:
    assert cut_code(answer(sent, then=wait_for_hang_up), SHORT_READ) == code


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(b"HTTP/1.1 200 O", b"K", id="in the status"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Slow: x\r\n", id="in headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x", id="in the body"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="in chunks"
        ),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="in interim replies"),
    ],
)
def test_the_total_deadline_applies_to_a_dripping_reply(head: bytes, piece: bytes) -> None:
    # Without a deadline the call would last until the reply is complete or too long.
    assert cut_code(drip(head, piece), SHORT_TOTAL) == "deadline"


def test_a_decompression_bomb_is_stopped_at_the_size_cap() -> None:
    bomb = gzip.compress(b"x" * 1_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    roomy = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=500_000)

    assert cut_code(answer(head, bomb)) == "too_large"
    assert cut_code(answer(head, bomb), roomy) == "too_large"


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    head = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"

    with ScriptedServer(answer(head), answer(GOOD)) as server:
        raw = post(Wire(PATIENT), server.url)

        assert (raw.status, server.accepted) == (307, 1)
        post(Wire(PATIENT), server.url)


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    with ScriptedServer(answer(GOOD), answer(GOOD)) as server:
        wire = Wire(PATIENT)
        post(wire, server.url)
        eventually(lambda: server.closed)

        assert post(wire, server.url).status == 200
        assert server.accepted == 2


def test_a_connection_that_breaks_during_a_request_is_a_cut_and_not_retried() -> None:
    def script(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(GOOD)
        read_request(conn)

    with ScriptedServer(script, answer(GOOD)) as server:
        wire = Wire(PATIENT)
        post(wire, server.url)

        with pytest.raises(Cut) as caught:
            post(wire, server.url)

        assert (caught.value.code, server.accepted) == ("headers_failed", 1)
        post(wire, server.url)


def test_a_connection_that_was_idle_for_long_is_replaced() -> None:
    now = [100.0]
    with ScriptedServer(answer(GOOD, then=wait_for_hang_up), answer(GOOD)) as server:
        wire = Wire(PATIENT, clock=lambda: now[0])
        post(wire, server.url)
        now[0] += 21

        assert post(wire, server.url).status == 200
        assert server.accepted == 2


def test_cookies_are_not_kept() -> None:
    seen: list[bytes] = []

    def script(conn: socket.socket) -> None:
        for _ in range(2):
            seen.append(read_request(conn))
            conn.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}")

    with ScriptedServer(script) as server:
        wire = Wire(PATIENT)
        post(wire, server.url)
        post(wire, server.url)

    assert b"cookie" not in seen[1].lower()


def test_an_error_shows_a_code_and_nothing_of_the_call() -> None:
    with ScriptedServer(answer()) as server, pytest.raises(Cut) as caught:
        post(Wire(PATIENT), server.url)

    assert f"{caught.value} {caught.value!r}" == "cut: headers_failed Cut('cut: headers_failed')"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_headers_that_cannot_be_read_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    broken = b"HTTP/1.1 200 OK\r\nbroken %s\r\nX-More: x\r\n\r\n{}" % SECRET.encode()

    with ScriptedServer(answer(broken)) as server:
        assert post(Wire(PATIENT), server.url).body == b"{}"

    assert caplog.text == ""
