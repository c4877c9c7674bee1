"""DigiLocker: a person has to consent, then the documents are fetched."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from demo.scene import Scene, listed
from satyapan import State, Verification, linked

TITLE: Final = "DigiLocker: a person has to consent"
DOCUMENTS: Final = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_LINK_LIFE_S: Final = 600


@dataclass(frozen=True)
class JourneyScript:
    """What the scripted person does on the consent page, and the expected state."""

    decision: str
    consent: tuple[str, ...]
    expected: State


JOURNEYS: Final[Mapping[str, JourneyScript]] = {
    "allow": JourneyScript("allow", DOCUMENTS, State.DONE),
    "some": JourneyScript("allow", ("PAN",), State.DONE),
    "deny": JourneyScript("deny", (), State.DENIED),
    "expire": JourneyScript("", (), State.EXPIRED),
}


def play(scene: Scene, journey: JourneyScript) -> None:
    """Ask for documents, and act as the person."""
    console, shop = scene.console, scene.shop
    console.action(f"the shop asks for {listed(DOCUMENTS)}")
    begun = shop.submit("digilocker", {"document_requested": list(DOCUMENTS)}, key="customer-17")
    documents = tuple(f"document {name}" for name in journey.consent)
    scene.expect(begun, journey.expected, buys=("digilocker", *documents))
    begun = scene.follow(begun, until=linked)
    if begun.link:
        console.note(f"the link for the person: {begun.link}")
        _act(scene, begun.link, journey)
    ended = scene.follow(begun, from_here=True)
    _print_documents(scene, ended, journey)
    scene.print_traffic(ended)


def _act(scene: Scene, link: str, journey: JourneyScript) -> None:
    """Act as the person, with a browser."""
    console = scene.console
    page = scene.person.open(link)
    console.action(f"the person opens it: {page.title!r}")
    if not journey.decision:
        console.action("and does nothing; the sandbox's clock advances by ten minutes")
        scene.stack.control("clock", {"advance_s": _LINK_LIFE_S + 1})
        return
    choice = f"allows {listed(journey.consent)}" if journey.consent else "declines"
    form = {"decision": journey.decision, "documents": journey.consent}
    after = scene.person.send(page, form)
    console.action(f"the person {choice}, and is sent back to our return page: {after.title!r}")
    scene.check_return(after)


def _print_documents(scene: Scene, ended: Verification, journey: JourneyScript) -> None:
    documents: Mapping[str, Any] = (ended.result or {}).get("documents", {})
    if documents:
        scene.console.note(f"documents fetched: {listed(tuple(documents))}")
    if ended.state is State.DONE:
        good = set(documents) == set(journey.consent)
        scene.check(good, "exactly what the person consented to")
