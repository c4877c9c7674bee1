"""Connections that know whether a byte has left, when the call must be over, what was left unread.

Plugged into requests through its adapter. Knows sockets; knows nothing of the vendor. The first two
facts can't be had from exceptions: a reset or a timeout looks the same before and after the first
byte, and the library's read timeout starts again with every byte that drips in. The third decides
whether a connection may be used again: bytes behind a reply would be read as the next call's reply.
docs/adr/0017-connections-of-our-own.md lists what is overridden of the libraries.
"""

import http.client
import io
import queue
import socket
import ssl
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, SupportsRead, WriteableBuffer

_INTERIM: Final = range(100, 200)
_INTERIM_MOST: Final = 100
"""Interim replies before a real one; the same bound as the standard library's for headers."""


class ExchangeStage(StrEnum):
    """How far a call has come; it names the failure."""

    POOL = "pool"
    DNS = "dns"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "tls"
    SEND = "send"
    HEADERS = "headers"
    BODY = "body"


@dataclass
class Exchange:
    """One call on its way. Times are seconds; `ends` is on `clock`, which never jumps."""

    connect_s: float
    read_s: float
    ends: float
    clock: Callable[[], float]
    fresh: bool = False
    """True if only a new connection will do."""
    stage: ExchangeStage = ExchangeStage.POOL
    sent: bool = False
    """True from just before the first byte of the request; never False again."""
    unread: bool = False
    """True if bytes came behind the reply."""
    single: bool = False
    """True if that can't be found out: then its connection serves no other call."""
    used: "tuple[_Shelf, _Connection] | None" = None
    """The connection on which the whole reply came, and the shelf that waits for it."""

    def left(self, most: float) -> float:
        """Return the seconds that the next wait may take; TimeoutError when the call is over."""
        remaining = self.ends - self.clock()
        if remaining <= 0:
            raise TimeoutError("the call's total time is over")
        return min(most, remaining)

    def end(self, *, clean: bool) -> None:
        """Return the connection to its pool; it stays open only if the exchange was clean."""
        if self.used is not None:
            shelf, conn = self.used
            shelf.take_back(conn, keep=clean and not (self.unread or self.single))


CURRENT: ContextVar[Exchange] = ContextVar("call")
"""The call that this thread is making; requests has no place to hand it down."""


class _Quiet(socket.socket):
    """Sets a timeout only if it is another one.

    Each setting releases the GIL. Saves 50 us or more of CPU a call with 64 threads, 2 with one.
    """

    def settimeout(self, value: float | None, /) -> None:
        if value != self.gettimeout():
            super().settimeout(value)


class _QuietTls(_Quiet, ssl.SSLSocket):
    """The same over TLS; made by the context."""


class _TimedFile(io.RawIOBase):
    """The socket's read end; each wait is cut to what is left of the call."""

    ended = False
    """True once nothing more may be read."""

    def __init__(
        self, inner: io.RawIOBase, sock: socket.socket | SSLTransport, call: Exchange
    ) -> None:
        self.inner = inner
        self.sock = sock
        self.call = call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        if self.ended:
            return None
        self.sock.settimeout(self.call.left(self.call.read_s))
        count = cast("int | None", self.inner.readinto(buffer))
        if count == 0 and self.call.stage is ExchangeStage.HEADERS:
            # The standard library takes the end of the stream for the end of the headers.
            raise ConnectionError("the reply ended in its headers")
        return count

    def close(self) -> None:
        self.inner.close()  # it counts as a user of the socket
        super().close()


class _Reader(io.BufferedReader):
    """The buffer over a _TimedFile; the response closes it when the reply is complete."""

    raw: _TimedFile

    def close(self) -> None:
        """Note with the call whether bytes are left: in this buffer, or decrypted by TLS.

        Bytes that are still in the socket are found by the pool before the next call.
        """
        if not self.closed:
            sock, call = self.raw.sock, self.raw.call
            self.raw.ended = True  # so that peek() only looks into the buffer
            pending = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
            call.unread = call.unread or pending or bool(self.peek())
            call.single = isinstance(sock, SSLTransport)  # TLS inside TLS can't say
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read against the call's deadline, with interim replies passed over."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp = _Reader(_TimedFile(self.fp.detach(), sock, CURRENT.get()))

    def _read_status(self) -> tuple[str, int, str]:
        """Read past interim replies (1xx); the standard library does so only for 100."""
        for _ in range(_INTERIM_MOST):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in _INTERIM:
                return version, status, reason
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
            http.client.parse_headers(self.fp)
        raise ConnectionError("no final reply came")

    def begin(self) -> None:
        call = CURRENT.get()
        call.stage = ExchangeStage.HEADERS
        super().begin()
        call.stage = ExchangeStage.BODY
        # urllib3 logs what it couldn't parse of the headers; that may hold anything.
        self.msg.defects.clear()
        self.msg.set_payload("")


class _Connection(HTTPConnection):
    """A plain connection. `ready` means that what is sent next is the request itself."""

    response_class = _Response
    used_at = 0.0
    ready = False
    whole: bytearray | None = None
    """The request so far, while it is put together."""

    def _new_conn(self) -> socket.socket:
        call = CURRENT.get()
        call.stage = ExchangeStage.DNS
        found = socket.getaddrinfo(self.host.strip("[]"), self.port, type=socket.SOCK_STREAM)
        call.stage = ExchangeStage.CONNECT
        sock = _reach(found, call)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(call.left(call.connect_s))
        call.stage = ExchangeStage.TLS
        return sock

    def _tunnel(self) -> None:
        call = CURRENT.get()
        call.stage = ExchangeStage.PROXY
        super()._tunnel()
        self.sock.settimeout(call.left(call.connect_s))
        call.stage = ExchangeStage.TLS

    def connect(self) -> None:
        self.ready = False
        super().connect()
        self.ready = True

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send head and body in one piece.

        Saves 50 us of CPU a call over TCP and 80 over TLS with 64 threads, because each send
        releases the GIL; with one thread 6 and 16.
        """
        self.whole = bytearray()
        try:
            super().request(*arguments, **options)
            whole = bytes(self.whole)
        finally:
            self.whole = None
        self.send(whole)

    def send(
        self, data: "SupportsRead[bytes] | Iterable[ReadableBuffer] | ReadableBuffer | str"
    ) -> None:
        if self.whole is not None:
            self.whole += cast("bytes", data)
            return
        call = CURRENT.get()
        if self.sock is None:
            self.connect()
        self.sock.settimeout(call.left(call.read_s))
        if self.ready:
            call.stage = ExchangeStage.SEND
            call.sent = True
        super().send(data)
        self.used_at = call.clock()


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


def _reach(found: Iterable[Any], call: Exchange) -> socket.socket:
    """Connect to the first address that answers; the call's deadline holds over all of them."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = _Quiet(family, kind, protocol)
        try:
            sock.settimeout(call.left(call.connect_s))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _Shelf(queue.LifoQueue[Any]):
    """Where a pool keeps its connections, with None for each that isn't open yet.

    An old one isn't used again: if a device between us and the vendor dropped it silently, a paid
    request would be lost; opening a new one costs milliseconds. The pool itself closes one
    on which something can be read (late bytes, or end of stream): one poll() a call.
    """

    idle_s = 20.0

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Wait for a free connection as long as the call may."""
        if not block:  # the pool is being closed; there is no call
            return super().get(block=False)
        call = CURRENT.get()
        conn = super().get(timeout=call.left(call.connect_s) if timeout is None else timeout)
        if conn is not None and (call.fresh or call.clock() - conn.used_at > self.idle_s):
            conn.close()
        return conn

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ANN401, FBT001, FBT002
        """Leave a connection with its call until the reply is judged."""
        if item is None:
            super().put(None, block, timeout)
        else:
            CURRENT.get().used = self, item

    def take_back(self, conn: _Connection, *, keep: bool) -> None:
        """Return a connection to the pool. The next call opens one that was not kept."""
        try:
            if not keep:
                conn.close()
        finally:
            super().put(conn, block=False)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection
    QueueCls = _Shelf


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
    QueueCls = _Shelf


_POOLS: Final = {"http": _Pool, "https": _TlsPool}


class Adapter(HTTPAdapter):
    """The adapter that uses these connections, with one TLS context for all of them."""

    def __init__(self, context: ssl.SSLContext, pool_size: int) -> None:
        super().__init__(pool_maxsize=pool_size, pool_block=True, max_retries=0)
        context.sslsocket_class = _QuietTls
        self._context = context
        self._pools: dict[tuple[str, str], Any] = {}
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> ProxyManager:
        """Make the pools behind a proxy; requests calls it."""
        manager: ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def get_connection_with_tls_context(
        self, request: PreparedRequest, *arguments: Any, **options: Any
    ) -> Any:  # noqa: ANN401  urllib3's pool, which requests types loosely
        """Return the pool of a host. Keeping it saves 24 us of CPU a call beside finding it."""
        origin = urlsplit(request.url or "")[:2]
        if origin not in self._pools:
            pool = super().get_connection_with_tls_context(request, *arguments, **options)
            self._pools[origin] = pool
        return self._pools[origin]

    def build_connection_pool_key_attributes(
        self,
        request: PreparedRequest,
        verify: bool | str,  # noqa: FBT001  requests' own signature
        cert: str | tuple[str, str] | None = None,
    ) -> tuple[Any, Any]:
        """Hand the shared context down; left alone, requests would load the CA file again."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Leave verification to the context, which requires it."""
