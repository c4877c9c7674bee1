"""A vendor that only waits and then answers VALID: POST /<milliseconds>/passport.

    python -m benchmarks.stub [--cert FILE --key FILE]

Prints the port on which it listens. Imports nothing of the packages that call it.
"""

import argparse
import asyncio
import json
import re
import ssl
from typing import Any

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_DELAY = re.compile(rb"POST /([0-9]+)/")
_ANSWER = {
    "reference_id": 7083347,
    "status": "VALID",
    "file_number": "PA1079341954215",
    "name": "JOHN DOE",
    "dob": "2007-03-01",
    "application_type": "Tatkaal",
    "application_received_date": "2016-08-23",
}


class Vendor(asyncio.Protocol):
    """One connection; answers every complete request after the delay in its path."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the answers."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Handle all complete requests in the buffer."""
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            total = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < total:
                return
            body, self._buffer = self._buffer[end + 4 : total], self._buffer[total:]
            self._answer_later(head, body)

    def _answer_later(self, head: bytes, body: bytes) -> None:
        found = _DELAY.match(head)
        delay = int(found[1]) / 1000 if found else 0
        close = b"connection: close" in head.lower()
        loop = asyncio.get_running_loop()
        loop.call_later(delay, self._answer, json.loads(body)["verification_id"], close)

    def _answer(self, verification_id: str, close: bool) -> None:  # noqa: FBT001  a callback's
        body = json.dumps({"verification_id": verification_id, **_ANSWER}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        if not self._transport.is_closing():
            self._transport.write(head.encode() + b"\r\n\r\n" + body)
            if close:
                self._transport.close()


async def serve(context: ssl.SSLContext | None) -> None:
    """Listen on a free loopback port until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Vendor, "127.0.0.1", 0, ssl=context, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the options and serve."""
    options = argparse.ArgumentParser()
    options.add_argument("--cert")
    options.add_argument("--key")
    given = options.parse_args()
    context = None
    if given.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.cert, given.key)
    try:
        import uvloop  # noqa: PLC0415  faster where it is installed
    except ImportError:
        asyncio.run(serve(context))
    else:
        uvloop.run(serve(context))


if __name__ == "__main__":
    main()
