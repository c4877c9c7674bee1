"""A static KYC link: created and paid for once, shared by producers, used by visitors."""

from collections.abc import Mapping
from typing import Final

from demo.scene import Scene
from satyapan import State, Verification, Verifications

TITLE: Final = "Static KYC link: one link and picture for many people"
_TEMPLATE: Final = "Aadhaar_verification"


def play(scene: Scene) -> None:
    """Ask for the link twice, then let a visitor use it."""
    console, shop, branch = scene.console, scene.shop, scene.stack.verifications("branch")
    console.action(f"the shop asks for the link of the template {_TEMPLATE}")
    link = _ask(scene, shop, "shop", buys=("static_link",))
    if link.state is not State.DONE:
        return
    picture = link.picture("qr_code")
    place = scene.stack.folder / "kyc-link.png"
    place.write_bytes(picture)
    console.note(f"the link: {link.link}")
    console.note(f"its QR picture: {len(picture)} bytes of PNG, {place.name}")
    console.action("another producer, the branch, asks for the same template")
    shared = _ask(scene, branch, "branch", label="shared")
    scene.check(shared.link == link.link, "the same link, from the ledger")
    scene.print_charges(link, _TEMPLATE)
    _visit(scene, link.link, {"shop": (shop, link.id), "branch": (branch, shared.id)})


def _ask(
    scene: Scene,
    producer: Verifications,
    name: str,
    *,
    buys: tuple[str, ...] = (),
    label: str = "",
) -> Verification:
    request = {"template_name": _TEMPLATE}
    link = producer.submit("static_kyc_link", request, key=f"link of the {name}")
    scene.expect(link, State.DONE, buys=buys, charged_to=_TEMPLATE, label=label, producer=producer)
    return scene.follow(link, producer=producer)


def _visit(scene: Scene, link: str, askers: Mapping[str, tuple[Verifications, str]]) -> None:
    page = scene.person.open(link)
    scene.console.action(f"a visitor opens the link: {page.title!r}, fills it in and sends it")
    scene.person.send(page, {"name": "Asha Namuna", "phone": "9000000001"})
    for name, (producer, asked) in askers.items():
        visit = _await_visit(scene, producer, asked)
        scene.expect(visit, State.DONE, label="visitor", producer=producer)
        scene.console.success(f"the {name} has an event: a visitor is verified ({visit.id})")


def _await_visit(scene: Scene, producer: Verifications, asked: str) -> Verification:
    """Wait for the event that ends a visit; return the visitor's own record."""
    found: list[Verification] = []

    def received() -> bool:
        for event in producer.events("demo-scenario", block=0.2):
            if event.parent == asked and event.name == "done":
                found.extend(filter(None, [producer.get(event.verification_id)]))
        return bool(found)

    scene.until(received, "the event of a visitor")
    return found[0]
