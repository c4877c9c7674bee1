"""The words of docs/kinds.md for modes, recoveries and policies that no shipped kind may have."""

from dataclasses import replace
from itertools import product

import pytest

from config.kinds_page import facts
from config.validators import POLICIES
from satyapan.kinds import Registry
from satyapan.kinds.model import Mode, Recovery


def lost_answer(mode: Mode, recovery: Recovery, policy: str) -> str:
    passport = replace(Registry()["passport"], lost_answer=policy)
    operation = replace(passport.operation("cashfree"), mode=mode, recovery=recovery)
    return dict(facts(passport, operation))["a lost answer"]


@pytest.mark.parametrize(("mode", "recovery", "policy"), [*product(Mode, Recovery, POLICIES)])
def test_every_way_to_serve_a_kind_has_words(mode: Mode, recovery: Recovery, policy: str) -> None:
    words = lost_answer(mode, recovery, policy)

    unsafe = recovery in {Recovery.NONE, Recovery.REFERENCE}
    assert ("never repeated by itself" in words) == unsafe
    assert "{" not in words


def test_a_lost_link_is_mentioned_where_there_is_one() -> None:
    digilocker = Registry()["digilocker"]
    words = dict(facts(digilocker, digilocker.operation("cashfree")))["a lost answer"]

    assert "Its link, which no read returns, is bought again" in words
    assert "link" not in lost_answer(Mode.ASYNC, Recovery.READ, "park")


def test_a_call_that_the_vendor_would_repeat_is_said_not_to_be_repeated() -> None:
    kind = Registry()["pan_batch"]

    words = dict(facts(kind, kind.operation("cashfree")))["a lost answer"]

    assert "read by our id until the deadline" in words
    assert "never repeated by itself" in words
