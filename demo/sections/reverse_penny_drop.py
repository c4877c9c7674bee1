"""A reverse penny drop: a person pays one rupee, which shows whose account it came from."""

from typing import Final

from demo.scene import Scene, listed
from satyapan import State, Verification, linked

TITLE: Final = "Reverse penny drop: a person pays one rupee from the account"


def play(scene: Scene) -> None:
    """Ask for links to pay by, and act as the person."""
    console = scene.console
    console.action("the shop asks for links to pay by")
    begun = scene.shop.submit("reverse_penny_drop", {"name": "John Doe"}, key="customer-17")
    scene.expect(begun, State.DONE, buys=("reverse_penny_drop",))
    begun = scene.follow(begun, until=linked)
    if begun.link:
        _pay(scene, begun)
    ended = scene.follow(begun, from_here=True)
    scene.print_received(ended, "bank_account", "ifsc", "name_at_bank", "utr")
    scene.print_traffic(ended)
    scene.print_charges(ended)


def _pay(scene: Scene, begun: Verification) -> None:
    """Act as the person, with a browser."""
    console, page_url = scene.console, str(begun.handoff["url"])
    apps = tuple(name for name in begun.handoff if name not in {"qr_code", "url"})
    console.note(f"links for UPI apps: {listed(('upi_link', *apps))}")
    console.note(f"a QR picture: {len(begun.picture('qr_code'))} bytes of PNG")
    console.note(f"a page for browsers: {page_url}")
    page = scene.person.open(page_url)
    console.action(f"the person opens it: {page.title!r}")
    after = scene.person.send(page, {"decision": "pay"})
    console.action(f"the person pays, and is sent back to our return page: {after.title!r}")
    scene.check_return(after)
