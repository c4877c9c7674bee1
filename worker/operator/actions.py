"""Operators' actions: each is refused with a reason, or done and written to the audit log.

A dry run decides exactly as the action would, and writes nothing.
"""

from dataclasses import dataclass

from satyapan.ids import generation_id
from satyapan.kinds import Registry
from satyapan.kinds.model import Mode, vendor_of
from satyapan.names import INGEST, RUN
from satyapan.records import SETTLED, Row, State
from shared.inbox.inbox import Inbox
from worker.broker.wakeups import Wake
from worker.ledger.work_ledger import AuditEntry, Claim, StaleFence, WorkLedger, resource_of
from worker.rules.decide import decide
from worker.rules.model import ByHand, Emit, Forgotten, Policy, Redriven, Reissued
from worker.rules.person import ActionRefused


class Unknown(ActionRefused):
    """Nothing stored has the id."""


@dataclass(frozen=True)
class OperatorActions:
    """The actions on parked rows, stored webhooks, finished verifications and shared links."""

    ledger: WorkLedger
    inbox: Inbox
    kinds: Registry
    policy: Policy
    wake: Wake
    by: str
    """The operator; written to the audit log."""
    dry: bool = False

    def redrive(self, verification_id: str) -> AuditEntry:
        """Resume a parked verification under the same vendor-side id.

        Raises:
            ActionRefused: it would break a promise; the text says which, and what to do instead.
        """
        row = self._read(verification_id)
        after = self._move(row, Redriven())
        return self._record("redrive", row.id, f"generation {after.generation}")

    def reissue(self, verification_id: str) -> AuditEntry:
        """Buy a parked verification again under a new vendor-side id.

        Raises:
            ActionRefused: it is not parked, or has had all its generations.
        """
        row = self._read(verification_id)
        after = self._move(row, Reissued(self.by))
        return self._record("reissue", row.id, f"generation {after.generation}")

    def replay(self, webhook_id: str) -> AuditEntry:
        """Process a stored webhook again.

        Raises:
            Unknown: no such webhook is kept.
        """
        webhook = self.inbox.read(webhook_id)
        if webhook is None:
            raise Unknown(f"no webhook {webhook_id} is kept")
        if not self.dry:
            self.inbox.reopen(webhook_id)
            self.wake(INGEST, [webhook_id])
        return self._record("replay", webhook_id, webhook.event)

    def forget(self, verification_id: str) -> AuditEntry:
        """Shred the private parts of a finished verification, and the webhooks about it.

        More webhooks about it are not kept.

        Id, state and codes stay, so that the id can't be used again. A parked verification ends as
        FAILED first, because it can't continue without its data.

        Raises:
            ActionRefused: it is not finished, or others still need it (a shared link's owner), or
                its webhooks (a visit that other producers haven't been sent yet).
        """
        row = self._forgettable(verification_id)
        if row.state is State.PARKED:
            self._move(row, Forgotten())
        count = self._forgotten(row)
        return self._record("forget", row.id, f"{count} webhooks")

    def _forgotten(self, row: Row) -> int:
        """Shred what is kept about a row; return how many webhooks that were."""
        vendor_ids = [row.digest] if row.parent else self._vendor_ids(row)
        if self.dry:
            return len(self.inbox.ids_about(vendor_of(row.vendor), vendor_ids))
        count = self.inbox.forget(vendor_of(row.vendor), vendor_ids)
        self.ledger.forget_private(row)
        return count

    def _vendor_ids(self, row: Row) -> list[str]:
        """List the ids under which the vendor knows a row, also of a kind unknown here."""
        kind = self.kinds.get(row.kind)
        name = kind.operation(row.vendor).vendor_id if kind else generation_id
        return [name(row.id, number) for number in range(1, row.generation + 1)]

    def retire(self, verification_id: str) -> AuditEntry:
        """Stop sharing a link: the next request creates and pays for a new one.

        `verification_id` is any verification that got the link. Those keep it, and visitors who
        still come by it are reported as before.

        Raises:
            ActionRefused: it got no such link, or its link is not shared any more.
        """
        row = self._read(verification_id)
        if not self._links(row) or row.state is not State.DONE:
            raise ActionRefused(f"{row.id} is {row.state} and no shared link that could be retired")
        owner = self._owner(row)
        if owner is None or owner.link != row.link or not self._released(owner):
            raise ActionRefused(f"the link of {row.id} is given out no more already")
        return self._record("retire", owner.id, "the next that is asked for is paid for")

    def _links(self, row: Row) -> bool:
        """Return True if the row got a link that many share."""
        mode = self.kinds[row.kind].operation(row.vendor).mode
        return mode is Mode.RESOURCE and not row.parent

    def _owner(self, row: Row) -> Row | None:
        """Read the row whose link is shared with rows that request the same as this one."""
        owner = self.ledger.owner_of(resource_of(row))
        return self.ledger.read(owner) if owner else None

    def _released(self, owner: Row) -> bool:
        """Leave the resource without an owner; return False if it has another owner by now."""
        return self.dry or self.ledger.release(resource_of(owner), owner.id)

    def _forgettable(self, verification_id: str) -> Row:
        row = self._read(verification_id)
        if row.state not in SETTLED:
            raise ActionRefused(f"{row.id} is {row.state}: it can be forgotten when it has ended")
        if self._links(row) and row.attempts:
            raise ActionRefused(f"{row.id} owns a link that others use; it holds nobody's data")
        if row.parent and self.inbox.has_open(vendor_of(row.vendor), [row.digest]):
            # It may still have to reach the visits of other producers that asked for the link.
            raise ActionRefused(
                f"a webhook about {row.id} is still to be worked on: try again later"
            )
        return row

    def _move(self, row: Row, event: ByHand) -> Row:
        kind = self.kinds[row.kind]
        after, effects = decide(row, event, self.ledger.now(), kind, self.policy)
        if not self.dry:
            claim = self._claim(row)
            changes = [effect.change for effect in effects if isinstance(effect, Emit)]
            after, _ = decide(claim.row, event, claim.now, kind, self.policy)
            self._commit(claim, after, changes)
            self.wake(RUN, [row.id])
        return after

    def _claim(self, row: Row) -> Claim:
        claim = self.ledger.claim(row.id, parked=True)
        if claim is None:
            raise ActionRefused(f"{row.id} is being worked on by somebody else right now")
        return claim

    def _commit(self, claim: Claim, after: Row, changes: list[str]) -> None:
        status = self.kinds[after.kind].operation(after.vendor).status
        route = status.name if status else ""
        commit = self.ledger.committing(
            claim.row, after, changes, claim.now, keep=False, status_route=route
        )
        try:
            commit.now()
        except StaleFence as stale:
            text = f"{after.id} was taken by somebody else meanwhile; nothing was changed"
            raise ActionRefused(text) from stale

    def _read(self, verification_id: str) -> Row:
        row = self.ledger.read(verification_id)
        if row is None:
            raise Unknown(f"no verification {verification_id} is stored")
        return row

    def _record(self, verb: str, what: str, outcome: str) -> AuditEntry:
        entry = AuditEntry(verb, what, self.by, outcome)
        if not self.dry:
            self.ledger.record_action(entry)
        return entry
