"""A PAN: the vendor takes no id of ours, so an answer that is lost can't be asked for by one."""

from typing import Final

from demo.scene import Scene
from demo.summary import audit_digest
from satyapan import State

TITLE: Final = "PAN: the vendor takes no id of ours, and an error comes in place of the answer"
_REQUEST: Final = {"pan": "ABCPV1234D", "name": "JOHN DOE"}


def play(scene: Scene) -> None:
    """Let the paid call end in an error that names the vendor's reference."""
    console, digest = scene.console, audit_digest(_REQUEST)
    console.action("the vendor will execute the next PAN call, charge for it, and answer HTTP 500")
    scene.stack.control("faults", {"route": "pan", "status": 500, "executed": True})
    console.action("the shop submits a PAN")
    begun = scene.shop.submit("pan", _REQUEST, key="customer-17")
    scene.expect(begun, State.DONE, buys=("pan",), charged_to=digest)
    ended = scene.follow(begun)
    if ended.state is State.DONE:
        calls = [call["route"] for call in scene.stack.control("calls")["calls"]]
        counted = f"PAN calls: {calls.count('pan')}, reads: {calls.count('pan_read')}"
        console.note(f"read by the vendor's reference {ended.reference}, which the error named")
        console.note(f"seen by the vendor: {counted}")
    scene.print_charges(ended, digest)
