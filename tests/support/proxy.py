"""A TCP proxy with faults, before Redis or the vendor, run in a thread.

    with FaultProxy("127.0.0.1", 6379) as proxy:
        connect_to(proxy.port)
        proxy.down.latency_s = 2.0     # from now on, replies are late
        proxy.drop_replies(1)          # the server executes, the caller gets no reply

It handles bytes only; "up" is towards the server, "down" towards the caller. Every fault may be
switched while connections are open.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

HOST: Final = "127.0.0.1"
_CHUNK: Final = 64 * 1024
_REMEMBERED: Final = 4096
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: closing sends RST, not FIN


@dataclass
class Flow:
    """The faults of one direction.

    Attributes:
        latency_s: seconds that each chunk waits.
        blackhole: bytes vanish, the connection stays open, as if the peer were unplugged.
        slice_bytes: size of the pieces in which chunks are sent; 0: unchanged.
        bytes_per_s: most throughput; 0: no limit.
        forwarded_bytes, dropped_bytes: bytes so far.
    """

    latency_s: float = 0.0
    blackhole: bool = False
    slice_bytes: int = 0
    bytes_per_s: float = 0.0
    forwarded_bytes: int = 0
    dropped_bytes: int = 0


@dataclass
class Counters:
    """What has happened so far."""

    accepted: int = 0
    unreachable: int = 0
    resets: int = 0
    dropped: int = 0


@dataclass(eq=False)
class _Link:
    """A caller's connection and the one to the server; `asked` is the end of what it sent."""

    caller: asyncio.StreamWriter
    server: asyncio.StreamWriter
    asked: bytes = b""
    frozen: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class FaultProxy:
    """Listens on `port` inside the block, and forwards to the target."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.up = Flow()
        self.down = Flow()
        self.counters = Counters()
        self._target = (host, port)
        self._drops = 0
        self._drop_after = b""
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._wait(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wait(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def open(self) -> int:
        """Count the connections that are open."""
        return len(self._links)

    def drop_replies(self, times: int, after: bytes = b"") -> None:
        """Drop the next replies, after the server has executed, and cut each connection.

        With `after`, only replies to requests that contain these bytes; 0 times cancels it.
        """
        self._drop_after = after
        self._drops = times

    def reset(self) -> None:
        """Cut every open connection, on both sides, with RST."""
        self._wait(self._cut_all())

    def freeze(self) -> None:
        """Silence the open connections for ever, as with a half-open peer; new ones work."""
        for link in list(self._links):
            link.frozen = True

    def forward_to(self, host: str, port: int) -> None:
        """Forward new connections to another server; open ones stay."""
        self._target = (host, port)

    def refuse(self) -> None:
        """Close the port: new connections are refused, open ones are cut."""
        self._wait(self._shut())
        self.reset()

    def accept(self) -> None:
        """Open the port again, the same one."""
        self._wait(self._listen())

    def remove_faults(self) -> None:
        """Remove every fault. Connections of a blackhole are cut, because they lost bytes."""
        holes = self.up.blackhole or self.down.blackhole
        for flow in (self.up, self.down):
            flow.latency_s, flow.blackhole, flow.slice_bytes, flow.bytes_per_s = 0.0, False, 0, 0.0
        self.drop_replies(0)
        if holes:
            self.reset()

    def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        done: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        done.result(10)

    async def _listen(self) -> None:
        # Our own listener: asyncio's loses connections that are being accepted as it closes.
        if self._listener is None:
            self._listener = socket.create_server((HOST, self.port))
            self._listener.setblocking(False)
            self.port = self._listener.getsockname()[1]
            self._spawn(self._accept(self._listener))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError), listener:
            while listener is self._listener:
                connection, _ = await self._loop.sock_accept(listener)
                self._spawn(self._serve(connection))

    async def _shut(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            self._loop.remove_reader(listener)
            listener.close()

    async def _close(self) -> None:
        await self._shut()
        await self._cut_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # a transport is closed one turn of the loop after its abort

    async def _cut_all(self) -> None:
        for link in list(self._links):
            self._cut(link)

    def _cut(self, link: _Link) -> None:
        if link in self._links:
            self._links.discard(link)
            self.counters.resets += 1
        for writer in (link.caller, link.server):
            _abort(writer)
        link.over.set()

    async def _serve(self, connection: socket.socket) -> None:
        self.counters.accepted += 1
        reader, caller = await asyncio.open_connection(sock=connection)
        try:
            answers, server = await asyncio.open_connection(*self._target)
        except OSError:
            self.counters.unreachable += 1
            _abort(caller)
            return
        link = _Link(caller, server)
        self._links.add(link)
        if self._listener is None:  # refused or closed while the connection was being made
            self._cut(link)
            return
        self._spawn(self._pump(link, reader, server, up=True))
        self._spawn(self._pump(link, answers, caller, up=False))

    async def _pump(
        self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool
    ) -> None:
        flow = self.up if up else self.down
        with suppress(OSError):
            while data := await reader.read(_CHUNK):
                if up:
                    link.asked = (link.asked + data)[-_REMEMBERED:]
                elif self._dropped(link):
                    self._cut(link)
                    return
                if link.frozen:
                    flow.dropped_bytes += len(data)
                    continue
                await self._carry(flow, writer, data)
                if not up:
                    link.asked = b""
        await self._ended(link)

    async def _carry(self, flow: Flow, writer: asyncio.StreamWriter, data: bytes) -> None:
        if flow.latency_s:
            await asyncio.sleep(flow.latency_s)
        if flow.blackhole:
            flow.dropped_bytes += len(data)
            return
        size = flow.slice_bytes or len(data)
        for begin in range(0, len(data), size):
            piece = data[begin : begin + size]
            flow.forwarded_bytes += len(piece)
            writer.write(piece)
            await writer.drain()
            if flow.bytes_per_s:
                await asyncio.sleep(len(piece) / flow.bytes_per_s)

    def _dropped(self, link: _Link) -> bool:
        """Return True if this reply must be dropped, and count it."""
        if not self._drops or self._drop_after not in link.asked:
            return False
        self._drops -= 1
        self.counters.dropped += 1
        return True

    def _silent(self, link: _Link) -> bool:
        return link.frozen or self.up.blackhole or self.down.blackhole

    async def _ended(self, link: _Link) -> None:
        """Close the other side, unless a blackhole hides the end from it."""
        while self._silent(link) and not link.over.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(link.over.wait(), 0.05)
        self._links.discard(link)
        for writer in (link.caller, link.server):
            writer.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    raw: socket.socket | None = writer.get_extra_info("socket")
    with suppress(OSError):
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
