"""Injected faults: which call gets which. Their effects are in ``sandbox.responses``."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.control_fields import NONE, NUMBER, TEXT, checked_fields
from sandbox.errors import BadControl

CUTS = ("before_status", "in_headers", "in_body")
ANY_ROUTE = "*"


@dataclass(frozen=True)
class InjectedFault:
    """One fault; the fields are those of the control route.

    With ``executed`` None an error or a redirect replaces the execution; any other fault follows
    it.
    """

    status: int | None = None
    code: str | None = None
    type: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    latency_ms: int = 0
    cut: str | None = None
    garbled: bool = False
    empty_body: bool = False
    """With status 404 this is how the vendor answers for a product that isn't enabled."""
    foreign_id: bool | str = False
    """True for every id in the answer, or the name of one field."""
    oversized: int = 0
    wrong_content_type: str | None = None
    redirect: str | None = None
    executed: bool | None = None

    @property
    def replaces_answer(self) -> bool:
        """Return True if the fault has an answer of its own."""
        return self.status is not None or self.redirect is not None

    @property
    def executes(self) -> bool:
        """Return True if the operation is executed."""
        return not self.replaces_answer if self.executed is None else self.executed

    @property
    def spoils_answer(self) -> bool:
        """Return True if the operation's own answer does not reach the caller intact."""
        return bool(
            self.replaces_answer
            or self.cut
            or self.garbled
            or self.empty_body
            or self.foreign_id
            or self.oversized
            or self.wrong_content_type
            or not self.executes
        )

    @property
    def label(self) -> str:
        """Return the names of the fields that are set, for the call's record."""
        return ",".join(each.name for each in fields(self) if getattr(self, each.name))


@dataclass
class _Plan:
    fault: InjectedFault
    times: int | None
    probability: float
    generator: random.Random

    def applies(self) -> bool:
        return self.probability >= 1 or self.generator.random() < self.probability


class Faults:
    """Faults by route, used up in the order in which they were added."""

    def __init__(self) -> None:
        """Start without faults."""
        self._plans: list[tuple[str, _Plan]] = []
        self._lock = threading.Lock()

    def add(
        self,
        route: str,
        fault: InjectedFault,
        *,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int | None = None,
    ) -> None:
        """Add ``fault`` for ``times`` calls (None: all) on ``route`` or on any route."""
        plan = _Plan(fault, times, probability, random.Random(seed))  # noqa: S311 - for tests
        with self._lock:
            self._plans.append((route, plan))

    def take(self, route: str) -> InjectedFault | None:
        """Return the fault for a call on ``route``, if one applies, and use it up."""
        with self._lock:
            for index, (planned_route, plan) in enumerate(self._plans):
                if planned_route in (route, ANY_ROUTE) and plan.applies():
                    if plan.times is not None:
                        plan.times -= 1
                        if plan.times <= 0:
                            del self._plans[index]
                    return plan.fault
        return None

    def waiting(self) -> int:
        """Return the number of faults that are not used up."""
        with self._lock:
            return len(self._plans)

    def reset(self) -> None:
        """Drop all faults."""
        with self._lock:
            self._plans.clear()


def parse_plan(body: Mapping[str, Any]) -> tuple[InjectedFault, Mapping[str, Any]]:
    """Return a control request's fault and when it applies, or raise BadControl."""
    checked_fields(body, FAULT_FIELDS | PLAN_FIELDS)
    plan = {name: body[name] for name in PLAN_FIELDS if name in body}
    fault = InjectedFault(**{name: body[name] for name in FAULT_FIELDS if name in body})
    if fault.cut is not None and fault.cut not in CUTS:
        raise BadControl(f"cut must be refuse or one of {', '.join(CUTS)}")
    if not fault.executes and not (fault.replaces_answer or fault.cut):
        raise BadControl("executed false needs a status, a redirect or a cut")
    times, probability = plan.get("times"), plan.get("probability", 1)
    if (times is not None and times < 1) or not 0 <= probability <= 1:
        raise BadControl("times must be 1 or more (null: all), probability from 0 to 1")
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
    "headers": (dict,),
    "latency_ms": (int,),
    "cut": TEXT,
    "garbled": (bool,),
    "empty_body": (bool,),
    "foreign_id": (bool, str),
    "oversized": (int,),
    "wrong_content_type": TEXT,
    "redirect": TEXT,
    "executed": (bool, NONE),
}
