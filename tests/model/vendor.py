"""The vendor of the simulated world: what it executed, charged and stored.

It behaves as the data of an operation says: whether a create call names our id, what a read is
asked by, who has to act. It shares no code with the rules under test.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from satyapan.kinds.model import Mode, Operation
from satyapan.records import State
from tests.support.decision_builders import ok
from worker.rules.answer import Answer, Outcome

TEMPLATE: Final = "the template"
"""What all charges for shared links are recorded under."""


@dataclass
class Stored:
    """What the vendor stored of one executed create call."""

    operation: Operation
    state: State
    reference: str
    undocumented: bool = False
    """True while its status is a word that no page of the vendor has."""

    @property
    def status(self) -> str:
        """Return the vendor's status word."""
        return "NEW" if self.undocumented else word(self.operation, self.state)

    @property
    def open(self) -> bool:
        """Return True while the vendor works on, or a person may act."""
        return self.state is State.PENDING


@dataclass
class Vendor:
    """Executes calls. A vendor-side id that a create call doesn't name is only the test's note."""

    charges: list[str] = field(default_factory=list)
    stored: dict[str, Stored] = field(default_factory=dict)
    """By vendor-side id: the first execution of each."""
    by_reference: dict[str, Stored] = field(default_factory=dict)
    references: int = 0

    def create(self, operation: Operation, vendor_id: str) -> Answer:
        """Execute a create call, and charge for it unless the id that it names is known."""
        if operation.create.id_param and vendor_id in self.stored:
            return Answer(outcome=Outcome.DUPLICATE, http=409)
        shared = operation.mode is Mode.RESOURCE
        self.charges.append(TEMPLATE if shared else vendor_id)
        later = operation.mode in {Mode.ASYNC, Mode.JOURNEY}
        new = Stored(operation, State.PENDING if later else State.DONE, self.new_reference())
        self.stored.setdefault(vendor_id, new)
        self.by_reference[new.reference] = new
        link = {operation.link_field: f"https://l/{len(self.charges)}"}
        return _reply(new, link if operation.link_field else {})

    def read(self, operation: Operation, vendor_id: str, reference: str) -> Answer:
        """Answer a status read, by the vendor's reference where the route is asked so."""
        assert operation.status
        by_reference = operation.status.by_reference
        assert reference or not by_reference, "a read by reference needs one"
        found = self.by_reference.get(reference) if by_reference else self.stored.get(vendor_id)
        if found is None:
            return Answer(outcome=Outcome.MISSING, http=404)
        items = {operation.items_field: ["PAN"]} if operation.items_field else {}
        return _reply(found, items if found.state is State.DONE else {})

    def new_reference(self) -> str:
        """Return a reference that no other call gets."""
        self.references += 1
        return f"r{self.references}"

    def expire_links(self) -> None:
        """Let the links of open journeys run out."""
        for each in self.stored.values():
            if each.open and each.operation.mode is Mode.JOURNEY:
                each.state = State.EXPIRED


def word(operation: Operation, state: State) -> str:
    """Return the vendor's first word for a state; "" if it has none."""
    return next((word for word, means in operation.status_map.items() if means is state), "")


def _reply(stored: Stored, more: dict[Any, Any]) -> Answer:
    return ok({"status": stored.status, **more}, stored.reference)
