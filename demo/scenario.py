"""The demo's scenario: three verifications, printed as they proceed, then checked by the audit.

Acts as producers (through `satyapan`) and as people with browsers, and reads the sandbox's audit.
Workers are observed from outside only.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from demo.console import Console
from demo.local_stack import LocalStack
from demo.person import Person
from demo.summary import ScenarioOutcome, charges_of
from satyapan import State, Verification, Verifications, linked, settled
from satyapan.ids import generation_id
from satyapan.kinds import Registry

PATIENCE_S: Final = 90.0
"""Most seconds for one step: longer than the delay after two workers killed in a row."""
_LOOK_S: Final = 0.02
_LINK_LIFE_S: Final = 600
_TEMPLATE: Final = "Aadhaar_verification"
_DOCUMENTS: Final = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_KINDS: Final = Registry()


class StepTimeout(Exception):
    """A step of the scenario did not complete in time."""


@dataclass(frozen=True)
class JourneyScript:
    """What the scripted person does on the consent page, and the expected state."""

    decision: str
    consent: tuple[str, ...]
    expected: State


JOURNEYS: Final[Mapping[str, JourneyScript]] = {
    "allow": JourneyScript("allow", _DOCUMENTS, State.DONE),
    "some": JourneyScript("allow", ("PAN",), State.DONE),
    "deny": JourneyScript("deny", (), State.DENIED),
    "expire": JourneyScript("", (), State.EXPIRED),
}


@dataclass(frozen=True)
class _Entry:
    producer: Verifications
    id: str
    expected: State
    buys: tuple[str, ...] = ()
    charged_to: str = ""
    label: str = ""


class Scenario:
    """Runs the verifications on a stack; `run` returns how each ended."""

    def __init__(self, stack: LocalStack, console: Console, journey: str) -> None:
        self._stack = stack
        self._console = console
        self._journey = JOURNEYS[journey]
        self._person = Person()
        self._entries: list[_Entry] = []

    def run(self) -> list[ScenarioOutcome]:
        """Run the three sections.

        Raises:
            StepTimeout, ChildFailed, SatyapanError: the demo can't continue.
        """
        shop = self._stack.verifications("shop")
        self._passport(shop)
        self._static_link(shop, self._stack.verifications("branch"))
        self._digilocker(shop)
        return self._outcomes()

    # ---- a passport ----

    def _passport(self, shop: Verifications) -> None:
        console = self._console
        console.section("1. Passport: one paid call, answered at once")
        request = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"}
        console.action("the shop submits a passport under its own key, customer-17")
        first = shop.submit("passport", request, key="customer-17")
        self._expect(shop, first.id, State.DONE, buys=("passport",))
        ended = self._follow(shop, first)
        console.action("the shop submits the same again")
        again = shop.submit("passport", request, key="customer-17")
        self._check(again == ended, "the same verification, the same answer")
        self._print_charges(first.id)

    # ---- a link for many ----

    def _static_link(self, shop: Verifications, branch: Verifications) -> None:
        console = self._console
        console.section("2. Static KYC link: one link and picture for many people")
        console.action(f"the shop asks for the link of the template {_TEMPLATE}")
        link = self._ask_for_link(shop, "shop", buys=("static_link",))
        if link.state is not State.DONE:
            return
        picture = link.picture("qr_code")
        place = self._stack.folder / "kyc-link.png"
        place.write_bytes(picture)
        console.note(f"the link: {link.link}")
        console.note(f"its QR picture: {len(picture)} bytes of PNG, {place.name}")
        console.action("another producer, the branch, asks for the same template")
        shared = self._ask_for_link(branch, "branch", label="shared")
        self._check(shared.link == link.link, "the same link, from the ledger")
        self._print_charges(_TEMPLATE)
        self._visitor(link.link, {"shop": (shop, link.id), "branch": (branch, shared.id)})

    def _ask_for_link(
        self, producer: Verifications, name: str, buys: tuple[str, ...] = (), label: str = ""
    ) -> Verification:
        request = {"template_name": _TEMPLATE}
        link = producer.submit("static_kyc_link", request, key=f"link of the {name}")
        charged_to = _TEMPLATE if buys else ""
        self._expect(producer, link.id, State.DONE, buys=buys, charged_to=charged_to, label=label)
        return self._follow(producer, link)

    def _visitor(self, link: str, askers: Mapping[str, tuple[Verifications, str]]) -> None:
        console = self._console
        page = self._person.open(link)
        console.action(f"a visitor opens the link: {page.title!r}, fills it in and sends it")
        self._person.send(page, {"name": "Asha Namuna", "phone": "9000000001"})
        for name, (producer, asked) in askers.items():
            visit = self._await_visit(producer, asked)
            self._expect(producer, visit, State.DONE, label="visitor")
            console.success(f"the {name} has an event: a visitor is verified ({visit})")

    def _await_visit(self, producer: Verifications, asked: str) -> str:
        """Wait for the event that ends a visit; return the id of the visitor's own record."""
        found: list[str] = []

        def received() -> bool:
            events = producer.events("demo-scenario", block=0.2)
            found.extend(
                e.verification_id for e in events if e.parent == asked and e.name == "done"
            )
            return bool(found)

        self._until(received, "the event of a visitor")
        return found[0]

    # ---- a journey ----

    def _digilocker(self, shop: Verifications) -> None:
        console, journey = self._console, self._journey
        console.section("3. DigiLocker: a person has to consent")
        console.action(f"the shop asks for {_listed(_DOCUMENTS)}")
        request = {"document_requested": list(_DOCUMENTS)}
        begun = shop.submit("digilocker", request, key="customer-17")
        documents = tuple(f"document {name}" for name in journey.consent)
        self._expect(shop, begun.id, journey.expected, buys=("digilocker", *documents))
        begun = self._follow(shop, begun, until=linked)
        if begun.link:
            console.note(f"the link for the person: {begun.link}")
            self._act(begun.link)
        ended = self._follow(shop, begun, from_here=True)
        self._print_documents(ended, journey)
        self._print_traffic(ended)

    def _act(self, link: str) -> None:
        """Act as the person, with a browser."""
        console, journey = self._console, self._journey
        page = self._person.open(link)
        console.action(f"the person opens it: {page.title!r}")
        if not journey.decision:
            console.action("and does nothing; the sandbox's clock advances by ten minutes")
            self._stack.control("clock", {"advance_s": _LINK_LIFE_S + 1})
            return
        choice = f"allows {_listed(journey.consent)}" if journey.consent else "declines"
        form = {"decision": journey.decision, "documents": journey.consent}
        after = self._person.send(page, form)
        console.action(f"the person {choice}, and is sent back to our return page: {after.title!r}")
        if not (after.good and after.url.startswith(self._stack.callbacks_url)):
            self._console.failure(f"that is not one of our pages (HTTP {after.status})")

    def _print_documents(self, ended: Verification, journey: JourneyScript) -> None:
        documents: Mapping[str, Any] = (ended.result or {}).get("documents", {})
        if documents:
            self._console.note(f"documents fetched: {_listed(tuple(documents))}")
        if ended.state is State.DONE:
            good = set(documents) == set(journey.consent)
            self._check(good, "exactly what the person consented to")

    def _print_traffic(self, ended: Verification) -> None:
        """Print what the vendor saw, from its own records."""
        ids = {generation_id(ended.id, number + 1) for number in range(ended.generation)}
        hooks = self._stack.control("webhooks")["webhooks"]
        calls = self._stack.control("calls")["calls"]
        delivered = sum(h["verification_id"] in ids and h["state"] == "delivered" for h in hooks)
        reads = sum(
            c["verification_id"] in ids and c["route"] == "digilocker_status" for c in calls
        )
        self._console.note(
            f"seen by the vendor: webhooks delivered: {delivered}, status reads: {reads}"
        )

    # ---- following and judging ----

    def _expect(  # the arguments are the entry's fields
        self,
        producer: Verifications,
        verification_id: str,
        expected: State,
        *,
        buys: tuple[str, ...] = (),
        charged_to: str = "",
        label: str = "",
    ) -> None:
        charged_to = charged_to or verification_id
        self._entries.append(_Entry(producer, verification_id, expected, buys, charged_to, label))

    def _follow(
        self,
        producer: Verifications,
        begun: Verification,
        *,
        until: Callable[[Verification], bool] = settled,
        from_here: bool = False,
    ) -> Verification:
        """Print each new state of a verification, until the condition holds."""
        now = begun
        if not from_here:
            self._print_state(begun, None)

        def arrived() -> bool:
            nonlocal now
            before, now = now, producer.get(begun.id) or now
            if now.state is not before.state:
                self._print_state(now, before)
            return until(now)

        self._until(arrived, f"the next step of {begun.id}")
        return now

    def _print_state(self, now: Verification, before: Verification | None) -> None:
        if before and now.attempts > before.attempts and now.state is not State.SENT:
            self._console.note("sent to the vendor")  # and answered between two reads
        words = _STATE_TEXTS.get(now.state)
        if words:
            self._console.note(f"{words}{f' ({now.reason})' if now.reason else ''}")
        elif now.settled:
            label = _KINDS[now.kind].labels.get(now.status, now.reason)
            text = f"{now.state}{f', {now.status}' if now.status else ''}: {label}"
            good = now.state not in {State.PARKED, State.LOST, State.FAILED, State.REFUSED}
            self._console.check(text.removesuffix(": "), good=good)

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait, and restart children that end meanwhile."""
        end = time.monotonic() + PATIENCE_S
        while not happened():
            for name in self._stack.restart_ended():
                self._console.failure(
                    f"{name} ended and was restarted (pid {self._stack.pid(name)})"
                )
            if time.monotonic() > end:
                raise StepTimeout(f"{what} did not come within {PATIENCE_S:.0f} s")
            time.sleep(_LOOK_S)

    def _check(self, good: bool, text: str) -> None:  # noqa: FBT001 - the checked condition
        self._console.check(text if good else f"false: {text}", good=good)

    def _print_charges(self, charged_to: str) -> None:
        charges = charges_of(self._stack.control("audit")["audit"]).get(charged_to, {})
        times = sum(charges.values())
        self._check(times == 1, f"charged once, says the vendor's audit ({times})")

    def _outcomes(self) -> list[ScenarioOutcome]:
        charges = charges_of(self._stack.control("audit")["audit"])
        found = ((entry, entry.producer.get(entry.id)) for entry in self._entries)
        return [_outcome(entry, now, charges) for entry, now in found if now is not None]


def _outcome(
    entry: _Entry, now: Verification, charges: Mapping[str, Mapping[str, int]]
) -> ScenarioOutcome:
    """Compare a verification, with all its generations, to what was charged."""
    buys, paid = list(entry.buys), dict(charges.get(entry.charged_to, {}))
    for number in range(2, now.generation + 1):
        renewed = f" (generation {number})"
        buys.append(entry.buys[0] + renewed)
        for name, count in charges.get(generation_id(now.id, number), {}).items():
            paid[name + (renewed if name == entry.buys[0] else "")] = count
    return ScenarioOutcome(now, entry.expected, tuple(buys), paid, entry.label)


_STATE_TEXTS: Final = {
    State.ACCEPTED: "accepted: stored in the ledger",
    State.SENT: "sent to the vendor",
    State.PENDING: "waits for the person",
    State.UNKNOWN: "unknown whether the vendor executed the call; reading its status",
}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
