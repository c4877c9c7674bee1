"""A TLS proxy for a server without TLS."""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue

HOST = "127.0.0.1"
_Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_Started = SimpleQueue[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]]


@contextmanager
def tls_proxy(context: ssl.SSLContext, port: int) -> Iterator[int]:
    """Forward TLS connections to `port`; yield the port to connect to.

    The loop has its own thread: a browser's test may have a loop in the main thread.
    """
    started: _Started = SimpleQueue()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(context, port, started)))
    thread.start()
    loop, stopped, own_port = started.get(timeout=10)
    try:
        yield own_port
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


async def _serve(context: ssl.SSLContext, port: int, started: _Started) -> None:
    """Serve until stopped, then close every socket: an open one would fail another test."""
    stopped, writers = asyncio.Event(), set[asyncio.StreamWriter]()
    server = await asyncio.start_server(_pass_to(port, writers), HOST, 0, ssl=context)
    started.put((asyncio.get_running_loop(), stopped, server.sockets[0].getsockname()[1]))
    await stopped.wait()
    server.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.05)  # a transport is closed some turns of the loop after its abort


def _pass_to(port: int, writers: set[asyncio.StreamWriter]) -> _Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        behind_reader, behind_writer = await asyncio.open_connection(HOST, port)
        writers.add(behind_writer)
        with suppress(OSError):
            await asyncio.gather(_pump(reader, behind_writer), _pump(behind_reader, writer))

    return handle


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    finally:
        writer.close()
