"""Fixtures and hooks of all tests. Sockets are blocked, and no process outlives its test.

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

# A slow machine must not fail a property test.
NO_DEADLINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("local", NO_DEADLINE, max_examples=50)
settings.register_profile("ci", NO_DEADLINE, max_examples=300, derandomize=True)
settings.load_profile("ci" if IN_CI else "local")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block sockets in tests of pure code; restrict the others to loopback."""
    for item in items:
        if item.path.relative_to(TESTS).parts[0] in SOCKETLESS:
            item.add_marker(pytest.mark.disable_socket)
        else:
            item.add_marker(pytest.mark.allow_hosts(LOOPBACK))


def pytest_configure() -> None:
    """Name one experiment log for all processes of this run, and make Ctrl-C reach them."""
    os.environ.setdefault(RUN, str(os.getpid()))
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A background job of a shell ignores Ctrl-C, and programs started by tests inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the fault suite's results: the control's beside ours."""
    if hasattr(terminalreporter.config, "workerinput"):
        return  # an xdist worker: its controller prints
    form = scale()
    log = ExperimentLog(form)
    if table := log.table():
        terminalreporter.write_line(table)
    if not form.long:
        log.delete()


def skip_or_fail_in_ci(reason: str) -> None:
    """Skip on a developer's machine, fail in CI, where a skipped check would go unnoticed."""
    if IN_CI:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A real server of this test process alone. Use `redis_url` to get it empty."""
    try:
        find_server()
    except ServerMissing as missing:
        skip_or_fail_in_ci(str(missing))
    with EmbeddedServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedServer) -> str:
    """The address of the server, after a flush of all its data and scripts."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        client.script_flush()
    return redis_server.url


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Supervisor]:
    """Start child processes with this: all of them end with the test, also when it fails."""
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
def sandbox_options() -> tuple[str, ...]:
    """Options of the sandbox; a file of tests may have its own."""
    return ()


def start_sandbox(processes: Supervisor, *options: str) -> Sandbox:
    """Start a sandbox on a free port."""
    child = processes.start(
        "sandbox",
        [sys.executable, "-m", "sandbox", "--port", "0", *options],
        ready=r"sandbox listening on (?P<url>http://127\.0\.0\.1:\d+/verification)",
    )
    assert child.ready
    return Sandbox(child.ready["url"], child.log)


@pytest.fixture
def sandbox(processes: Supervisor, sandbox_options: tuple[str, ...]) -> Sandbox:
    """A new sandbox; its `url` is a value for the setting of the vendor's base URL."""
    return start_sandbox(processes, *sandbox_options)


@pytest.fixture(autouse=True)
def closed_harnesses() -> Iterator[None]:
    """Close the connections of every harness: one test process makes hundreds of them."""
    yield
    while OPEN_HARNESSES:
        OPEN_HARNESSES.pop().close()


@pytest.fixture
def harness(redis_url: str, sandbox: Sandbox) -> Harness:
    """A producer, the parts of a worker and the sandbox; the test runs each step."""
    return Harness(redis_url, sandbox.root)
