"""The faulty wire itself: each fault does what it says, and a good wire changes nothing."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.eventually import eventually
from tests.support.proxy import FaultProxy


class Echo:
    """Answers every request with the same bytes, and remembers what it executed."""

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
def wire(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@pytest.fixture
def caller(wire: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", wire.port), timeout=20) as connection:
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


def reach(wire: FaultProxy) -> None:
    """Connect and wait for a byte; a quick reset already ends the connecting."""
    with socket.create_connection(("127.0.0.1", wire.port), timeout=20) as caller:
        caller.recv(1)


def test_a_good_wire_carries_everything_and_counts_it(
    wire: FaultProxy, caller: socket.socket
) -> None:
    data = bytes(range(256)) * 1000

    assert ask(caller, data) == data
    assert wire.up.forwarded_bytes == wire.down.forwarded_bytes == len(data)
    assert wire.counters.accepted == wire.open == 1


def test_latency_is_per_direction(wire: FaultProxy, caller: socket.socket, echo: Echo) -> None:
    wire.down.latency_s = 0.3
    begun = time.monotonic()

    caller.sendall(b"x")
    eventually(lambda: echo.executed)
    executed = time.monotonic() - begun
    assert caller.recv(1) == b"x"

    assert executed < time.monotonic() - begun
    assert time.monotonic() - begun >= 0.3


def test_a_reply_is_dropped_after_the_server_executed(
    wire: FaultProxy, caller: socket.socket, echo: Echo
) -> None:
    wire.drop_replies(1)

    with pytest.raises(ConnectionResetError):
        ask(caller, b"pay")

    assert echo.executed == [b"pay"]
    assert (wire.counters.dropped, wire.down.forwarded_bytes) == (1, 0)
    with socket.create_connection(("127.0.0.1", wire.port), timeout=20) as again:
        assert ask(again, b"pay") == b"pay"


def test_only_replies_to_what_was_named_are_dropped(
    wire: FaultProxy, caller: socket.socket
) -> None:
    wire.drop_replies(1, after=b"EVALSHA")

    assert ask(caller, b"PING") == b"PING"
    with pytest.raises(ConnectionResetError):
        ask(caller, b"EVALSHA abc")

    assert wire.counters.dropped == 1


def test_a_blackhole_swallows_and_keeps_the_connection(
    wire: FaultProxy, caller: socket.socket, echo: Echo
) -> None:
    wire.up.blackhole = True
    caller.settimeout(0.3)

    with pytest.raises(TimeoutError):
        ask(caller, b"hello")

    eventually(lambda: wire.up.dropped_bytes == 5)
    assert echo.executed == []
    assert wire.open == 1
    wire.remove_faults()
    caller.settimeout(20)
    with pytest.raises(ConnectionResetError):
        caller.recv(1)


def test_a_frozen_connection_is_silent_and_a_new_one_is_good(
    wire: FaultProxy, caller: socket.socket
) -> None:
    assert ask(caller, b"x") == b"x"
    wire.freeze()
    caller.settimeout(0.3)

    with pytest.raises(TimeoutError):
        ask(caller, b"y")

    with socket.create_connection(("127.0.0.1", wire.port), timeout=20) as again:
        assert ask(again, b"x") == b"x"


def test_a_reset_reaches_both_sides(wire: FaultProxy, caller: socket.socket) -> None:
    assert ask(caller, b"x") == b"x"

    wire.reset()

    with pytest.raises(ConnectionResetError):
        caller.recv(1)
    assert (wire.open, wire.counters.resets) == (0, 1)


def test_a_refused_port_comes_back_as_the_same_port(
    wire: FaultProxy, caller: socket.socket
) -> None:
    port = wire.port

    wire.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)
    wire.accept()

    assert wire.port == port
    with socket.create_connection(("127.0.0.1", port), timeout=20) as again:
        assert ask(again, b"x") == b"x"


def test_slices_and_bandwidth_change_the_pace_and_not_the_bytes(
    wire: FaultProxy, caller: socket.socket
) -> None:
    wire.down.slice_bytes = 7
    wire.down.bytes_per_s = 2000
    begun = time.monotonic()

    assert ask(caller, bytes(range(250)) * 2) == bytes(range(250)) * 2
    assert time.monotonic() - begun >= 0.2


def test_a_caller_that_leaves_frees_the_server(wire: FaultProxy, caller: socket.socket) -> None:
    assert ask(caller, b"x") == b"x"

    caller.close()

    eventually(lambda: wire.open == 0)


def test_nobody_behind_the_wire_is_a_reset_and_a_count() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens
        with FaultProxy("127.0.0.1", deaf.getsockname()[1]) as wire:
            with pytest.raises(ConnectionResetError):
                reach(wire)

            assert wire.counters.unreachable == 1
