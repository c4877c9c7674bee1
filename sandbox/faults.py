"""Faults on demand: which call gets which fault. What a fault does is in ``sandbox.shaping``."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.errors import BadControl
from sandbox.wanted import NONE, NUMBER, TEXT, check

CUTS = ("before_status", "in_headers", "in_body")
ANY_ROUTE = "*"


@dataclass(frozen=True)
class Fault:
    """One fault; the fields are those of the control route.

    ``executed`` None means: an error or a redirect comes instead of the execution, any other fault
    after it.
    """

    status: int | None = None
    code: str | None = None
    type: str | None = None
    message: str | None = None
    example: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    latency_ms: int = 0
    cut: str | None = None
    garbled: bool = False
    foreign_id: bool | str = False
    """True for every id in the answer, or the name of one field."""
    oversized: int = 0
    wrong_content_type: str | None = None
    redirect: str | None = None
    executed: bool | None = None

    @property
    def replaces_answer(self) -> bool:
        """Tell whether the answer is the fault's own."""
        return self.status is not None or self.example is not None or self.redirect is not None

    @property
    def executes(self) -> bool:
        """Tell whether the operation is carried out."""
        return not self.replaces_answer if self.executed is None else self.executed

    @property
    def spoils(self) -> bool:
        """Tell whether the caller does not get the operation's own answer intact."""
        return bool(
            self.replaces_answer
            or self.cut
            or self.garbled
            or self.foreign_id
            or self.oversized
            or self.wrong_content_type
            or not self.executes
        )

    @property
    def label(self) -> str:
        """Return the names of the fields that are set, for the record of calls."""
        return ",".join(each.name for each in fields(self) if getattr(self, each.name))


@dataclass
class _Plan:
    fault: Fault
    times: int | None
    probability: float
    dice: random.Random

    def hits(self) -> bool:
        return self.probability >= 1 or self.dice.random() < self.probability


class Faults:
    """Queues of faults by route, used up in the order in which they came."""

    def __init__(self) -> None:
        """Start without any."""
        self._plans: list[tuple[str, _Plan]] = []
        self._lock = threading.Lock()

    def add(
        self,
        route: str,
        fault: Fault,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int | None = None,
    ) -> None:
        """Queue ``fault`` for ``times`` calls (None: for ever) on ``route`` or on any route."""
        plan = _Plan(fault, times, probability, random.Random(seed))  # noqa: S311 - test dice
        with self._lock:
            self._plans.append((route, plan))

    def take(self, route: str) -> Fault | None:
        """Return the fault for a call on ``route``, if one hits, and use it up."""
        with self._lock:
            for index, (where, plan) in enumerate(self._plans):
                if where in (route, ANY_ROUTE) and plan.hits():
                    if plan.times is not None:
                        plan.times -= 1
                        if plan.times <= 0:
                            del self._plans[index]
                    return plan.fault
        return None

    def waiting(self) -> int:
        """Return how many plans are not used up."""
        with self._lock:
            return len(self._plans)

    def reset(self) -> None:
        """Drop all faults."""
        with self._lock:
            self._plans.clear()


def parse_plan(body: Mapping[str, Any]) -> tuple[Fault, Mapping[str, Any]]:
    """Return the fault that a control request describes and when it hits, or raise BadControl."""
    check(body, FAULT_FIELDS | PLAN_FIELDS)
    plan = {name: body[name] for name in PLAN_FIELDS if name in body}
    fault = Fault(**{name: body[name] for name in FAULT_FIELDS if name in body})
    if fault.cut is not None and fault.cut not in CUTS:
        raise BadControl(f"cut must be refuse or one of {', '.join(CUTS)}")
    if not fault.executes and not (fault.replaces_answer or fault.cut):
        raise BadControl("executed false needs a status, an example, a redirect or a cut")
    times, probability = plan.get("times"), plan.get("probability", 1)
    if (times is not None and times < 1) or not 0 <= probability <= 1:
        raise BadControl("times must be 1 or more (null: for ever), probability from 0 to 1")
    return fault, plan


PLAN_FIELDS: dict[str, tuple[type, ...]] = {
    "times": (int, NONE),
    "probability": NUMBER,
    "seed": (int, NONE),
}
FAULT_FIELDS: dict[str, tuple[type, ...]] = {
    "status": (int, NONE),
    "code": TEXT,
    "type": TEXT,
    "message": TEXT,
    "example": TEXT,
    "headers": (dict,),
    "latency_ms": (int,),
    "cut": TEXT,
    "garbled": (bool,),
    "foreign_id": (bool, str),
    "oversized": (int,),
    "wrong_content_type": TEXT,
    "redirect": TEXT,
    "executed": (bool, NONE),
}
