"""What the sections of the scenario use: the stack, the person, and how verifications are followed.

Acts as producers (through `satyapan`) and as people with browsers, and reads the sandbox's audit.
Workers are observed from outside only.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from demo.console import Console
from demo.local_stack import LocalStack
from demo.person import Page, Person
from demo.summary import ScenarioOutcome, charges_of
from satyapan import State, Verification, Verifications, settled
from satyapan.kinds import Operation, Registry
from satyapan.kinds.model import Mode
from satyapan.records import VENDOR

PATIENCE_S: Final = 90.0
"""Most seconds for one step: longer than the delay after two workers killed in a row."""
_LOOK_S: Final = 0.02
_KINDS: Final = Registry()


class StepTimeout(Exception):
    """A step of the scenario did not complete in time."""


@dataclass(frozen=True)
class _Entry:
    producer: Verifications
    id: str
    expected: State
    buys: tuple[str, ...]
    charged_to: str
    label: str


class Scene:
    """One run of the scenario: prints verifications as they proceed, and judges how each ends."""

    def __init__(self, stack: LocalStack, console: Console) -> None:
        self.stack = stack
        self.console = console
        self.person = Person()
        self.shop = stack.verifications("shop")
        self._entries: list[_Entry] = []

    def expect(  # the arguments are the entry's fields
        self,
        begun: Verification,
        expected: State,
        *,
        buys: tuple[str, ...] = (),
        charged_to: str = "",
        label: str = "",
        producer: Verifications | None = None,
    ) -> None:
        """Note how a verification should end, and what the vendor should charge for it.

        `charged_to` is what the audit names instead of our id, where the vendor takes none.
        """
        to = charged_to or _vendor_id(begun)
        self._entries.append(_Entry(producer or self.shop, begun.id, expected, buys, to, label))

    def follow(
        self,
        begun: Verification,
        *,
        until: Callable[[Verification], bool] = settled,
        from_here: bool = False,
        producer: Verifications | None = None,
    ) -> Verification:
        """Print each new state of a verification, until the condition holds.

        Raises:
            StepTimeout: it doesn't hold in time.
        """
        now, reads = begun, producer or self.shop
        if not from_here:
            self._print_state(begun, None)

        def arrived() -> bool:
            nonlocal now
            before, now = now, reads.get(begun.id) or now
            if now.state is not before.state:
                self._print_state(now, before)
            return until(now)

        self.until(arrived, f"the next step of {begun.id}")
        return now

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait, and restart children that end meanwhile.

        Raises:
            StepTimeout: it doesn't happen in time.
        """
        end = time.monotonic() + PATIENCE_S
        while not happened():
            for name in self.stack.restart_ended():
                self.console.failure(f"{name} ended and was restarted (pid {self.stack.pid(name)})")
            if time.monotonic() > end:
                raise StepTimeout(f"{what} did not come within {PATIENCE_S:.0f} s")
            time.sleep(_LOOK_S)

    def check(self, good: bool, text: str) -> None:  # noqa: FBT001 - the checked condition
        """Print whether something holds."""
        self.console.check(text if good else f"false: {text}", good=good)

    def check_return(self, after: Page) -> None:
        """Complain if a person who was sent back did not arrive at one of our pages."""
        if not (after.good and after.url.startswith(self.stack.callbacks_url)):
            self.console.failure(f"that is not one of our pages (HTTP {after.status})")

    def print_charges(self, ended: Verification, charged_to: str = "") -> None:
        """Print how often the vendor charged for a verification; `charged_to` as in `expect`."""
        times = sum(self._charges().get(charged_to or _vendor_id(ended), {}).values())
        self.check(times == 1, f"charged once, says the vendor's audit ({times})")

    def print_traffic(self, ended: Verification) -> None:
        """Print what the vendor saw of a verification, from its own records."""
        operation = _operation(ended)
        ids = {_vendor_id(ended, number + 1) for number in range(ended.generation)}
        hooks = self.stack.control("webhooks")["webhooks"]
        delivered = sum(h["verification_id"] in ids and h["state"] == "delivered" for h in hooks)
        route = operation.status.name if operation.status else ""
        calls = self.stack.control("calls")["calls"]
        reads = sum(c["verification_id"] in ids and c["route"] == route for c in calls)
        self.console.note(
            f"seen by the vendor: webhooks delivered: {delivered}, status reads: {reads}"
        )

    def print_received(self, ended: Verification, *names: str) -> None:
        """Print which private fields a result has, without their values."""
        received = [name for name in names if (ended.result or {}).get(name)]
        if received:
            self.console.note(f"received, and private: {', '.join(received)}")

    def outcomes(self) -> list[ScenarioOutcome]:
        """Return how each expected verification ended."""
        charges = self._charges()
        found = ((entry, entry.producer.get(entry.id)) for entry in self._entries)
        return [_outcome(entry, now, charges) for entry, now in found if now is not None]

    def _charges(self) -> dict[str, dict[str, int]]:
        return charges_of(self.stack.control("audit")["audit"])

    def _print_state(self, now: Verification, before: Verification | None) -> None:
        if before and now.attempts > before.attempts and now.state is not State.SENT:
            self.console.note("sent to the vendor")  # and answered between two reads
        words = _WAITING_TEXTS[_operation(now).mode] if now.state is State.PENDING else ""
        words = words or _STATE_TEXTS.get(now.state, "")
        if words:
            self.console.note(f"{words}{f' ({now.reason})' if now.reason else ''}")
        elif now.settled:
            label = _KINDS[now.kind].labels.get(now.status, now.reason)
            text = f"{now.state}{f', {now.status}' if now.status else ''}: {label}"
            good = now.state not in {State.PARKED, State.LOST, State.FAILED, State.REFUSED}
            self.console.check(text.removesuffix(": "), good=good)


def _operation(verification: Verification) -> Operation:
    return _KINDS[verification.kind].operation(VENDOR)


def _vendor_id(verification: Verification, generation: int = 1) -> str:
    """Return the id by which the vendor knows a verification."""
    return _operation(verification).vendor_id(verification.id, generation)


def _outcome(
    entry: _Entry, now: Verification, charges: Mapping[str, Mapping[str, int]]
) -> ScenarioOutcome:
    """Compare a verification, with all its generations, to what was charged."""
    buys, paid = list(entry.buys), dict(charges.get(entry.charged_to, {}) if entry.buys else {})
    for number in range(2, now.generation + 1):
        renewed = f" (generation {number})"
        buys.append(entry.buys[0] + renewed)
        for name, count in charges.get(_vendor_id(now, number), {}).items():
            paid[name + (renewed if name == entry.buys[0] else "")] = count
    return ScenarioOutcome(now, entry.expected, tuple(buys), paid, entry.label)


_WAITING_TEXTS: Final[Mapping[Mode, str]] = {
    Mode.JOURNEY: "waits for the person",
    Mode.ASYNC: "the vendor is working on it",
    Mode.SYNC: "",
    Mode.RESOURCE: "",
}
_STATE_TEXTS: Final = {
    State.ACCEPTED: "accepted: stored in the ledger",
    State.SENT: "sent to the vendor",
    State.UNKNOWN: "unknown whether the vendor executed the call; reading its status",
}


def listed(names: tuple[str, ...]) -> str:
    """Write names one after the other."""
    return ", ".join(names)
