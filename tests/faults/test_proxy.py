"""The fault proxy: each fault has its effect, and without faults all bytes pass unchanged."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.eventually import eventually
from tests.support.proxy import FaultProxy


class Echo:
    """A server that answers every request with the same bytes, and records what it executed."""

    def __init__(self) -> None:
        self.executed: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with peer:
            try:
                while data := peer.recv(65536):
                    self.executed.append(data)
                    peer.sendall(data)
            except OSError:
                return

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def caller(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as connection:
        yield connection


def ask(caller: socket.socket, data: bytes) -> bytes:
    """Send a request and read as many bytes back."""
    caller.sendall(data)
    got = b""
    while len(got) < len(data):
        more = caller.recv(65536)
        if not more:
            break
        got += more
    return got


def reach(proxy: FaultProxy) -> None:
    """Connect and wait for a byte. A reset may come as early as during the connect."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as caller:
        caller.recv(1)


def test_without_faults_all_bytes_are_forwarded_and_counted(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    data = bytes(range(256)) * 1000

    assert ask(caller, data) == data
    assert proxy.up.forwarded_bytes == proxy.down.forwarded_bytes == len(data)
    assert proxy.counters.accepted == proxy.open == 1


def test_latency_is_per_direction(proxy: FaultProxy, caller: socket.socket, echo: Echo) -> None:
    proxy.down.latency_s = 0.3
    begun = time.monotonic()

    caller.sendall(b"x")
    eventually(lambda: echo.executed)
    executed = time.monotonic() - begun
    assert caller.recv(1) == b"x"

    assert executed < time.monotonic() - begun
    assert time.monotonic() - begun >= 0.3


def test_a_reply_is_dropped_after_the_server_executed(
    proxy: FaultProxy, caller: socket.socket, echo: Echo
) -> None:
    proxy.drop_replies(1)

    with pytest.raises(ConnectionResetError):
        ask(caller, b"pay")

    assert echo.executed == [b"pay"]
    assert (proxy.counters.dropped, proxy.down.forwarded_bytes) == (1, 0)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as again:
        assert ask(again, b"pay") == b"pay"


def test_only_replies_to_the_named_command_are_dropped(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    proxy.drop_replies(1, after=b"EVALSHA")

    assert ask(caller, b"PING") == b"PING"
    with pytest.raises(ConnectionResetError):
        ask(caller, b"EVALSHA abc")

    assert proxy.counters.dropped == 1


def test_a_blackhole_drops_bytes_and_keeps_the_connection(
    proxy: FaultProxy, caller: socket.socket, echo: Echo
) -> None:
    proxy.up.blackhole = True
    caller.settimeout(0.3)

    with pytest.raises(TimeoutError):
        ask(caller, b"hello")

    eventually(lambda: proxy.up.dropped_bytes == 5)
    assert echo.executed == []
    assert proxy.open == 1
    proxy.remove_faults()
    caller.settimeout(20)
    with pytest.raises(ConnectionResetError):
        caller.recv(1)


def test_a_frozen_connection_is_silent_and_a_new_one_works(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    assert ask(caller, b"x") == b"x"
    proxy.freeze()
    caller.settimeout(0.3)

    with pytest.raises(TimeoutError):
        ask(caller, b"y")

    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as again:
        assert ask(again, b"x") == b"x"


def test_a_reset_reaches_both_sides(proxy: FaultProxy, caller: socket.socket) -> None:
    assert ask(caller, b"x") == b"x"

    proxy.reset()

    with pytest.raises(ConnectionResetError):
        caller.recv(1)
    assert (proxy.open, proxy.counters.resets) == (0, 1)


def test_a_proxy_that_refused_accepts_again_on_the_same_port(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    port = proxy.port

    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)
    proxy.accept()

    assert proxy.port == port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as again:
        assert ask(again, b"x") == b"x"


def test_slices_and_bandwidth_change_the_speed_but_not_the_bytes(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    proxy.down.slice_bytes = 7
    proxy.down.bytes_per_s = 2000
    begun = time.monotonic()

    assert ask(caller, bytes(range(250)) * 2) == bytes(range(250)) * 2
    assert time.monotonic() - begun >= 0.2


def test_a_closed_client_connection_closes_the_server_connection(
    proxy: FaultProxy, caller: socket.socket
) -> None:
    assert ask(caller, b"x") == b"x"

    caller.close()

    eventually(lambda: proxy.open == 0)


def test_an_unreachable_server_is_counted_and_resets_the_connection() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # it never listens
        with FaultProxy("127.0.0.1", deaf.getsockname()[1]) as proxy:
            with pytest.raises(ConnectionResetError):
                reach(proxy)

            assert proxy.counters.unreachable == 1
