"""The demo's scenario: one section after the other, then how each verification ended."""

from demo.console import Console
from demo.local_stack import LocalStack
from demo.scene import Scene
from demo.sections import (
    bank_account,
    digilocker,
    pan,
    passport,
    reverse_penny_drop,
    static_link,
)
from demo.sections.digilocker import JOURNEYS
from demo.summary import ScenarioOutcome


def run_scenario(stack: LocalStack, console: Console, journey: str) -> list[ScenarioOutcome]:
    """Run the sections on a stack; `journey` is what the person does in DigiLocker.

    Raises:
        StepTimeout, ChildFailed, SatyapanError: the demo can't continue.
    """
    scene = Scene(stack, console)
    sections = (
        (passport.TITLE, passport.play),
        (pan.TITLE, pan.play),
        (bank_account.TITLE, bank_account.play),
        (static_link.TITLE, static_link.play),
        (digilocker.TITLE, lambda each: digilocker.play(each, JOURNEYS[journey])),
        (reverse_penny_drop.TITLE, reverse_penny_drop.play),
    )
    for number, (title, play) in enumerate(sections, 1):
        console.section(f"{number}. {title}")
        play(scene)
    return scene.outcomes()
