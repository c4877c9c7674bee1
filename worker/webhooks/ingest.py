"""Process a stored webhook: a hint for a journey, or a report of a visitor to a shared link.

A webhook never decides a journey: it asks for a status read, and notes what it claimed in case no
read ever succeeds (status read > signed webhook > redirect). Of a visitor to a shared
link there is nothing else to read, so there the signed webhook is the evidence.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis import exceptions as redis_errors

from satyapan.errors import Unavailable, Unreadable
from satyapan.failpoints import Failpoint, failpoint
from satyapan.ids import child_id, link_alias, possible_id
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Operation
from satyapan.kinds.values import value_at
from satyapan.records import Row, State
from shared.inbox.inbox import FIRST_PAUSE_MS, Inbox
from shared.inbox.stored_webhook import StoredWebhook, WebhookState, kept_fields
from shared.scrub import clean
from worker.engine.engine import Engine
from worker.ledger.work_ledger import WorkLedger, resource_of
from worker.rules.model import VisitorWebhook

_AWAY: Final = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.OutOfMemoryError,
    redis_errors.ReadOnlyError,
)
_UNREADABLE_MS: Final = 30_000
"""How long a webhook is left whose key this worker lacks: another may have it, or get it."""
_VISIT_BUSY_MS: Final = 1_000
"""The vendor sends the webhooks of a visitor's last step at once: while a worker writes the visit
for one, another can't."""

log = logging.getLogger("satyapan.ingest")


@dataclass(frozen=True, slots=True)
class _News:
    """The readable parts of a webhook."""

    kind: Kind
    operation: Operation
    event: str
    vendor_id: str
    reference: str
    body: Mapping[str, Any]


class Ingest:
    """Applies stored webhooks to the rows that they are about."""

    def __init__(
        self, inbox: Inbox, ledger: WorkLedger, engine: Engine, kinds: Registry, id_key: bytes
    ) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._engine = engine
        self._kinds = kinds
        self._id_key = id_key

    def take(self, webhook_id: str) -> None:
        """Work on one webhook; working on it twice changes nothing.

        A failure is counted on the webhook, which is retried after a growing pause and parked in
        the end: a webhook that always fails must not come back for ever, unseen.

        Raises:
            redis.RedisError, Unavailable: Redis is away; it is taken up again, and nothing counted.
            Unreadable: it was sealed under a key that this worker lacks; as before.
        """
        try:
            webhook = self._inbox.read(webhook_id)
            row_id = self._try(webhook) if webhook and webhook.state is WebhookState.NEW else ""
        except Unreadable:
            self._inbox.postpone(webhook_id, _UNREADABLE_MS)
            raise
        if webhook is None:
            self._inbox.remove_from_due(webhook_id)
        elif row_id:
            self._engine.run(row_id)

    def _try(self, webhook: StoredWebhook) -> str:
        """Work on a webhook; return the id of the row to run now, if any.

        A failure is counted, unless the cause is Redis or a missing key.
        """
        failpoint(Failpoint.OPENED)
        try:
            return self._work(webhook)
        except Unreadable:
            raise
        except Exception as error:
            if isinstance(error.__cause__ if isinstance(error, Unavailable) else error, _AWAY):
                raise
            self._failed(webhook, type(error).__name__)
            return ""

    def _failed(self, webhook: StoredWebhook, code: str, first_ms: int = FIRST_PAUSE_MS) -> None:
        """Count a failure. A Redis that takes no writes takes no count either."""
        state = self._inbox.record_failure(webhook, code, first_ms)
        text = "webhook parked" if state is WebhookState.PARKED else "webhook left for later"
        log.warning(text, extra={"webhook_id": webhook.id, "code": code})

    def _work(self, webhook: StoredWebhook) -> str:
        """Apply a webhook to the row that has its id, else to the link that a visitor used."""
        found = list(self._understand(webhook))
        for news in found:
            row = self._row_of(news)
            if row and news.event in news.operation.events and _serves(news, row):
                return self._hinted(webhook, news, row)
        for news in found:
            if news.event in news.operation.visitor_events:
                return self._visitors(webhook, news)
        return self._unmatched(webhook)

    def _understand(self, webhook: StoredWebhook) -> Iterator[_News]:
        """Read a webhook as each kind would whose verifications its event may be about."""
        # Webhooks of an earlier version were stored as they came.
        operations = self._kinds.for_event(webhook.vendor, webhook.event)
        data = (clean(webhook.body, kept_fields(o for _, o in operations)) or {}).get("data")
        if not isinstance(data, dict):
            return
        for kind, operation in operations:
            vendor_id = str(value_at(data, operation.webhook_id_field) or "")
            reference = str(data.get("reference_id") or "")
            if vendor_id:  # without it, all visitors of a link would be one
                yield _News(kind, operation, webhook.event, vendor_id, reference, data)

    def _unmatched(self, webhook: StoredWebhook) -> str:
        log.warning("webhook matches nothing here", extra={"code": webhook.event})
        self._inbox.finish(webhook.id, WebhookState.UNMATCHED)
        return ""

    def _hinted(self, webhook: StoredWebhook, news: _News, row: Row) -> str:
        """Ask for a status read, and note what the webhook claims."""
        claimed = news.operation.events[news.event]
        if news.vendor_id != news.operation.vendor_id(row.id, row.generation):
            claimed = ""  # about an older link, which says nothing of the one that is open
        due = self._ledger.hint(row.id, claimed, asked=_somebody_waits(news.operation, claimed))
        failpoint(Failpoint.HINTED)
        self._inbox.finish(webhook.id, WebhookState.HANDLED, row.id)
        return row.id if due else ""

    def _row_of(self, news: _News) -> Row | None:
        """Find the row by the vendor-side id: ours, or that of a later generation."""
        if not possible_id(news.vendor_id):
            return None
        read = self._ledger.read
        found = read(news.vendor_id, sealed=True)
        return found or read(self._ledger.behind(news.vendor_id) or "-", sealed=True)

    def _visitors(self, webhook: StoredWebhook, news: _News) -> str:
        """Tell every producer that asked for the link, each by a row and an event of its own."""
        link = str(news.body.get("form_link", ""))
        owner_id = self._ledger.behind(link_alias(self._id_key, link))
        owner = self._ledger.read(owner_id, sealed=True) if owner_id else None
        if owner is None:
            return self._unmatched(webhook)
        askers = self._ledger.askers(resource_of(owner))
        written = [self._visit(owner, asker, askers[asker], news) for asker in askers]
        if all(written):
            self._inbox.finish(webhook.id, WebhookState.HANDLED, owner.id)
        else:
            self._failed(webhook, "visit_not_written", _VISIT_BUSY_MS)
        return ""

    def _visit(self, owner: Row, asker: str, asked: str, news: _News) -> bool:
        """Write a visitor's row for one producer, under the row by which it asked for the link.

        Returns False when it has to be tried again.
        """
        visit = child_id(self._id_key, owner.id, news.vendor_id, asker)
        child = Row(
            id=visit,
            kind=owner.kind,
            vendor=owner.vendor,
            account=owner.account,
            state=State.PENDING,
            parent=asked,
            reply_to=asker,
            reference=news.reference,
            digest=news.vendor_id,
        )
        self._ledger.insert(child, news.operation.data_life_s * 1000)
        self._ledger.make_due(visit)
        state = news.operation.visitor_events[news.event]
        status = str(news.body.get("form_status") or news.event)
        event = VisitorWebhook(state, status, news.reference, news.body)
        taken = self._engine.run(visit, event)
        return taken is not None or self._settled(visit)

    def _settled(self, visit: str) -> bool:
        row = self._ledger.read(visit, sealed=True)
        return row is not None and row.due == 0


def _serves(news: _News, row: Row) -> bool:
    """Return True if a webhook is about the operation that serves a row."""
    return row.kind == news.kind.name and news.kind.operations.get(row.vendor) is news.operation


def _somebody_waits(operation: Operation, claimed: str) -> bool:
    """Return True if a person acted; nobody waits for an expired link."""
    return operation.status_map.get(claimed) not in {None, State.EXPIRED}
