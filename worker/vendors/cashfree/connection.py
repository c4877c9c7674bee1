"""Connections that know whether a byte has left, when the call must be over, what was left unread.

Plugged into requests through its adapter. Knows sockets; knows nothing of the vendor. The first two
facts can't be had from exceptions: a reset or a timeout looks the same before and after the first
byte, and the library's read timeout starts anew with every byte that drips in. The third decides
whether a connection may be used again: bytes behind a reply would be read as the next call's reply.
docs/adr/0017-connections-of-our-own.md lists what is overridden of the libraries.
"""

import http.client
import io
import socket
import ssl
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssltransport import SSLTransport

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, SupportsRead, WriteableBuffer
    from urllib3._base_connection import BaseHTTPConnection

_INTERIM: Final = range(100, 200)
_INTERIM_MOST: Final = 100
"""Interim replies before a real one; the same bound as the standard library's for headers."""


class Stage(StrEnum):
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
class Call:
    """One call on its way. Times are seconds; `ends` is on `clock`, which never jumps."""

    connect_s: float
    read_s: float
    ends: float
    clock: Callable[[], float]
    fresh: bool = False
    """True if only a new connection will do."""
    stage: Stage = Stage.POOL
    sent: bool = False
    """True from just before the first byte of the request; never False again."""
    unread: bool = False
    """True if bytes came behind the reply."""
    single: bool = False
    """True if nobody can tell whether they did: then its connection serves no other call."""
    used: "tuple[_Pool, _Connection] | None" = None
    """The connection on which the whole reply came, and the pool that waits for it."""

    def left(self, most: float) -> float:
        """Give the time that the next wait may take; TimeoutError when the call's time is over."""
        remaining = self.ends - self.clock()
        if remaining <= 0:
            raise TimeoutError("the call's total time is over")
        return min(most, remaining)

    @property
    def over(self) -> bool:
        """Tell whether the total deadline has passed."""
        return self.clock() >= self.ends

    def end(self, *, clean: bool) -> None:
        """Return the connection to its pool; it stays open only if the exchange was clean."""
        if self.used is not None:
            pool, conn = self.used
            pool.take_back(conn, keep=clean and not (self.unread or self.single))


CURRENT: ContextVar[Call] = ContextVar("call")
"""The call that this thread is making; requests has no place to hand it down."""


class _Quiet(socket.socket):
    """Sets a timeout only if it is another one.

    Each setting is a system call, at which the thread lets the interpreter go and has to get it
    back from all the others; urllib3 and we would do that four times a call.
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

    def __init__(self, inner: io.RawIOBase, sock: socket.socket | SSLTransport, call: Call) -> None:
        self._inner = inner
        self._sock = sock
        self._call = call

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        if self.ended:
            return None
        self._sock.settimeout(self._call.left(self._call.read_s))
        count = cast("int | None", self._inner.readinto(buffer))
        if count == 0 and self._call.stage is Stage.HEADERS:
            # The standard library takes the end of the stream for the end of the headers.
            raise ConnectionError("the reply ended in its headers")
        return count

    def note_unread(self, *, buffered: bool) -> None:
        """Note with the call whether bytes are left: in the buffer above, or decrypted by TLS.

        Bytes that are still in the socket are found by the pool before the next call.
        """
        pending = isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0
        self._call.unread = self._call.unread or buffered or pending
        self._call.single = isinstance(self._sock, SSLTransport)  # TLS inside TLS can't say

    def close(self) -> None:
        # The inner file counts as a user of the socket; closing it lets the socket go.
        if not self.closed:
            self._inner.close()
        super().close()


class _Reader(io.BufferedReader):
    """The buffer over a _TimedFile; the response closes it when the reply is complete."""

    raw: _TimedFile

    def close(self) -> None:
        if not self.closed:
            self.raw.ended = True  # so that peek() only looks into the buffer
            self.raw.note_unread(buffered=bool(self.peek()))
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read against the call's deadline, with interim replies passed over."""

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        inner = self.fp.detach()
        self.fp = _Reader(_TimedFile(inner, sock, CURRENT.get()))

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
        call.stage = Stage.HEADERS
        super().begin()
        call.stage = Stage.BODY
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
        call.stage = Stage.DNS
        host = self.host.strip("[]")
        found = socket.getaddrinfo(host, self.port, type=socket.SOCK_STREAM)
        call.stage = Stage.CONNECT
        sock = _reach(found, call)
        sock.settimeout(call.left(call.connect_s))
        call.stage = Stage.TLS
        return sock

    def _tunnel(self) -> None:
        call = CURRENT.get()
        call.stage = Stage.PROXY
        super()._tunnel()
        self.sock.settimeout(call.left(call.connect_s))
        call.stage = Stage.TLS

    def connect(self) -> None:
        self.ready = False
        super().connect()
        self.ready = True

    def request(self, *arguments: Any, **options: Any) -> None:
        """Send head and body in one piece: one packet and one TLS record, half the system calls."""
        if self.sock is None:
            self.connect()
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
            call.stage = Stage.SEND
            call.sent = True
        super().send(data)
        self.used_at = call.clock()


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


def _reach(found: Iterable[Any], call: Call) -> socket.socket:
    """Connect to the first address that answers; the call's deadline holds over all of them."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = _Quiet(family, kind, protocol)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(call.left(call.connect_s))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


class _Pool(HTTPConnectionPool):
    """A pool that waits for a free connection only so long, and doesn't trust an old one.

    A connection that something between us and the vendor has dropped in silence would swallow a
    paid request; opening a new one costs milliseconds. The library's own part of _get_conn() closes
    a connection on which something can be read (late bytes, or end of stream): one poll() a call.
    """

    ConnectionCls = _Connection
    idle_s = 20.0

    def _get_conn(self, timeout: float | None = None) -> _Connection:
        call = CURRENT.get()
        wait = call.left(call.connect_s) if timeout is None else timeout
        conn = cast("_Connection", super()._get_conn(timeout=wait))
        idle = call.clock() - conn.used_at > self.idle_s
        if conn.sock is not None and (idle or call.fresh):
            conn.close()
        return conn

    def _put_conn(self, conn: "BaseHTTPConnection | None") -> None:
        """Leave a connection with its call until the reply is judged."""
        if conn is None:
            super()._put_conn(None)
        else:
            CURRENT.get().used = self, cast("_Connection", conn)

    def take_back(self, conn: _Connection, *, keep: bool) -> None:
        """Return a connection to the pool. The next call opens one that was not kept."""
        try:
            if not keep:
                conn.close()
        finally:
            super()._put_conn(conn)


class _TlsPool(_Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _TlsConnection


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
        self,
        request: PreparedRequest,
        verify: bool | str | None,  # noqa: FBT001  requests' own signature
        proxies: Any = None,  # noqa: ANN401  as above
        cert: Any = None,  # noqa: ANN401  as above
    ) -> Any:  # noqa: ANN401  urllib3's pool, which requests types loosely
        """Find the pool of a host; requests would look for it anew, and at length, at each call."""
        place = urlsplit(request.url or "")[:2]
        if place not in self._pools:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pools[place] = pool
        return self._pools[place]

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:  # noqa: ANN401  urllib3's
        """Give what we read of a response; cookies, history and text are none of ours."""
        response = Response()
        response.request, response.raw = req, resp
        response.status_code, response.headers = resp.status, resp.headers
        return response

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
