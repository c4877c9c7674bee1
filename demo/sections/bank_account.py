"""A bank account: the vendor asks the bank, and the answer comes later."""

from typing import Final

from demo.scene import Scene
from satyapan import State, Verification

TITLE: Final = "Bank account: the vendor asks the bank, and the answer comes later"
_REQUEST: Final = {"bank_account": "026291800001191", "ifsc": "YESB0000262", "name": "John Doe"}
_BANK_S: Final = 2
"""How long the sandbox's bank takes."""


def play(scene: Scene) -> None:
    """Submit an account, and let the vendor's time pass."""
    console = scene.console
    console.action("the shop submits a bank account")
    begun = scene.shop.submit("bank_account", _REQUEST, key="customer-17")
    scene.expect(begun, State.DONE, buys=("bank_account",))
    begun = scene.follow(begun, until=_accepted)
    if begun.state is State.PENDING:
        console.action("the bank answers: the sandbox's clock advances by two seconds")
        scene.stack.control("clock", {"advance_s": _BANK_S})
    ended = scene.follow(begun, from_here=True)
    scene.print_received(ended, "name_at_bank", "utr")
    scene.print_traffic(ended)
    scene.print_charges(ended)


def _accepted(verification: Verification) -> bool:
    """Return True if the vendor has accepted it, or never will."""
    return verification.state is State.PENDING or verification.settled
