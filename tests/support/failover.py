"""A master, its replica, and an address that forwards new connections to one of them.

Open connections stay open when the address moves, to a server that is a replica then, as behind a
virtual address, a Kubernetes service, or a TCP proxy that drains.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import redis

from demo.server import HOST, EmbeddedServer
from tests.support.eventually import eventually
from tests.support.proxy import FaultProxy

_PAUSE_MS: Final = 5_000


class ReplicaPair:
    """Two servers in sync inside the block; starts a master unless one is given."""

    def __init__(self, folder: Path, master: EmbeddedServer | None = None) -> None:
        self._folder = folder
        self._given = master
        self._open = ExitStack()
        self.master: EmbeddedServer
        self.replica: EmbeddedServer
        self.address: FaultProxy

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            own = EmbeddedServer(self._folder / "master")
            self.master = self._given or opening.enter_context(own)
            self.replica = opening.enter_context(EmbeddedServer(self._folder / "replica"))
            self.address = opening.enter_context(FaultProxy(HOST, self.master.port))
            with connect_to(self.replica) as replica:
                replica.config_set("repl-diskless-sync-delay", "0")
            with connect_to(self.master) as master:
                master.config_set("repl-diskless-sync-delay", "0")
            self._follow(self.replica, self.master)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def url(self) -> str:
        """Address of database 0 of the current master."""
        return f"redis://{HOST}:{self.address.port}/0"

    def swap(self) -> float:
        """Promote the replica by hand, without loss; return when (monotonic)."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            old.client_pause(_PAUSE_MS, all=False)
            eventually(lambda: _offset(new) == _offset(old))
            new.replicaof("NO", "ONE")
            old.replicaof(HOST, str(self.replica.port))
            old.client_unpause()
        return self._moved()

    def fail_over(self) -> float:
        """Swap the two by FAILOVER; return when (monotonic)."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            old.execute_command("FAILOVER", "TO", HOST, self.replica.port)
            eventually(lambda: new.info("replication")["role"] == "master")
        return self._moved()

    def abandon(self) -> None:
        """Promote the replica; the old master becomes a replica of no server."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            eventually(lambda: _offset(new) == _offset(old))
            new.replicaof("NO", "ONE")
            old.replicaof(HOST, "1")
        self.move()

    def move(self) -> None:
        """Forward new connections to the other server."""
        self.master, self.replica = self.replica, self.master
        self.address.forward_to(HOST, self.master.port)

    def _moved(self) -> float:
        self.move()
        return time.monotonic()

    def _follow(self, replica: EmbeddedServer, master: EmbeddedServer) -> None:
        with connect_to(replica) as client:
            client.replicaof(HOST, str(master.port))
            eventually(lambda: client.info("replication")["master_link_status"] == "up")


def connect_to(server: EmbeddedServer) -> Any:
    """Build a client of a server itself."""
    return redis.Redis.from_url(server.url)


def _offset(client: Any) -> int:
    found = client.info("replication")
    return int(found["slave_repl_offset" if found["role"] == "slave" else "master_repl_offset"])
