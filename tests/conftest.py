"""What all tests share: servers and processes that never outlive a test, shut sockets.

Only `tests` and `tests.support` are regular packages (so that no installed `tests` can take their
name); the folders of tests need no `__init__.py`. Write `from tests.support.eventually import
eventually`.
"""

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

from demo.server import EmbeddedServer, ServerMissing, find_server
from demo.supervisor import Supervisor
from tests.support.experiment_log import RUN, ExperimentLog, scale
from tests.support.worker_harness import OPEN_HARNESSES, Harness

IN_CI = os.environ.get("CI") == "true"
SOCKETLESS = {"architecture", "model", "unit"}
TESTS = Path(__file__).parent
LOOPBACK = ["127.0.0.1", "::1"]

# How fast a machine is says nothing about the code.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("home", PATIENT, max_examples=50)
settings.register_profile("ci", PATIENT, max_examples=300, derandomize=True)
settings.load_profile("ci" if IN_CI else "home")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shut sockets for the tests of pure code; let the others reach this machine only."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in SOCKETLESS:
            item.add_marker(pytest.mark.disable_socket)
        else:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


def pytest_configure() -> None:
    """Give this run one experiment log, shared with its processes, and let them get Ctrl-C."""
    os.environ.setdefault(RUN, str(os.getpid()))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background job ignores Ctrl-C, and so would the programs that tests start.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what the fault suite found, the control beside ours."""
    if hasattr(terminalreporter.config, "workerinput"):
        return  # a process of xdist; its controller prints
    form = scale()
    log = ExperimentLog(form)
    if table := log.table():
        terminalreporter.write_line(table)
    if not form.long:
        log.delete()


def absent(what: str) -> None:
    """Skip at home, fail in CI: a check that silently never runs is none."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real server for this test process alone; ask for `redis_url` to find it empty."""
    try:
        find_server()
    except ServerMissing as missing:
        absent(str(missing))
    with EmbeddedServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedServer) -> str:
    """The server's address, everything on it flushed."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.script_flush()
    return redis_server.url


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    """Start children with this: whatever becomes of the test, they are gone after it."""
    with Supervisor(tmp_path / "logs", grace=20) as supervisor:
        yield supervisor


@dataclass(frozen=True)
class Sandbox:
    """The vendor's emulation, running in its own process."""

    url: str
    log: Path

    @property
    def root(self) -> str:
        """Scheme, host and port, without the API's path."""
        return self.url.removesuffix("/verification")


@pytest.fixture
def sandbox(processes: Supervisor) -> Sandbox:
    """A fresh sandbox vendor; `url` is what a vendor base URL setting takes."""
    child = processes.start(
        "sandbox",
        [sys.executable, "-m", "sandbox", "--port", "0"],
        ready=r"sandbox listening on (?P<url>http://127\.0\.0\.1:\d+/verification)",
    )
    assert child.ready
    return Sandbox(child.ready["url"], child.log)


@pytest.fixture(autouse=True)
def closed_harnesses() -> Iterator[None]:
    """Close the connections of every harness: a test process runs hundreds of them."""
    yield
    while OPEN_HARNESSES:
        OPEN_HARNESSES.pop().close()


@pytest.fixture
def harness(redis_url: str, sandbox: Sandbox) -> Harness:
    """A producer, a worker's parts and the sandbox, run step by step."""
    return Harness(redis_url, sandbox.root)
