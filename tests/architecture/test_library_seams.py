"""Library internals that we override or use: they exist, are unchanged, and are documented."""

import inspect
import sys
from collections.abc import Callable
from hashlib import sha256
from http.client import HTTPConnection as PlainConnection
from http.client import HTTPResponse
from queue import LifoQueue
from ssl import SSLContext, SSLSocket

import pytest
from environs import Env, FileAwareEnv
from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker
from kombu.transport import virtual
from kombu.transport.redis import Channel, QoS
from packaging.requirements import Requirement
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from callbacks.request_deadline_worker import DeadlineConnection, RequestDeadlineWorker
from tests.support import private_names
from tests.support.project import ROOT, pyproject
from worker.broker import kombu_transport as transport
from worker.vendors.cashfree import connection


def adr(name: str) -> str:
    return ROOT.joinpath("docs/adr", name).read_text(encoding="utf-8")


WIRE_ADR = adr("0017-connections-of-our-own.md")
WEB_ADR = adr("0020-a-web-worker-of-our-own.md")
TRANSPORT_ADR = adr("0011-a-mended-transport.md")
ADRS = {
    "http": WIRE_ADR,
    "urllib3": WIRE_ADR,
    "requests": WIRE_ADR,
    "queue": WIRE_ADR,
    "kombu": TRANSPORT_ADR,
    "gunicorn": WEB_ADR,
    "environs": adr("0022-private-names-of-libraries.md"),
}
OURS = (connection._Response, connection._Connection, connection._Shelf, connection.Adapter)
LIBRARIES = (HTTPResponse, HTTPConnection, LifoQueue, HTTPAdapter)
SIGNATURES: dict[tuple[type, str], str] = {
    (HTTPResponse, "_read_status"): "self",
    (HTTPResponse, "begin"): "self",
    (HTTPConnection, "_new_conn"): "self",
    (HTTPConnection, "_tunnel"): "self",
    (HTTPConnection, "connect"): "self",
    (HTTPConnection, "request"): (
        "self method url body headers chunked preload_content decode_content enforce_content_length"
    ),
    (HTTPConnection, "send"): "self data",
    (LifoQueue, "get"): "self block timeout",
    (LifoQueue, "put"): "self item block timeout",
    (HTTPAdapter, "proxy_manager_for"): "self proxy proxy_kwargs",
    (HTTPAdapter, "get_connection_with_tls_context"): "self request verify proxies cert",
    (HTTPAdapter, "build_connection_pool_key_attributes"): "self request verify cert",
    (HTTPAdapter, "cert_verify"): "self conn url verify cert",
}
"""Methods that the wire overrides, private or not."""
PRIVATE: dict[tuple[type, str], str] = {
    (HTTPResponse, "_read_status"): "self",
    (HTTPConnection, "_new_conn"): "self",
    (HTTPConnection, "_tunnel"): "self",
    (PlainConnection, "_tunnel"): "self",
    (Channel, "_brpop_read"): "self options",
    (Channel, "_connparams"): "self asynchronous",
    (Channel, "_create_client"): "self asynchronous",
    (Channel, "_do_restore_message"): "self payload exchange routing_key pipe leftmost",
    (Channel, "_flush_brpop_reauth"): "self",
    (QoS, "_remove_from_indices"): "self delivery_tag pipe",
    (virtual.Transport, "_deliver"): "self message queue",
    (Env, "_get_value"): "self env_key default",
    (FileAwareEnv, "_get_value"): "self env_key default",
}
"""Private methods of libraries that the project overrides or calls."""
DATA = [(Channel, "_in_poll"), (Channel, "_queue_cycle")]
"""Private attributes of a class or of its objects."""
KNOWN = [*PRIVATE, *DATA]


def place(owner: type) -> str:
    return f"{owner.__module__}.{owner.__name__}"


@pytest.mark.parametrize(("owner", "name"), SIGNATURES | PRIVATE, ids=str)
def test_every_overridden_name_has_the_known_signature(owner: type, name: str) -> None:
    known = (SIGNATURES | PRIVATE)[owner, name]
    assert " ".join(inspect.signature(getattr(owner, name)).parameters) == known


def test_every_override_in_the_wire_is_listed_and_documented() -> None:
    overridden = {
        (library, name)
        for ours, library in zip(OURS, LIBRARIES, strict=True)
        for name, value in vars(ours).items()
        if inspect.isfunction(value) and name != "__init__" and hasattr(library, name)
    }

    assert overridden == set(SIGNATURES)
    assert [name for _, name in SIGNATURES if f"`{name}`" not in WIRE_ADR] == []


def test_every_private_name_that_we_use_is_listed() -> None:
    assert private_names.overridden() <= {
        private_names.PrivateName(place(owner), name) for owner, name in KNOWN
    }
    assert {found.name for found in private_names.used()} <= {name for _, name in KNOWN}


def test_every_listed_private_name_is_still_used() -> None:
    found = private_names.overridden() | private_names.used()

    assert {name for _, name in KNOWN} <= {each.name for each in found}


@pytest.mark.parametrize(("owner", "name"), KNOWN, ids=str)
def test_every_private_name_is_documented_and_its_library_has_an_upper_bound(
    owner: type, name: str
) -> None:
    library = owner.__module__.split(".")[0]
    wanted = [
        requirement
        for folder in (".", "satyapan")
        for requirement in pyproject(folder)["project"]["dependencies"]
        if Requirement(requirement).name == library
    ]

    assert f"`{name}`" in ADRS[library]
    assert wanted or library in sys.stdlib_module_names
    assert [each for each in wanted if "<" not in each] == []


def test_the_library_attributes_that_we_set_exist() -> None:
    assert HTTPConnection.response_class is HTTPResponse
    assert HTTPConnectionPool.ConnectionCls is HTTPConnection
    assert HTTPConnectionPool.QueueCls is LifoQueue
    assert SSLContext.sslsocket_class is SSLSocket
    assert hasattr(HTTPAdapter().poolmanager, "pool_classes_by_scheme")


def test_the_kombu_attributes_that_we_use_exist() -> None:
    assert vars(Channel)["_in_poll"] is False
    assert "self._queue_cycle = " in inspect.getsource(Channel.__init__)


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
def test_the_kombu_methods_that_we_replace_or_extend_are_unchanged(
    theirs: Callable[..., object], ours: Callable[..., object], known: str
) -> None:
    assert source(theirs) == known  # changed? review it and worker/broker/kombu_transport.py
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
def test_the_web_worker_that_we_extend_is_unchanged(
    theirs: Callable[..., object], known: str
) -> None:
    assert source(theirs) == known  # changed? review it and callbacks/request_deadline_worker.py


def test_every_override_in_the_web_worker_is_listed_and_documented() -> None:
    overridden = {
        name
        for ours, library in ((RequestDeadlineWorker, ThreadWorker), (DeadlineConnection, TConn))
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
