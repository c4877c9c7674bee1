"""Store verified webhooks once, and read and update them.

The callbacks app stores webhooks; workers process them.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from redis import Redis

from satyapan.canonical import digest
from satyapan.names import Keys
from satyapan.redis.scripts import load
from satyapan.redis.server_time import now_ms
from satyapan.sealing import KeyRing
from shared.inbox.stored_webhook import (
    CLEAR_FIELDS,
    StoredWebhook,
    StoreOutcome,
    WebhookState,
    from_fields,
)

GRACE_MS: Final = 3_000
"""Milliseconds for which the sweeper leaves a new webhook to the wake-up sent after storing it."""
MAX_TRIES: Final = 10
"""Failures after which a webhook is parked: after about 2.4 hours, including the pauses."""
FIRST_PAUSE_MS: Final = 20_000
_LONGEST_PAUSE_MS: Final = 3_600_000
_DAY_MS: Final = 86_400_000
_OUTCOMES: Final = {
    1: StoreOutcome.STORED,
    0: StoreOutcome.REPEATED,
    2: StoreOutcome.FORGOTTEN,
}


class Inbox:
    """Stores, reads and updates webhooks. Redis errors are not caught.

    Webhooks and vendor-side ids are named by digests under `id_key`: from a plain digest, a mobile
    number in the content could be found by trying all numbers. Webhooks are kept for `life_ms`.
    """

    def __init__(
        self, redis: Redis, keys: Keys, ring: KeyRing, life_ms: int, id_key: bytes
    ) -> None:
        # redis-py types each reply as "bytes or str"; this client decodes nothing: always bytes.
        self._redis: Any = redis
        self._keys = keys
        self._ring = ring
        self.life_ms = life_ms
        self._id_key = id_key
        self._store_webhook = load(redis, "shared.inbox", "store_webhook")
        self._move_webhook = load(redis, "shared.inbox", "move_webhook")

    def webhook_id(self, vendor: str, content: bytes) -> str:
        """Return the id of the webhook with this signed content."""
        return digest(self._id_key, b"webhook", vendor.encode(), content)

    def _about_digest(self, vendor: str, vendor_id: str) -> str:
        """Return the digest of a vendor-side id."""
        return digest(self._id_key, b"webhooks about", vendor.encode(), vendor_id.encode())

    def store(
        self, webhook_id: str, vendor: str, event: str, body: bytes, vendor_id: str = ""
    ) -> StoreOutcome:
        """Store a webhook once; `vendor_id` is the vendor-side id that it is about, if any."""
        about = self._about_digest(vendor, vendor_id or f"webhook {webhook_id}")
        fields: dict[str, str | bytes] = {
            "vendor": vendor,
            "event": event,
            "state": WebhookState.NEW,
            "body": self._ring.seal(f"inbox/{webhook_id}", body),
        }
        keys = [self._keys.inbox(webhook_id), self._keys.inbox_due]
        keys += [self._keys.inbox_index(WebhookState.NEW), self._keys.inbox_about(about)]
        keys += [self._keys.inbox_forgotten(about)]
        pairs = [part for name in fields for part in (name, fields[name])]
        args = [webhook_id, self.life_ms, GRACE_MS, *pairs]
        return _OUTCOMES[self._store_webhook(keys=keys, args=args)]

    def read(self, webhook_id: str) -> StoredWebhook | None:
        """Read a webhook; return None if it doesn't exist (any more).

        Raises:
            Unreadable: it was sealed under a key that is not in the ring.
        """
        raw: dict[bytes, bytes] = self._redis.hgetall(self._keys.inbox(webhook_id))
        if b"body" not in raw:
            return None
        body = self._ring.open(f"inbox/{webhook_id}", raw[b"body"])
        values = [raw.get(name.encode()) for name in CLEAR_FIELDS]
        return from_fields(webhook_id, values, body)

    def newest(self, state: WebhookState | None, limit: int) -> Iterator[StoredWebhook]:
        """Yield the latest webhooks of one state, or of all, newest first, without their bodies."""
        found: list[tuple[bytes, float]] = []
        for each in [state] if state else WebhookState:
            key = self._keys.inbox_index(each)
            found += self._redis.zrevrange(key, 0, limit - 1, withscores=True)
        latest = sorted(found, key=lambda pair: -pair[1])[:limit]
        with self._redis.pipeline(transaction=False) as pipe:
            for webhook_id, _ in latest:
                pipe.hmget(self._keys.inbox(webhook_id.decode()), CLEAR_FIELDS)
            rows = pipe.execute()
        for (webhook_id, _), values in zip(latest, rows, strict=True):
            if values[0] is not None:  # None: it expired after the index was read
                yield from_fields(webhook_id.decode(), values, b"")

    def finish(self, webhook_id: str, state: WebhookState, verification_id: str = "") -> None:
        """Set the final state of a processed webhook; it is kept until it expires."""
        self._move(webhook_id, state, None, {"verification_id": verification_id})

    def record_failure(
        self, webhook: StoredWebhook, code: str, first_ms: int = FIRST_PAUSE_MS
    ) -> WebhookState:
        """Count a failure and return the new state.

        The webhook is retried after a pause that doubles with each failure, and parked after
        `MAX_TRIES` failures. `first_ms` is the pause after its first failure.
        """
        tries = webhook.tries + 1
        state = WebhookState.PARKED if tries >= MAX_TRIES else WebhookState.NEW
        pause = min(FIRST_PAUSE_MS * 2**webhook.tries, _LONGEST_PAUSE_MS)
        pause = pause if webhook.tries else first_ms
        due = pause if state is WebhookState.NEW else None
        self._move(webhook.id, state, due, {"tries": str(tries), "code": code})
        return state

    def postpone(self, webhook_id: str, pause_ms: int) -> None:
        """Make an open webhook due after a pause, without counting a failure."""
        due = now_ms(self._redis) + pause_ms
        self._redis.zadd(self._keys.inbox_due, {webhook_id: due}, xx=True)

    def reopen(self, webhook_id: str) -> None:
        """Make a webhook due now, and reset its count of failures."""
        self._move(webhook_id, WebhookState.NEW, 0, {"tries": "0", "code": ""})

    def _move(
        self, webhook_id: str, state: WebhookState, due_in_ms: int | None, fields: dict[str, str]
    ) -> None:
        others = [self._keys.inbox_index(each) for each in WebhookState if each is not state]
        keys = [self._keys.inbox(webhook_id), self._keys.inbox_due, self._keys.inbox_index(state)]
        pairs = [part for pair in {"state": state, **fields}.items() for part in pair]
        due = "" if due_in_ms is None else due_in_ms
        self._move_webhook(keys=[*keys, *others], args=[webhook_id, due, *pairs])

    def ids_about(self, vendor: str, vendor_ids: Sequence[str]) -> list[str]:
        """Return the ids of the stored webhooks about these vendor-side ids."""
        sets = [self._keys.inbox_about(self._about_digest(vendor, each)) for each in vendor_ids]
        ids = [raw.decode() for raw in self._redis.sunion(sets)]
        return [one for one in ids if self._redis.exists(self._keys.inbox(one))]

    def has_open(self, vendor: str, vendor_ids: Sequence[str]) -> bool:
        """Return True if a webhook about these vendor-side ids still has to be processed."""
        due = self._keys.inbox_due
        ids = self.ids_about(vendor, vendor_ids)
        return any(self._redis.zscore(due, each) is not None for each in ids)

    def forget(self, vendor: str, vendor_ids: Sequence[str]) -> int:
        """Remove all webhooks about these vendor-side ids, refuse later ones; return how many.

        The mark that refuses them lasts for as long as a delivery can be recent enough to be
        stored, and a day longer, because the vendor may write times without a zone.
        """
        digests = [self._about_digest(vendor, each) for each in vendor_ids]
        for each in digests:  # first, so that no webhook is stored from here on
            self._redis.set(self._keys.inbox_forgotten(each), 1, px=self.life_ms + _DAY_MS)
        ids = self.ids_about(vendor, vendor_ids)
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(*(self._keys.inbox_about(each) for each in digests))
            for webhook_id in ids:
                pipe.delete(self._keys.inbox(webhook_id)).zrem(self._keys.inbox_due, webhook_id)
                for state in WebhookState:
                    pipe.zrem(self._keys.inbox_index(state), webhook_id)
            pipe.execute()
        return len(ids)

    def remove_from_due(self, webhook_id: str) -> None:
        """Remove a webhook that no longer exists from the index of due webhooks."""
        self._redis.zrem(self._keys.inbox_due, webhook_id)
