"""A master, its replica, and an address that leads new connections to one of the two.

Connections that are open when the address moves stay open, to a server that is a replica by then,
as behind a virtual address, a Kubernetes service, or a TCP proxy that drains.
"""

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

import redis

from demo.server import HOST, EmbeddedServer
from tests.support.eventually import eventually
from tests.support.proxy import Proxy

_PAUSE_MS: Final = 5_000


class ReplicaPair:
    """Two servers in sync inside the block; the master is started if none is given."""

    def __init__(self, folder: Path, master: EmbeddedServer | None = None) -> None:
        self._folder = folder
        self._given = master
        self._open = ExitStack()
        self.master: EmbeddedServer
        self.replica: EmbeddedServer
        self.address: Proxy

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            own = EmbeddedServer(self._folder / "master")
            self.master = self._given or opening.enter_context(own)
            self.replica = opening.enter_context(EmbeddedServer(self._folder / "replica"))
            self.address = opening.enter_context(Proxy(HOST, self.master.port))
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
        """Address of the master's database 0, whichever of the two it is."""
        return f"redis://{HOST}:{self.address.port}/0"

    def swap(self) -> float:
        """Promote the replica by hand, without loss; returns when (monotonic) it was done."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            old.client_pause(_PAUSE_MS, all=False)
            eventually(lambda: _offset(new) == _offset(old))
            new.replicaof("NO", "ONE")
            old.replicaof(HOST, str(self.replica.port))
            old.client_unpause()
        return self._moved()

    def fail_over(self) -> float:
        """Let the two change places by FAILOVER; returns when (monotonic) it was done."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            old.execute_command("FAILOVER", "TO", HOST, self.replica.port)
            eventually(lambda: new.info("replication")["role"] == "master")
        return self._moved()

    def abandon(self) -> None:
        """Promote the replica; the old master follows nobody, and so knows nothing new."""
        with connect_to(self.master) as old, connect_to(self.replica) as new:
            eventually(lambda: _offset(new) == _offset(old))
            new.replicaof("NO", "ONE")
            old.replicaof(HOST, "1")
        self.move()

    def move(self) -> None:
        """Lead new connections to the other server, whatever the two are."""
        self.master, self.replica = self.replica, self.master
        self.address.lead_to(HOST, self.master.port)

    def _moved(self) -> float:
        self.move()
        return time.monotonic()

    def _follow(self, replica: EmbeddedServer, master: EmbeddedServer) -> None:
        with connect_to(replica) as client:
            client.replicaof(HOST, str(master.port))
            eventually(lambda: client.info("replication")["master_link_status"] == "up")


def connect_to(server: EmbeddedServer) -> Any:
    """Talk to a server itself."""
    return redis.Redis.from_url(server.url)


def _offset(client: Any) -> int:
    found = client.info("replication")
    return int(found["slave_repl_offset" if found["role"] == "slave" else "master_repl_offset"])
