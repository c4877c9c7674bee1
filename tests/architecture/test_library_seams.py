"""What we override of the libraries still exists, unchanged, and is written down."""

import inspect
from collections.abc import Callable
from hashlib import sha256
from http.client import HTTPResponse
from ssl import SSLContext, SSLSocket

import pytest
from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker
from kombu.transport.redis import Channel, QoS
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from callbacks.impatient import Connection, ImpatientWorker
from config import transport
from tests.support.project import ROOT
from worker.vendors.cashfree import connection

ADR = ROOT.joinpath("docs/adr/0017-connections-of-our-own.md").read_text(encoding="utf-8")
WEB_ADR = ROOT.joinpath("docs/adr/0020-a-web-worker-of-our-own.md").read_text(encoding="utf-8")
TRANSPORT_ADR = ROOT.joinpath("docs/adr/0011-a-mended-transport.md").read_text(encoding="utf-8")
OURS = (connection._Response, connection._Connection, connection._Pool, connection.Adapter)
LIBRARIES = (HTTPResponse, HTTPConnection, HTTPConnectionPool, HTTPAdapter)
SIGNATURES = {
    (HTTPResponse, "_read_status"): "self",
    (HTTPResponse, "begin"): "self",
    (HTTPConnection, "_new_conn"): "self",
    (HTTPConnection, "_tunnel"): "self",
    (HTTPConnection, "connect"): "self",
    (HTTPConnection, "request"): (
        "self method url body headers chunked preload_content decode_content enforce_content_length"
    ),
    (HTTPConnection, "send"): "self data",
    (HTTPConnectionPool, "_get_conn"): "self timeout",
    (HTTPConnectionPool, "_put_conn"): "self conn",
    (HTTPAdapter, "proxy_manager_for"): "self proxy proxy_kwargs",
    (HTTPAdapter, "get_connection_with_tls_context"): "self request verify proxies cert",
    (HTTPAdapter, "build_connection_pool_key_attributes"): "self request verify cert",
    (HTTPAdapter, "build_response"): "self req resp",
    (HTTPAdapter, "cert_verify"): "self conn url verify cert",
}


@pytest.mark.parametrize(("owner", "name"), SIGNATURES, ids=str)
def test_what_is_overridden_has_its_known_signature(owner: type, name: str) -> None:
    assert " ".join(inspect.signature(getattr(owner, name)).parameters) == SIGNATURES[owner, name]


def test_everything_that_is_overridden_is_known_and_written_down() -> None:
    overridden = {
        (library, name)
        for ours, library in zip(OURS, LIBRARIES, strict=True)
        for name, value in vars(ours).items()
        if inspect.isfunction(value) and name != "__init__" and hasattr(library, name)
    }

    assert overridden == set(SIGNATURES)
    assert [name for _, name in SIGNATURES if f"`{name}`" not in ADR] == []


def test_attributes_that_are_set_are_there() -> None:
    assert HTTPConnection.response_class is HTTPResponse
    assert HTTPConnectionPool.ConnectionCls is HTTPConnection
    assert SSLContext.sslsocket_class is SSLSocket
    assert hasattr(HTTPAdapter().poolmanager, "pool_classes_by_scheme")


def source(of: Callable[..., object]) -> str:
    return sha256(inspect.getsource(of).encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("theirs", "ours", "known"),
    [
        (vars(Channel)["_brpop_read"], transport.StrictChannel._brpop_read, "c42518699709f2df"),
        (QoS.restore_by_tag, transport.StrictQoS.restore_by_tag, "58e161d81b6fe18d"),
    ],
    ids=["_brpop_read", "restore_by_tag"],
)
def test_what_takes_messages_in_is_what_we_repeat_or_go_before(
    theirs: Callable[..., object], ours: Callable[..., object], known: str
) -> None:
    assert source(theirs) == known  # changed: read it again, then config/transport.py
    assert f"`{ours.__name__}`" in TRANSPORT_ADR


@pytest.mark.parametrize(
    ("theirs", "known"),
    [
        (ThreadWorker, "2cde92a57d7bae10"),
        (TConn, "e3a2878ba952710a"),
        (util.close_graceful, "0e5925bfc017bc4e"),
    ],
    ids=["ThreadWorker", "TConn", "close_graceful"],
)
def test_the_web_worker_that_we_change_is_the_one_we_read(
    theirs: Callable[..., object], known: str
) -> None:
    assert source(theirs) == known  # changed: read it again, then callbacks/impatient.py


def test_what_we_override_of_the_web_worker_is_there_and_written_down() -> None:
    overridden = {
        name
        for ours, library in ((ImpatientWorker, ThreadWorker), (Connection, TConn))
        for name, value in vars(ours).items()
        if inspect.isfunction(value) and name != "__init__" and name in vars(library)
    }
    assert overridden == {
        "accept",
        "close",
        "enqueue_req",
        "finish_request",
        "handle",
        "murder_pending",
    }
    assert [name for name in overridden if f"`{name}`" not in WEB_ADR] == []
