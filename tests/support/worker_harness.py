"""Run the worker's own parts step by step, on a real server and the real sandbox.

Nothing is replaced; only Celery is left out, so that a test decides when a verification is
processed. The tests that want Celery too use `demo.local_stack`.
"""

import base64
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, Final

from config.redis_clients import ledger_client
from config.settings import Settings, read_settings
from satyapan import Verification, Verifications
from satyapan.records import Row
from satyapan.sealing import new_key
from tests.support.fresh_examples import fresh_example
from worker.build import Parts, build

ID_KEY = base64.b64encode(bytes(range(32))).decode()
SEAL_KEY = new_key()


def environment(redis_url: str, vendor_url: str, **more: str) -> dict[str, str]:
    """Build the settings of a test installation."""
    return {
        "SATYAPAN_REDIS_URL": redis_url,
        "SATYAPAN_SEAL_KEYS": SEAL_KEY,
        "SATYAPAN_ID_KEY": ID_KEY,
        "SATYAPAN_CASHFREE_BASE_URL": vendor_url,
        "SATYAPAN_CASHFREE_CLIENT_ID": "sandbox-client",
        "SATYAPAN_CASHFREE_CLIENT_SECRET": "sandbox-secret",
        "SATYAPAN_CALLBACKS_PUBLIC_URL": "https://kyc.example.in",
        "SATYAPAN_CALLBACKS_TOKEN_KEYS": "k" * 40,
        "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.02",
        "SATYAPAN_WORKER_BACKOFF_CAP_S": "0.05",
        "SATYAPAN_WORKER_POLL_MIN_S": "0.02",
        "SATYAPAN_WORKER_POLL_MAX_S": "0.05",
        "SATYAPAN_WORKER_PROBE_S": "0.2",
        **more,
    }


class SandboxControl:
    """The sandbox's control routes."""

    def __init__(self, root: str) -> None:
        self._base = f"{root}/_control"

    def post(self, path: str, **body: Any) -> Any:
        """Change something."""
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return self._open(urllib.request.Request(f"{self._base}/{path}", data, headers))

    def get(self, path: str) -> Any:
        """Read something."""
        return self._open(urllib.request.Request(f"{self._base}/{path}"))

    def charges(self, *kinds: str) -> list[Mapping[str, Any]]:
        """List the charges, of some kinds or of all."""
        audit: list[Mapping[str, Any]] = self.get("audit")["audit"]
        return [entry for entry in audit if not kinds or entry["charge"] in kinds]

    def _open(self, request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return json.load(reply)


OPEN_HARNESSES: Final["list[Harness]"] = []
"""Harnesses whose connections are open; the fixture in tests/conftest.py closes them."""


class Harness:
    """A producer, a worker's parts, and the sandbox's control."""

    def __init__(self, redis_url: str, vendor_root: str, **more: str) -> None:
        vendor_url = f"{vendor_root}/verification"
        self.env = environment(redis_url, vendor_url, **more)
        self.settings: Settings = read_settings(self.env)
        self.woken: list[tuple[str, tuple[str, ...]]] = []
        self.parts: Parts = build(self.settings, self.wake)
        self.verifications = Verifications(self.settings.producer)
        self.vendor = SandboxControl(vendor_root)
        self.redis: Any = ledger_client(self.settings, "test")
        OPEN_HARNESSES.append(self)

    def close(self) -> None:
        """Close the connections that the engine's threads would keep open for ever."""
        self.parts.ledger._redis.connection_pool.disconnect()
        self.redis.close()
        # A listener's thread may still read one of these: close only idle ones.
        ledger: Any = self.verifications._ledger
        ledger._redis.connection_pool.disconnect(inuse_connections=False)
        run: Any = self.parts.engine._run
        for vendor in run.__self__._tools.vendors.values():
            vendor._wire._adapter.close()

    def wake(self, task: str, ids: Any) -> bool:
        """Record a wake-up instead of sending it."""
        self.woken.append((task, tuple(ids)))
        return True

    def sweep(self) -> None:
        """Sweep once: deal slots, and record the wake-ups of due rows."""
        self.parts.sweep.once()

    def submit(
        self, kind: str, key: str = "k", operation: str | None = None, **request: Any
    ) -> str:
        """Submit a verification, by default the kind's example; return its id."""
        sent = request or self.example(kind)
        return self.verifications.submit(kind, sent, key=key, operation=operation).id

    def example(self, kind: str) -> Mapping[str, Any]:
        """Return a request that the vendor's test data answers."""
        return fresh_example(self.parts.kinds[kind])

    def read(self, verification_id: str) -> Verification:
        """Read a verification that must exist."""
        found = self.verifications.get(verification_id)
        assert found is not None
        return found

    def row(self, verification_id: str) -> Row:
        """Read the row of a verification."""
        found = self.parts.ledger.read(verification_id)
        assert found is not None
        return found

    def run_once(self, verification_id: str) -> Verification:
        """Run a verification once, as a wake-up would."""
        self.parts.engine.run(verification_id)
        return self.read(verification_id)

    def hurry(self, verification_id: str) -> None:
        """Make a verification due now that waits for its next attempt."""
        self.redis.hset(self.parts.ledger.keys.row(verification_id), "due", 1)
        self.redis.zadd(self.parts.ledger.keys.due, {verification_id: 1})

    def settle(
        self, verification_id: str, within_s: float = 60.0, *, hurried: bool = False
    ) -> Verification:
        """Run a verification repeatedly until it is settled; hurried: without its waits."""
        end = time.monotonic() + within_s
        while not (found := self.run_once(verification_id)).settled:
            assert time.monotonic() < end, f"{found} is not settled"
            if hurried:
                self.hurry(verification_id)
            self.parts.admission.limiter.deal()
            time.sleep(0.01)
        return found

    def changes(self, group: str = "test") -> list[str]:
        """List the names of the new events of a group."""
        return [event.name for event in self.verifications.events(group, block=0.01)]
