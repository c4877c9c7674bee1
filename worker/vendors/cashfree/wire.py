"""The wire: send one request and read its reply, or report how far the exchange came.

Knows HTTP; knows nothing of operations, ids or credentials. There is no retry and no redirect
here: failures are classified, and the layers above decide.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from requests import PreparedRequest
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from satyapan.errors import causes
from worker.vendors.cashfree.connection import CURRENT, Adapter, Exchange

_T = TypeVar("_T")
_CHUNK: Final = 64 * 1024
# Replies are small; uncompressed ones can't be bombs.
_HEADERS: Final = {"User-Agent": "satyapan", "Accept-Encoding": "identity"}


class NotSent(Exception):
    """No byte of the request has left: the call may be made again. `code` says what failed."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"not sent: {code}")


class Cut(Exception):
    """Something broke after the first byte: the call may have been executed. `code` says where."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"cut: {code}")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of every wait, in seconds, and of the sizes of a reply and of the pool.

    `connect_s` holds per address and again for TLS; `total_s` holds over everything but the
    system's name resolution, which has limits of its own.
    """

    connect_s: float = 5.0
    read_s: float = 30.0
    total_s: float = 45.0
    reply_bytes: int = 8 * 1024 * 1024
    pool_size: int = 16


@dataclass(frozen=True)
class Raw:
    """A complete reply. Header names are lower case, or the mapping ignores case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    trailed: bool = False
    """True if more bytes came behind it: it may be the reply to an earlier call."""


class Wire:
    """One per process; threads share it.

    Raises:
        OSError: at construction, when the CA file can't be read.
    """

    def __init__(
        self,
        limits: Limits,
        proxy: str = "",
        ca_file: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._adapter = Adapter(_context(ca_file), limits.pool_size)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        judge: Callable[[Raw], tuple[_T, bool]],
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        *,
        fresh: bool = False,
    ) -> _T:
        """Send one request, read its whole reply, and return what `judge` makes of it.

        `judge` also returns True if the reply can be trusted. The connection stays with this call
        until then: no other call gets one whose last exchange wasn't clean. `fresh` asks for a
        new connection.

        Raises:
            NotSent: no byte has left.
            Cut: anything after that, a reply that is too large or too slow included.
        """
        limits = self._limits
        ends = self._clock() + limits.total_s
        call = Exchange(limits.connect_s, limits.read_s, ends, self._clock, fresh)
        clean = False
        try:
            raw = self._receive(call, partial(_request, method, url, headers, body, params))
            judged, clean = judge(raw)
            return judged
        finally:
            call.end(clean=clean)

    def _receive(self, call: Exchange, prepare: Callable[[], PreparedRequest]) -> Raw:
        """Make the exchange; name what failed by how far it came."""
        token = CURRENT.set(call)
        try:
            return self._exchange(call, prepare())
        except (NotSent, Cut):
            raise
        except Exception as error:
            # After the first byte nothing but Cut may come out, whatever broke.
            if not call.sent and not isinstance(error, (OSError, HTTPError)):
                raise
            failure = _failure(call, error)
        finally:
            CURRENT.reset(token)
        # Raised out here so that the library's error, which carries the request, isn't its context.
        raise failure

    def _exchange(self, call: Exchange, request: PreparedRequest) -> Raw:
        response = self._adapter.send(
            request,
            stream=True,
            timeout=call.read_s,  # connecting has its own limit, set where it is done
            proxies=self._proxies,
        )
        with response:
            body = self._read(response.raw)
            return Raw(response.status_code, response.headers, body, call.unread)

    def _read(self, stream: BaseHTTPResponse) -> bytes:
        """Read the body; decoded bytes count, so that a small compressed one can't grow huge."""
        body = bytearray()
        while chunk := stream.read(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > self._limits.reply_bytes:
                raise Cut("too_large")
        return bytes(body)


def _failure(call: Exchange, error: Exception) -> NotSent | Cut:
    """Name a failure by its stage."""
    if call.clock() >= call.ends:
        code = "deadline"
    else:
        timed_out = any(isinstance(each, TimeoutError) for each in causes(error))
        code = f"{call.stage}_{'timeout' if timed_out else 'failed'}"
    return Cut(code) if call.sent else NotSent(code)


def _context(ca_file: str) -> ssl.SSLContext:
    """Make the one TLS context: loading the CA file costs tens of milliseconds."""
    context = ssl.create_default_context(cafile=ca_file or DEFAULT_CA_BUNDLE_PATH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes | None,
    params: Mapping[str, str] | None,
) -> PreparedRequest:
    """Prepare what is sent, for the adapter itself.

    What a session would add we don't want: cookies, redirects, the environment's proxies and
    passwords.
    """
    request = PreparedRequest()
    request.prepare_method(method)
    request.prepare_url(url, params)
    request.prepare_headers({**_HEADERS, **headers})
    request.prepare_body(body, None)
    return request
