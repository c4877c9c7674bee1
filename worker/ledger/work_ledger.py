"""The ledger under a fence: claim, commit, hints, shared resources, operators' actions.

Redis errors pass through: a claim that was not confirmed is none, and a commit that was not
confirmed is repeated under the next claim. The methods of `Ledger` raise Unavailable.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from redis import Redis

from satyapan.canonical import canonical
from satyapan.errors import Unreadable
from satyapan.events import write_event
from satyapan.ledger.ledger import Ledger
from satyapan.ledger.rows import SEALED, decode, encode
from satyapan.names import Keys
from satyapan.records import SETTLED, TERMINAL, Row, State
from satyapan.redis.script_calls import ScriptCall
from satyapan.redis.scripts import load
from satyapan.sealing import KeyRing
from worker.ledger.rewrite import want_rewrite
from worker.rules.generations import earlier_id

LEAST_CHECK_MS: Final = 1_000
"""The shortest time between two status reads that hints can bring about."""
MOST_CHECK_MS: Final = 60_000
"""The longest time between two status reads of a journey that somebody keeps asking for."""


VENDOR_ID_ALIAS_MS: Final = 60 * 86_400_000
"""Longer than any journey: a link may last for 30 days, and webhooks are repeated after it."""


@dataclass(frozen=True, slots=True)
class Alias:
    """A pointer to a row from an identifier that the vendor sends."""

    name: str = ""
    life_ms: int = 0
    """How long it is kept; -1 for ever, 0 if there is none."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claimed row as it is stored, and Redis' time (ms) at that moment."""

    row: Row
    now: int
    unreadable: Unreadable | None = None
    """Set if the private fields stay sealed: this worker lacks their key."""


@dataclass(frozen=True, slots=True)
class Lives:
    """How long (ms) rows and events are kept after the end; 0 keeps rows for ever."""

    terminal: int
    events: int


@dataclass(frozen=True, slots=True)
class Outage:
    """How ended claims are treated after Redis was away (times in ms).

    After it, living workers renew their leases and repeat their commits. Nobody takes over a claim
    whose lease ended until they had their chance.
    """

    gap: int = 5_000
    """No sweep for this time means that Redis, or every worker, was away. Shorter than a lease."""
    grace: int = 8_000
    """How long the holders keep their ended claims then."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An operator's action, done or only tried (dry run), as it is shown and recorded."""

    verb: str
    id: str
    by: str
    outcome: str


class StaleFence(Exception):
    """Another worker has claimed the row since; nothing was written."""


def resource_of(row: Row) -> str:
    """Return the name of the shared resource that a row got.

    Rows from before there was a `resource` have it as their digest.
    """
    return row.resource or row.digest


class WorkLedger(Ledger):
    """The ledger with the methods that change rows, for workers and operators."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        ring: KeyRing,
        lease_ms: int,
        lives: Lives,
        outage: Outage | None = None,
    ) -> None:
        super().__init__(redis, keys, ring)
        self.lease_ms = lease_ms
        self.lives = lives
        self.outage = outage or Outage()
        self._claim, self._commit, self._hint, self._acquire, self._retire, self._renew = (
            load(redis, "worker", name)
            for name in ("claim", "commit", "hint", "acquire", "retire", "renew")
        )

    def claim(self, verification_id: str, *, parked: bool = False) -> Claim | None:
        """Claim a row that is due; None when it isn't, or is claimed, settled or gone.

        With `parked` a parked row can be claimed too, for an operator's action.

        Raises:
            Unreadable: this worker lacks the key; the claim is ended, and the row is due again
                soon, for a worker that has it.
        """
        claim = self.claiming(verification_id, parked=parked).now()
        if claim and claim.unreadable:
            self.postponing(claim).now()
            raise claim.unreadable
        return claim

    def claiming(self, verification_id: str, *, parked: bool = False) -> ScriptCall[Claim | None]:
        """Make the step that `claim` does."""
        keys = [self.keys.row(verification_id), self.keys.due]
        keys += [self.keys.index(State.ACCEPTED), self.keys.index(State.CLAIMED)]
        keys += [self.keys.swept, self.keys.server]
        outage = self.outage
        arguments = [verification_id, self.lease_ms, int(parked), outage.gap, outage.grace]
        return ScriptCall(self._claim, keys, arguments, self._claimed)

    def _claimed(self, reply: list[Any]) -> Claim | None:
        if reply[0] != b"claimed":
            return None
        stored = dict(zip(reply[2::2], reply[3::2], strict=True))
        now = int(reply[1])
        try:
            return Claim(decode(stored, self.ring), now)
        except Unreadable as error:
            return Claim(decode(stored, None), now, error)

    def postponing(self, claim: Claim) -> ScriptCall[Row]:
        """Make the step that ends the claim of a row that couldn't be opened; it is due in 30 s."""
        later = replace(claim.row, due=claim.now + _UNREADABLE_MS)
        return self.committing(claim.row, later, (), claim.now, keep=False)

    def renewing(self, held: Mapping[str, int]) -> ScriptCall[frozenset[str]]:
        """Make the step that renews claims, given as id to fence; its reply is the lost ids.

        A lease that has ended is renewed too, unless another worker has claimed the row since.
        """
        pairs = [part for pair in held.items() for part in pair]
        arguments = [self.keys.row(""), self.lease_ms, *pairs]
        return ScriptCall(self._renew, [self.keys.due], arguments, _lost)

    def committing(
        self,
        before: Row,
        after: Row,
        changes: Sequence[str],
        now: int,
        *,
        keep: bool,
        alias: Alias | None = None,
        status_route: str = "",
        reading: bool = False,
    ) -> ScriptCall[Row]:
        """Make the step that writes a decision with its events; `keep` keeps the claim.

        `alias` is written with it. A row whose alias has no end is kept as long, or the next
        request would buy what it stands for again.

        Reading the reply raises StaleFence if the claim was lost: another worker has the row.

        `status_route` is the journey's: the ledger counts the open journeys of a route. `reading`:
        a status read follows, which also answers requests for one since the claim.
        """
        alias = alias or Alias()
        events = []
        for change in changes:
            after = replace(after, seq=after.seq + 1)
            events.append(write_event(after, change, now))
        changed = encode(after, self.ring, before)
        arguments = [
            after.id,
            before.fence,
            self.lease_ms if keep else 0,
            after.due if after.state not in SETTLED else 0,
            0 if alias.life_ms < 0 else self._life(after),
            self.lives.events,
            self.keys.channel(after.reply_to),
            alias.life_ms,
            _open_until(after) if status_route else "",
            int(reading),
            _reissue(before, after),
            len(events),
            *events,
            *(part for name in changed if name not in _SCRIPTED for part in (name, changed[name])),
        ]

        def committed(reply: list[Any]) -> Row:
            if not reply[0]:
                raise StaleFence(before.id)
            return _serving(after, *reply[3:]) if reading else after

        keys = self._keys(before, after, alias.name, status_route)
        return ScriptCall(self._commit, keys, arguments, committed)

    def _keys(self, before: Row, after: Row, alias: str, status_route: str) -> list[str]:
        row, keys = self.keys.row(after.id), self.keys
        indexes = [keys.index(before.state), keys.index(after.state)]
        others = [keys.alias(alias), keys.open(after.account, status_route), keys.slot_due]
        return [row, keys.due, *indexes, keys.events(after.reply_to), *others, keys.reissues]

    def _life(self, row: Row) -> int:
        """Return how long (ms) a finished row is kept; 0 for all others, also parked ones."""
        return self.lives.terminal if row.state in TERMINAL else 0

    def hint(self, verification_id: str, claimed: str = "", *, asked: bool) -> int:
        """Bring the next status check forward; return its time (ms), 0 if there is none.

        `asked` says that somebody waits for the answer: the first such check goes before all
        others, more of them are thinned.
        """
        return self._hinted(verification_id, [LEAST_CHECK_MS, MOST_CHECK_MS * asked, claimed])

    def make_due(self, verification_id: str) -> int:
        """Make a journey due now; return when (ms), or 0 when there is nothing to check."""
        return self._hinted(verification_id, [0, 0, ""])

    def _hinted(self, verification_id: str, arguments: list[Any]) -> int:
        keys = [self.keys.row(verification_id), self.keys.due, self.keys.slot_due]
        return int(self._hint(keys=keys, args=[verification_id, *arguments]))

    def acquire(self, resource: str, expected: str, row: Row) -> str:
        """Become the owner after `expected` ("" for none); return the id of the owner now.

        In any case this row's producer is recorded as one that requested the resource.
        """
        keys = [self.keys.resource(resource), self.keys.askers(resource)]
        owner: bytes = self._acquire(keys=keys, args=[expected, row.id, row.reply_to])
        return owner.decode()

    def owner_of(self, resource: str) -> str:
        """Return the id of the row that owns a shared resource; "" when none does."""
        owner: bytes = self._redis.get(self.keys.resource(resource)) or b""
        return owner.decode()

    def release(self, resource: str, owner: str) -> bool:
        """Remove a shared resource's owner; return False if `owner` isn't its owner any more."""
        return bool(self._retire(keys=[self.keys.resource(resource)], args=[owner]))

    def askers(self, resource: str) -> dict[str, str]:
        """Map each producer that requested a shared resource to its row."""
        found: dict[bytes, bytes] = self._redis.hgetall(self.keys.askers(resource))
        return {asker.decode(): row_id.decode() for asker, row_id in found.items()}

    def behind(self, alias: str) -> str:
        """Return the id that an alias points to; "" when there is none."""
        raw: bytes = self._redis.get(self.keys.alias(alias)) or b""
        return raw.decode()

    def forget_private(self, row: Row) -> None:
        """Shred the private fields of a row, and request a rewrite of Redis' file.

        Call it last, after everything else about the row was shredded: a rewrite that begins in
        between would not be repeated.
        """
        self._redis.hdel(self.keys.row(row.id), *SEALED)
        want_rewrite(self._redis, self.keys)

    def parked_for(self, least_ms: int, limit: int) -> list[str]:
        """List the ids that have been parked for `least_ms` or more, the longest first."""
        index, before = self.keys.index(State.PARKED), self.now() - least_ms
        found: list[bytes] = self._redis.zrangebyscore(index, "-inf", before, 0, limit)
        return [raw.decode() for raw in found]

    def record_action(self, action: AuditEntry) -> None:
        """Write an operator's action to the audit log."""
        entry = {"action": canonical(asdict(action))}
        self._redis.xadd(self.keys.audit, entry, maxlen=_ACTIONS_KEPT, approximate=True)

    def audit_log(self, limit: int) -> Iterator[tuple[int, AuditEntry]]:
        """Read the latest actions of the audit log, newest first, each with its time (ms)."""
        for entry_id, entry in self._redis.xrevrange(self.keys.audit, count=limit):
            action = AuditEntry(**json.loads(entry[b"action"]))
            yield int(entry_id.partition(b"-")[0]), action


def _lost(reply: list[bytes]) -> frozenset[str]:
    return frozenset(raw.decode() for raw in reply)


def _reissue(before: Row, after: Row) -> str:
    """Return the count of new vendor-side ids to increase, or ""; see `Keys.reissues`."""
    if after.generation == before.generation:
        return ""
    return f"{after.kind} {earlier_id(after.generations[-1])}"


def _serving(row: Row, asking: bytes, asks: bytes, evidence: bytes) -> Row:
    """Return a row before its status read, with the requests and webhook claims since its claim."""
    row = replace(row, ask="", asking=asking.decode(), asks=int(asks))
    return replace(row, evidence=evidence.decode())


def _open_until(row: Row) -> int:
    """Return the deadline of a journey that is polled, or 0."""
    return row.deadline if row.state is State.PENDING and not row.todo else 0


_UNREADABLE_MS: Final = 30_000
_ACTIONS_KEPT: Final = 100_000
"""The most entries of the audit log."""
_SCRIPTED = frozenset({"fence", "lease", "crashes", "due", "updated", "created"})
"""Fields that only the scripts write, from Redis' clock."""
