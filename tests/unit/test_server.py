"""Which server binary is started, and how; tests/integration/test_server.py starts one."""

from pathlib import Path

import pytest

from demo import server
from demo.server import ServerMissing, find_server, server_command


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a server. The returned folder is its PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(server.SETTING, raising=False)
    monkeypatch.setattr(server, "_packaged", lambda: None)
    return tmp_path


def install(folder: Path, name: str) -> str:
    binary = folder / name
    binary.touch(mode=0o755)
    return str(binary)


def test_without_any_server_the_error_names_the_setting(bare_machine: Path) -> None:
    with pytest.raises(
        ServerMissing, match=r"no Valkey or Redis server .* SATYAPAN_EMBEDDED_SERVER"
    ):
        find_server()


def test_the_packaged_server_comes_before_the_path(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bare_machine, "valkey-server")
    packaged = install(bare_machine, "packaged")
    monkeypatch.setattr(server, "_packaged", lambda: packaged)

    assert find_server() == packaged


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_the_path_is_used(bare_machine: Path, name: str) -> None:
    binary = install(bare_machine, name)

    assert find_server() == binary


def test_an_override_is_used_or_refused_but_never_ignored(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(bare_machine, "redis-server")
    override = install(bare_machine, "mine")

    assert find_server(override) == override
    monkeypatch.setenv(server.SETTING, "mine")
    assert find_server() == override
    with pytest.raises(ServerMissing, match="other is not an executable"):
        find_server("other")


def test_the_server_is_started_durable_and_without_eviction(tmp_path: Path) -> None:
    command = " ".join(server_command("redis-server", 4711, tmp_path))

    assert "--appendonly yes" in command
    assert "--appendfsync always" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--bind 127.0.0.1" in command
