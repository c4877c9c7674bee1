"""A connection is kept only if its last exchange was clean."""

import json
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from tests.support.certificate import self_signed, tls
from tests.support.misbehaving_vendor import CONTINUE, HINTS, PROCESSING, SWITCH
from tests.support.scripted_server import (
    GOOD,
    Script,
    ScriptedServer,
    accept_as_clean,
    answer,
    read_request,
    wait_for_hang_up,
)
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.auth import Credentials
from worker.vendors.cashfree.client import Cashfree
from worker.vendors.cashfree.wire import Cut, Limits, Raw, Wire

LIMITS = Limits(connect_s=20, read_s=20, total_s=20, reply_bytes=1000, pool_size=1)
CREDENTIALS = Credentials("CF-id", "made-up-secret")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


def post(wire: Wire, url: str) -> Raw:
    return wire.send("POST", url, {}, accept_as_clean, body=b"{}")


def in_sequence(*replies: bytes) -> Script:
    """Answer successive calls on one connection, one reply each."""

    def script(conn: socket.socket) -> None:
        for reply in replies:
            read_request(conn)
            conn.sendall(reply)

    return script


def client(server: ScriptedServer) -> Cashfree:
    return Cashfree(Wire(LIMITS), CREDENTIALS, server.url.removesuffix("/passport"))


def call(vendor: Cashfree, kind: str, role: Role = Role.CREATE, item: str = "") -> Answer:
    return vendor.call(Registry()[kind].operation("cashfree"), role, "v-1", {}, item=item)


def reply(http: int = 200, /, **body: object) -> bytes:
    raw = json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (http, len(raw), raw)


PASSPORT = reply(verification_id="v-1", reference_id=7, status="VALID")
LINK = reply(static_link="https://x/y", template_name="t", status="ACTIVE")


@pytest.mark.parametrize(
    "interim",
    [CONTINUE, PROCESSING, HINTS, CONTINUE + PROCESSING + HINTS * 3, PROCESSING * 99],
    ids=["100", "102", "103", "several", "many"],
)
def test_interim_replies_are_skipped(interim: bytes) -> None:
    with ScriptedServer(in_sequence(interim + GOOD, interim + GOOD)) as server:
        wire = Wire(LIMITS)
        raws = [post(wire, server.url) for _ in range(2)]

    assert [(raw.status, raw.body, raw.trailed) for raw in raws] == [(200, b"{}", False)] * 2
    assert server.accepted == 1


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(answer(SWITCH + GOOD, then=wait_for_hang_up), id="another protocol"),
        pytest.param(answer(PROCESSING * 100 + GOOD, then=wait_for_hang_up), id="too many"),
        pytest.param(answer(PROCESSING), id="nothing else"),
    ],
)
def test_an_interim_reply_without_a_usable_final_one_is_a_cut(script: Script) -> None:
    with ScriptedServer(script, answer(GOOD)) as server:
        wire = Wire(LIMITS)
        with pytest.raises(Cut) as caught:
            post(wire, server.url)

        assert caught.value.code == "headers_failed"
        assert post(wire, server.url).status == 200
        assert server.accepted == 2


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(GOOD + GOOD, id="another reply"),
        pytest.param(GOOD + b"\r\n", id="an empty line"),
        pytest.param(CHUNKED + b"\r\n" + GOOD, id="after the last chunk"),
        pytest.param(CHUNKED + b"X-Trailer: x\r\n\r\n" + GOOD, id="after trailers"),
        pytest.param(b"HTTP/1.1 204 X\r\n\r\n{}", id="a 204 with a body"),
        pytest.param(b"HTTP/1.1 304 X\r\nContent-Length: 2\r\n\r\n{}", id="a 304 with a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n{}", id="too short a length"),
    ],
)
def test_a_connection_with_bytes_after_its_reply_is_not_used_again(first: bytes) -> None:
    with ScriptedServer(answer(first, then=wait_for_hang_up), answer(GOOD)) as server:
        wire = Wire(LIMITS)

        assert post(wire, server.url).trailed
        assert (post(wire, server.url).body, server.accepted) == (b"{}", 2)


def test_bytes_left_in_the_tls_layer_are_detected(tmp_path: Path) -> None:
    # The reply exactly fills the reader's buffer; the bytes after it came in the same record.
    head = b"HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 2\r\n\r\n{}"
    first = head % (b"x" * (8192 - len(head) + 2))
    certificate = self_signed(tmp_path)
    with ScriptedServer(
        answer(first + GOOD, then=wait_for_hang_up), answer(GOOD), context=tls(certificate)
    ) as server:
        wire = Wire(LIMITS, ca_file=str(certificate))

        assert post(wire, server.url).trailed
        assert (post(wire, server.url).body, server.accepted) == (b"{}", 2)


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", id="two lengths"),
        pytest.param(b"Content-Length: 2000\r\n\r\n" + b" " * 2000, id="too large"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no chunk length"),
    ],
)
def test_a_malformed_reply_is_a_cut_and_its_connection_is_replaced(lines: bytes) -> None:
    reply = b"HTTP/1.1 200 OK\r\n" + lines
    with ScriptedServer(answer(reply, then=wait_for_hang_up), answer(GOOD)) as server:
        wire = Wire(LIMITS)
        with pytest.raises(Cut):
            post(wire, server.url)

        assert (post(wire, server.url).status, server.accepted) == (200, 2)


@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_bytes_between_two_calls_are_not_taken_for_the_next_reply(
    tmp_path: Path, secure: bool
) -> None:
    answered, sent = Event(), Event()

    def late(conn: socket.socket) -> None:
        read_request(conn)
        conn.sendall(GOOD)
        answered.wait(20)
        conn.sendall(GOOD)
        sent.set()
        wait_for_hang_up(conn)

    certificate = self_signed(tmp_path)
    context: ssl.SSLContext | None = tls(certificate) if secure else None
    with ScriptedServer(late, answer(GOOD), context=context) as server:
        wire = Wire(LIMITS, ca_file=str(certificate))
        post(wire, server.url)
        answered.set()
        assert sent.wait(20)

        assert (post(wire, server.url).status, server.accepted) == (200, 2)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(reply(500, code="verification_failed"), id="a failure"),
        pytest.param(reply(status="VALID"), id="garbled"),
        pytest.param(
            reply(verification_id="v-2", reference_id=7, status="VALID"), id="another's reply"
        ),
        pytest.param(reply(400, code="dob_missing", verification_id="v-2"), id="another's error"),
    ],
)
def test_a_connection_whose_last_outcome_is_unknown_is_not_used_again(first: bytes) -> None:
    with ScriptedServer(answer(first, then=wait_for_hang_up), answer(PASSPORT)) as server:
        vendor = client(server)

        assert call(vendor, "passport").outcome is Outcome.UNKNOWN
        assert (call(vendor, "passport").outcome, server.accepted) == (Outcome.OK, 2)


def test_a_conclusive_reply_keeps_its_connection() -> None:
    refused, throttled = reply(400, code="dob_missing"), reply(429)
    with ScriptedServer(in_sequence(refused, throttled, PASSPORT, PASSPORT)) as server:
        vendor = client(server)
        outcomes = [call(vendor, "passport").outcome for _ in range(4)]

    assert outcomes == [Outcome.REFUSED, Outcome.THROTTLED, Outcome.OK, Outcome.OK]
    assert server.accepted == 1


def test_a_connection_is_not_used_again_before_its_reply_is_judged() -> None:
    judging, requested = Event(), Event()

    def judge_slowly(raw: Raw) -> tuple[Raw, bool]:
        judging.set()
        assert requested.wait(20)
        return raw, False

    with (
        ScriptedServer(answer(GOOD, then=wait_for_hang_up), answer(GOOD)) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        wire = Wire(LIMITS)
        first = pool.submit(wire.send, "POST", server.url, {}, judge_slowly, b"{}")
        assert judging.wait(20)
        second = pool.submit(post, wire, server.url)
        requested.set()

        assert (first.result(20).status, second.result(20).status) == (200, 200)
        assert server.accepted == 2


def test_a_call_without_recovery_gets_a_connection_of_its_own() -> None:
    with ScriptedServer(
        answer(PASSPORT, then=wait_for_hang_up), in_sequence(LINK, PASSPORT)
    ) as server:
        vendor = client(server)
        outcomes = [call(vendor, kind).outcome for kind in ("passport", "static_kyc_link")]
        assert (outcomes, server.accepted) == ([Outcome.OK] * 2, 2)

        # The new connection is kept like any other.
        assert (call(vendor, "passport").outcome, server.accepted) == (Outcome.OK, 2)


def test_a_repeated_document_is_not_taken_for_the_next_one() -> None:
    aadhaar = reply(verification_id="v-1", status="SUCCESS", uid="xxxxxxxx5647")
    with ScriptedServer(in_sequence(aadhaar, aadhaar)) as server:
        vendor = client(server)
        first = call(vendor, "digilocker", Role.DOCUMENT, "AADHAAR")
        second = call(vendor, "digilocker", Role.DOCUMENT, "PAN")

    assert first.outcome is Outcome.OK
    assert (second.outcome, second.code) == (Outcome.UNKNOWN, "foreign_id")
