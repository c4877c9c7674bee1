"""Build rows, answers and decisions for tests of the rules."""

from dataclasses import replace
from typing import Any, Final

from satyapan.kinds import Registry
from satyapan.kinds.model import Role
from satyapan.records import Row, State
from tests.support.made_up_kinds import MADE_UP
from worker.rules.answer import Answer, Outcome
from worker.rules.decide import decide
from worker.rules.model import Answered, Decision, Event, Policy

NOW: Final = 1_800_000_000_000
DAY: Final = 86_400_000
KINDS: Final = Registry(MADE_UP)
POLICY: Final = Policy(max_attempts=3, max_generations=2)


def row(kind: str, **changes: Any) -> Row:
    """Build a claimed row of a kind."""
    claimed = Row(id="v1", kind=kind, deadline=NOW + DAY, state=State.CLAIMED)
    return replace(claimed, **changes)


def sent(kind: str, **changes: Any) -> Row:
    """Build a row whose first call is sent."""
    return replace(row(kind), **{"state": State.SENT, "attempts": 1, **changes})


def journey(**changes: Any) -> Row:
    """Build a DigiLocker row whose person has the link."""
    base = row("digilocker", link="https://vendor/dgl/1", status="PENDING")
    return replace(base, state=State.PENDING, deadline=NOW + 4_200_000, **changes)


def decision(
    of: Row, event: Event, now: int = NOW, policy: Policy = POLICY, pace: int = 0
) -> Decision:
    """Decide, with the longest jitter."""
    return decide(of, event, now, KINDS[of.kind], policy, jitter=1.0, pace=pace)


def answered(outcome: Outcome, role: Role = Role.CREATE, **parts: Any) -> Answered:
    """Build an answer of the vendor; it states the status that its body has."""
    item = parts.pop("item", "")
    body = parts.get("body")
    status = str(body.get("status", "")) if body else ""
    return Answered(role, Answer(outcome=outcome, status=status, **parts), item)


def ok(body: dict[str, Any], reference: str = "") -> Answer:
    """Build a good reply, which states the status that its body has."""
    status = str(body.get("status", ""))
    return Answer(outcome=Outcome.OK, http=200, status=status, reference=reference, body=body)


def passport_answer(status: str) -> Answered:
    """Build a good answer about a passport."""
    body = {"verification_id": "v1", "reference_id": "7", "status": status}
    return answered(Outcome.OK, http=200, reference="7", body=body)


def status(word: str, **more: Any) -> Answered:
    """Build a good status read of a journey."""
    body = {"verification_id": "v1", "status": word, "user_details": {"name": "A"}, **more}
    return answered(Outcome.OK, Role.STATUS, http=200, body=body)
