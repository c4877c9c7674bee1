"""The demo's story: three verifications, each told while it happens, then judged by the audit.

Acts as producers (through `satyapan`), as people with browsers, and reads the sandbox's audit.
What a worker does is only ever seen from outside.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from demo.person import Person
from demo.stage import Stage
from demo.summary import Outcome, charges_of
from demo.telling import Teller
from satyapan import State, Verification, Verifications, linked, settled
from satyapan.ids import generation_id
from satyapan.kinds import KINDS

PATIENCE_S: Final = 90.0
"""How long one step may take: longer than two workers killed in a row hold it up."""
_LOOK_S: Final = 0.02
_LINK_LIFE_S: Final = 600
_TEMPLATE: Final = "Aadhaar_verification"
_DOCUMENTS: Final = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_LABELS: Final = {kind.name: kind.labels for kind in KINDS}


class Stuck(Exception):
    """Something that had to happen did not happen in time."""


@dataclass(frozen=True)
class Journey:
    """What the scripted person does in the consent page, and how that must end."""

    decision: str
    consent: tuple[str, ...]
    told: State


JOURNEYS: Final[Mapping[str, Journey]] = {
    "allow": Journey("allow", _DOCUMENTS, State.DONE),
    "some": Journey("allow", ("PAN",), State.DONE),
    "deny": Journey("deny", (), State.DENIED),
    "expire": Journey("", (), State.EXPIRED),
}


@dataclass(frozen=True)
class _Entry:
    producer: Verifications
    id: str
    told: State
    buys: tuple[str, ...] = ()
    charged_to: str = ""
    label: str = ""


class Story:
    """Tells one story on a stage. `run` returns how each of its verifications ended."""

    def __init__(self, stage: Stage, teller: Teller, journey: str) -> None:
        self._stage = stage
        self._teller = teller
        self._journey = JOURNEYS[journey]
        self._person = Person()
        self._entries: list[_Entry] = []

    def run(self) -> list[Outcome]:
        """Tell the three chapters.

        Raises:
            Stuck, ChildFailed, SatyapanError: it can't go on.
        """
        shop = self._stage.verifications("shop")
        self._passport(shop)
        self._static_link(shop, self._stage.verifications("branch"))
        self._digilocker(shop)
        return self._outcomes()

    # ---- a passport ----

    def _passport(self, shop: Verifications) -> None:
        teller = self._teller
        teller.chapter("1. Passport: one paid call, answered at once")
        request = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"}
        teller.do("the shop submits a passport under its own key, customer-17")
        first = shop.submit("passport", request, key="customer-17")
        self._enter(shop, first.id, State.DONE, buys=("passport",))
        ended = self._follow(shop, first)
        teller.do("the shop submits the same again")
        again = shop.submit("passport", request, key="customer-17")
        self._judge(again == ended, "the same verification, the same answer")
        self._tell_charges(first.id)

    # ---- a link for many ----

    def _static_link(self, shop: Verifications, branch: Verifications) -> None:
        teller = self._teller
        teller.chapter("2. Static KYC link: one link and picture for many people")
        teller.do(f"the shop asks for the link of the template {_TEMPLATE}")
        link = self._ask_for_link(shop, "shop", buys=("static_link",))
        if link.state is not State.DONE:
            return
        picture = link.picture("qr_code")
        place = self._stage.folder / "kyc-link.png"
        place.write_bytes(picture)
        teller.see(f"the link: {link.link}")
        teller.see(f"its QR picture: {len(picture)} bytes of PNG, {place.name}")
        teller.do("another producer, the branch, asks for the same template")
        shared = self._ask_for_link(branch, "branch", label="shared")
        self._judge(shared.link == link.link, "the same link, from the ledger")
        self._tell_charges(_TEMPLATE)
        self._visitor(link.link, {"shop": (shop, link.id), "branch": (branch, shared.id)})

    def _ask_for_link(
        self, producer: Verifications, name: str, buys: tuple[str, ...] = (), label: str = ""
    ) -> Verification:
        request = {"template_name": _TEMPLATE}
        link = producer.submit("static_kyc_link", request, key=f"link of the {name}")
        charged_to = _TEMPLATE if buys else ""
        self._enter(producer, link.id, State.DONE, buys=buys, charged_to=charged_to, label=label)
        return self._follow(producer, link)

    def _visitor(self, link: str, askers: Mapping[str, tuple[Verifications, str]]) -> None:
        teller = self._teller
        page = self._person.open(link)
        teller.do(f"a visitor opens the link: {page.title!r}, fills it in and sends it")
        self._person.send(page, {"name": "Asha Namuna", "phone": "9000000001"})
        for name, (producer, asked) in askers.items():
            visit = self._hear_of_visit(producer, asked)
            self._enter(producer, visit, State.DONE, label="visitor")
            teller.good(f"the {name} is told: a visitor is through ({visit})")

    def _hear_of_visit(self, producer: Verifications, asked: str) -> str:
        """Wait for the event that ends a visit; returns the id of the visitor's own record."""
        found: list[str] = []

        def heard() -> bool:
            events = producer.events("story", block=0.2)
            found.extend(
                e.verification_id for e in events if e.parent == asked and e.name == "done"
            )
            return bool(found)

        self._until(heard, "the event of a visitor")
        return found[0]

    # ---- a journey ----

    def _digilocker(self, shop: Verifications) -> None:
        teller, journey = self._teller, self._journey
        teller.chapter("3. DigiLocker: a person has to consent")
        teller.do(f"the shop asks for {_listed(_DOCUMENTS)}")
        request = {"document_requested": list(_DOCUMENTS)}
        begun = shop.submit("digilocker", request, key="customer-17")
        documents = tuple(f"document {name}" for name in journey.consent)
        self._enter(shop, begun.id, journey.told, buys=("digilocker", *documents))
        begun = self._follow(shop, begun, until=linked)
        if begun.link:
            teller.see(f"the link for the person: {begun.link}")
            self._act(begun.link)
        ended = self._follow(shop, begun, from_here=True)
        self._tell_documents(ended, journey)
        self._tell_traffic(ended)

    def _act(self, link: str) -> None:
        """Be the person, as a browser would."""
        teller, journey = self._teller, self._journey
        page = self._person.open(link)
        teller.do(f"the person opens it: {page.title!r}")
        if not journey.decision:
            teller.do("and does nothing; ten minutes pass on the sandbox's clock")
            self._stage.control("clock", {"advance_s": _LINK_LIFE_S + 1})
            return
        choice = f"allows {_listed(journey.consent)}" if journey.consent else "declines"
        form = {"decision": journey.decision, "documents": journey.consent}
        after = self._person.send(page, form)
        teller.do(f"the person {choice}, and is sent back to our return page: {after.title!r}")
        if not (after.good and after.url.startswith(self._stage.callbacks_url)):
            self._teller.bad(f"that is no page of ours (HTTP {after.status})")

    def _tell_documents(self, ended: Verification, journey: Journey) -> None:
        documents: Mapping[str, Any] = (ended.result or {}).get("documents", {})
        if documents:
            self._teller.see(f"documents fetched: {_listed(tuple(documents))}")
        if ended.state is State.DONE:
            good = set(documents) == set(journey.consent)
            self._judge(good, "exactly what the person consented to")

    def _tell_traffic(self, ended: Verification) -> None:
        """Say what the vendor saw: its own record, not our word."""
        ids = {generation_id(ended.id, number + 1) for number in range(ended.generation)}
        hooks = self._stage.control("webhooks")["webhooks"]
        calls = self._stage.control("calls")["calls"]
        delivered = sum(h["verification_id"] in ids and h["state"] == "delivered" for h in hooks)
        reads = sum(
            c["verification_id"] in ids and c["route"] == "digilocker_status" for c in calls
        )
        self._teller.see(
            f"seen by the vendor: webhooks delivered: {delivered}, status reads: {reads}"
        )

    # ---- following and judging ----

    def _enter(  # the arguments are the entry's fields
        self,
        producer: Verifications,
        verification_id: str,
        told: State,
        *,
        buys: tuple[str, ...] = (),
        charged_to: str = "",
        label: str = "",
    ) -> None:
        charged_to = charged_to or verification_id
        self._entries.append(_Entry(producer, verification_id, told, buys, charged_to, label))

    def _follow(
        self,
        producer: Verifications,
        begun: Verification,
        *,
        until: Callable[[Verification], bool] = settled,
        from_here: bool = False,
    ) -> Verification:
        """Tell each state of a verification as it is seen, until it is what is waited for."""
        now = begun
        if not from_here:
            self._tell_state(begun, None)

        def arrived() -> bool:
            nonlocal now
            before, now = now, producer.get(begun.id) or now
            if now.state is not before.state:
                self._tell_state(now, before)
            return until(now)

        self._until(arrived, f"the next step of {begun.id}")
        return now

    def _tell_state(self, now: Verification, before: Verification | None) -> None:
        if before and now.attempts > before.attempts and now.state is not State.SENT:
            self._teller.see("sent to the vendor")  # and answered before we looked
        words = _WORDS.get(now.state)
        if words:
            self._teller.see(f"{words}{f' ({now.reason})' if now.reason else ''}")
        elif now.settled:
            label = _LABELS[now.kind].get(now.status, now.reason)
            text = f"{now.state}{f', {now.status}' if now.status else ''}: {label}"
            good = now.state not in {State.PARKED, State.LOST, State.FAILED, State.REFUSED}
            (self._teller.good if good else self._teller.bad)(text.removesuffix(": "))

    def _until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait, meanwhile replacing what has died."""
        end = time.monotonic() + PATIENCE_S
        while not happened():
            for name in self._stage.tend():
                self._teller.bad(f"{name} is gone; started it again (pid {self._stage.pid(name)})")
            if time.monotonic() > end:
                raise Stuck(f"{what} did not come within {PATIENCE_S:.0f} s")
            time.sleep(_LOOK_S)

    def _judge(self, good: bool, text: str) -> None:  # noqa: FBT001 - the one thing it is about
        (self._teller.good if good else self._teller.bad)(text if good else f"not so: {text}")

    def _tell_charges(self, charged_to: str) -> None:
        charges = charges_of(self._stage.control("audit")["audit"]).get(charged_to, {})
        times = sum(charges.values())
        self._judge(times == 1, f"charged once, says the vendor's audit ({times})")

    def _outcomes(self) -> list[Outcome]:
        charges = charges_of(self._stage.control("audit")["audit"])
        found = ((entry, entry.producer.get(entry.id)) for entry in self._entries)
        return [_outcome(entry, now, charges) for entry, now in found if now is not None]


def _outcome(entry: _Entry, now: Verification, charges: Mapping[str, Mapping[str, int]]) -> Outcome:
    """Judge a verification with all its generations: each is bought once, under its own id."""
    buys, paid = list(entry.buys), dict(charges.get(entry.charged_to, {}))
    for number in range(2, now.generation + 1):
        renewed = f" (generation {number})"
        buys.append(entry.buys[0] + renewed)
        for name, count in charges.get(generation_id(now.id, number), {}).items():
            paid[name + (renewed if name == entry.buys[0] else "")] = count
    return Outcome(now, entry.told, tuple(buys), paid, entry.label)


_WORDS: Final = {
    State.ACCEPTED: "accepted: it stands in the ledger and will reach an end",
    State.SENT: "sent to the vendor",
    State.PENDING: "waits for the person",
    State.UNKNOWN: "nobody knows whether the vendor did it; finding out",
}


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
