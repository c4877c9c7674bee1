"""A passport: one paid call, answered at once, and asked for twice."""

from typing import Final

from demo.scene import Scene
from satyapan import State

TITLE: Final = "Passport: one paid call, answered at once"
_REQUEST: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01", "name": "John Doe"}


def play(scene: Scene) -> None:
    """Submit it, then submit the same again."""
    console, shop = scene.console, scene.shop
    console.action("the shop submits a passport under its own key, customer-17")
    first = shop.submit("passport", _REQUEST, key="customer-17")
    scene.expect(first, State.DONE, buys=("passport",))
    ended = scene.follow(first)
    console.action("the shop submits the same again")
    again = shop.submit("passport", _REQUEST, key="customer-17")
    scene.check(again == ended, "the same verification, the same answer")
    scene.print_charges(ended)
