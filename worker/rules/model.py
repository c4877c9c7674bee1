"""The rules' input (events), their output (effects), and the policy they follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from satyapan.kinds.model import Kind, Mode, Operation, Recovery, Role
from satyapan.records import Row, State
from worker.rules.answer import Answer
from worker.rules.lane import Lane


@dataclass(frozen=True, slots=True)
class Woken:
    """The row was claimed because it is due."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The vendor answered, or the wire said why it did not."""

    role: Role
    answer: Answer
    item: str = ""


@dataclass(frozen=True, slots=True)
class Acquired:
    """This row may create the shared resource; no other row does."""


@dataclass(frozen=True, slots=True)
class Cached:
    """The shared resource exists: what its owner got."""

    status: str
    reference: str
    link: str = field(repr=False)
    result: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VisitorWebhook:
    """What a signed webhook reports of a person who came by a shared link."""

    state: State
    status: str
    reference: str
    body: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Redriven:
    """An operator resumes a parked row under the same vendor-side id."""


@dataclass(frozen=True, slots=True)
class Reissued:
    """An operator buys again under a new vendor-side id; `by` is recorded in the row."""

    by: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An operator ends a parked row for good, because its data have to be deleted."""


ByHand = Redriven | Reissued | Forgotten
Event = Woken | Answered | Acquired | Cached | VisitorWebhook | ByHand


@dataclass(frozen=True, slots=True)
class Call:
    """Make a vendor call, if it is admitted now.

    The row of the same decision has no mark of the call: worker/rules/calls.py makes the row that
    must be durable before the first byte, and the one that waits if the call isn't admitted.
    """

    role: Role
    item: str = ""
    lane: Lane = Lane.NORMAL


@dataclass(frozen=True, slots=True)
class Acquire:
    """Request the right to create the shared resource."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Send the producer an event about a change, in the step that commits it."""

    change: str


Effect = Call | Acquire | Emit
Decision = tuple[Row, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The one table of attempts, waits and limits (times in ms)."""

    max_attempts: int = 40
    """Create calls of one generation; the last unknown one is parked."""
    max_generations: int = 3
    max_crashes: int = 5
    """Workers in a row that may vanish while they hold a row, before it is parked."""
    backoff_base: int = 1_000
    backoff_cap: int = 60_000
    """The longest wait where nothing was executed, so that no attempt is spent on it."""
    poll_min: int = 5_000
    poll_max: int = 60_000
    async_poll_min: int = 2_000
    """The first wait for an answer that the vendor works on without a person."""
    busy: int = 2_000
    """How long to wait while another row creates the same resource."""
    stuck: int = 3_600_000
    """How long after its deadline an unreadable journey is tried before it is parked."""
    second_life: int = 3_600_000
    """The least time until the deadline of a row that an operator resumes, or whose call the vendor
    has accepted and works on without a person."""
    lost_answer: Mapping[str, str] = field(default_factory=dict)
    """Kind to park | fail | reissue; a kind that isn't here follows its own default."""

    def for_lost_answer(self, kind: Kind) -> str:
        """Return the policy for an answer that was probably paid for and is lost."""
        return self.lost_answer.get(kind.name, kind.lost_answer)


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The input of a decision besides the row: the time, the kind, the policy, one random draw."""

    now: int
    kind: Kind
    operation: Operation
    policy: Policy
    jitter: float
    """Uniform in 0..1, for full jitter."""
    pace: int = 0
    """The least time (ms) between two polls of one journey, so that the polls of all that are open
    take at most half of the status route's quota."""

    def answered(self, row: Row) -> bool:
        """Return True if the paid answer is stored, and only its status word was unknown."""
        return bool(row.draft) and self.operation.mode is not Mode.JOURNEY and not row.parent

    def readable(self, row: Row) -> bool:
        """Return True if a row whose create call is ambiguous can be read."""
        recovery = self.operation.recovery
        named = recovery is Recovery.REFERENCE and bool(row.reference)
        return named or recovery is Recovery.READ

    def recoverable(self, row: Row) -> bool:
        """Return True if an ambiguous create call can be read, or repeated under the same id."""
        return self.readable(row) or self.operation.repeatable

    def backoff(self, tries: int) -> int:
        """Return the time of the next try: full jitter over a doubling span."""
        span = min(self.policy.backoff_cap, self.policy.backoff_base << min(tries, 20))
        return self.now + max(self.policy.backoff_base // 4, round(span * self.jitter))

    def retry(self, row: Row, spent: int) -> int:
        """Return the time of the next repeat of a call that had no readable answer.

        The wait doubles from seconds, then is about half the row's age, and no longer than spreads
        the attempts left evenly up to the deadline; `spent` attempts are over. The reasons are in
        docs/adr/0024-retries-by-time.md.
        """
        base, left = self.policy.backoff_base, max(row.deadline - self.now, 0)
        half = max(self.now - row.created, 10 * base) / 2
        even = left / (max(self.policy.max_attempts - spent, 0) + 0.5)
        first = (base << min(row.tries, 20)) * self.jitter
        wait = min(first, min(half, even) * (0.5 + self.jitter))
        return min(row.deadline, self.now + max(base // 4, round(wait)))

    def next_poll(self, tries: int) -> int:
        """Return the time of the next poll: spread out, and later the more journeys are open."""
        policy, nobody_acts = self.policy, self.operation.mode is not Mode.JOURNEY
        first = policy.async_poll_min if nobody_acts else policy.poll_min
        span = min(policy.poll_max, first << min(tries, 20))
        usual, paced = span * (0.75 + self.jitter / 4), self.pace * (1 + self.jitter / 4)
        return self.now + round(max(usual, paced))
