"""The inbox: verified webhooks, stored once and sealed, until a worker has processed them."""

from shared.inbox.inbox import MAX_TRIES, Inbox
from shared.inbox.stored_webhook import (
    KEPT_FIELDS,
    StoredWebhook,
    StoreOutcome,
    WebhookState,
)

__all__ = [
    "KEPT_FIELDS",
    "MAX_TRIES",
    "Inbox",
    "StoreOutcome",
    "StoredWebhook",
    "WebhookState",
]
