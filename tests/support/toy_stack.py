"""An installation for the toy kinds, which its processes know only by SATYAPAN_KINDS.

The kinds are in tests/support/toy_kinds, the vendor's side of them in tests/support/toy_operations.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from demo.local_stack import LocalStack
from satyapan import Verification, Verifications
from satyapan.cli.main import main
from satyapan.kinds import Kind, Registry
from tests.support.project import ROOT

NAMES: Final = ("toy_pan", "toy_pan_check", "toy_account", "toy_pay")
PLACES: Final = tuple(f"tests.support.toy_kinds.{name}:{name.upper()}" for name in NAMES)
ROUTES: Final = (*NAMES, "toy_pan_check_read", "toy_account_read", "toy_pay_read")
PLENTY: Final = 1_000_000
OPERATIONS: Final = ("--operations", str(ROOT / "tests" / "support" / "toy_operations"))
"""The option by which the sandbox loads the toy operations."""


def toy_kinds() -> dict[str, Kind]:
    """Load the toy kinds, by name."""
    known = Registry.with_plugins(PLACES)
    return {name: known[name] for name in NAMES}


def toy_stack(folder: Path) -> LocalStack:
    """Build the installation; its waits are short, and no quota or breaker is in the way."""
    return LocalStack(
        folder,
        env={
            "SATYAPAN_KINDS": ",".join(PLACES),
            "SATYAPAN_QUOTA_PER_MINUTE": ",".join(f"{route}={PLENTY}" for route in ROUTES),
            "SATYAPAN_LOG_LEVEL": "DEBUG",
            "SATYAPAN_CALLBACKS_OPS_BIND": "public",
        },
        worker_env={
            "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.05",
            "SATYAPAN_WORKER_POLL_MIN_S": "0.5",
            "SATYAPAN_BREAKER_CALLS": "100000",
            "SATYAPAN_BREAKER_IN_A_ROW": "100000",
        },
        sandbox_args=[*OPERATIONS, *(f"--quota={route}={PLENTY}" for route in ROUTES)],
    )


@dataclass(frozen=True)
class Toys:
    """A running installation, and short words for what the tests do with it."""

    stack: LocalStack

    @cached_property
    def producer(self) -> Verifications:
        """Return the producer's client."""
        return self.stack.verifications()

    def submit(self, kind: str, name: str, /, **changes: Any) -> Verification:
        """Submit the kind's example with some fields changed, under the id `name`."""
        request = {**toy_kinds()[kind].example, **changes}
        return self.producer.submit(kind, request, verification_id=name)

    def end(self, name: str) -> Verification:
        """Wait until a verification is settled."""
        return self.producer.wait(name, timeout=30)

    def ended(self, kind: str, name: str, /, **changes: Any) -> Verification:
        """Submit, and wait for the end."""
        self.submit(kind, name, **changes)
        return self.end(name)

    def read(self, name: str) -> Verification:
        """Read a verification that must exist."""
        found = self.producer.get(name)
        assert found is not None
        return found

    def vendor_id(self, kind: str, name: str, generation: int = 1) -> str:
        """Return the id by which the vendor knows a verification."""
        return toy_kinds()[kind].operation("cashfree").vendor_id(name, generation)

    def charges(self, charge: str, vendor_id: str | None = None) -> int:
        """Count the vendor's charges: all of a kind, or those of an id."""
        audit = self.stack.control("audit")["audit"]
        return sum(
            entry["charge"] == charge and vendor_id in {None, entry["verification_id"]}
            for entry in audit
        )

    def calls(self, route: str) -> list[Mapping[str, Any]]:
        """List the calls of a route, as the vendor saw them."""
        return [call for call in self.stack.control("calls")["calls"] if call["route"] == route]

    def fault(self, route: str, **fault: Any) -> None:
        """Let the vendor fail at the next call of a route."""
        self.stack.control("faults", {"route": route, **fault})

    def webhooks(self, **behaviour: Any) -> None:
        """Change how the vendor's webhooks are delivered."""
        self.stack.control("webhooks", behaviour)

    def changes(self, name: str) -> list[str]:
        """List the events about a verification, in order."""
        events = self.producer.events(f"group of {name}", block=0.05)
        return [event.name for event in events if event.verification_id == name]

    def satyapan(self, *words: str, code: int | None = 0) -> str:
        """Run the command line, and return what it prints; a `code` of None is any."""
        done = CliRunner().invoke(main, words, env=self.stack.env)
        assert code in {None, done.exit_code}, done.output
        return done.output

    def inbox(self, name: str) -> list[str]:
        """List the states of the stored webhooks that were found to be about a verification."""
        lines = self.satyapan("inbox", "--limit", "1000", "--json").splitlines()
        kept = [json.loads(line) for line in lines if line.startswith("{")]
        return [each["state"] for each in kept if each["verification_id"] == name]
