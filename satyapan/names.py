"""Names that cross a process boundary: tasks, queues, keys, event types. Declared once, here."""

from typing import Final

RUN: Final = "satyapan.run"
"""Task: run these verifications now. Argument: a list of verification_ids."""
RUN_HIGH: Final = "satyapan.run_high"
"""Task: the same, for verifications of high priority."""
RUN_SLOT: Final = "satyapan.run_slot"
"""Task: the same, for verifications whose slot of the vendor's quota has come."""
STATUS_CHECK: Final = "satyapan.status_check"
"""Task: check the status of these verifications soon: a return or a webhook asked for it."""
INGEST: Final = "satyapan.ingest"
"""Task: work on these stored webhooks. Argument: a list of webhook ids (digests)."""

RUN_QUEUE: Final = "satyapan.run"
HIGH_QUEUE: Final = "satyapan.high"
SLOT_QUEUE: Final = "satyapan.slot"
FOLLOW_QUEUE: Final = "satyapan.follow"
QUEUES: Final = (SLOT_QUEUE, HIGH_QUEUE, FOLLOW_QUEUE, RUN_QUEUE)
"""Every queue that a worker consumes, in turn: none waits behind another's backlog."""
QUEUE_OF: Final = {
    RUN: RUN_QUEUE,
    RUN_HIGH: HIGH_QUEUE,
    RUN_SLOT: SLOT_QUEUE,
    STATUS_CHECK: FOLLOW_QUEUE,
    INGEST: FOLLOW_QUEUE,
}

EVENT_PREFIX: Final = "in.satyapan.verification."
"""CloudEvents `type` = this + the change, for example `in.satyapan.verification.done`."""


class Keys:
    """Every Redis key of one installation, under one prefix."""

    def __init__(self, prefix: str = "satyapan") -> None:
        self.prefix: Final = prefix
        self.due: Final = f"{prefix}:due"
        """The sorted set of open verifications, scored by when (ms) they are due."""
        self.inbox_due: Final = f"{prefix}:inbox-due"
        """The sorted set of webhooks that still have to be worked on."""
        self.rewrite_wanted: Final = f"{prefix}:rewrite-wanted"
        """The sorted set of times (ms) at which data was shredded, not yet in the file."""
        self.rewrite_begun: Final = f"{prefix}:rewrite-begun"
        """When (ms; 0: refused) the file's last rewrite began, and after how many others."""
        self.swept: Final = f"{prefix}:swept"
        """The time (ms) of the last sweep."""
        self.server: Final = f"{prefix}:server"
        """The hash of observations about this Redis: outages, and whether it is another one."""
        self.audit: Final = f"{prefix}:audit"
        """The audit log: the stream of operators' actions."""
        self.reissues: Final = f"{prefix}:reissues"
        """The hash of how many further vendor-side ids there were, by kind and by whether the id
        before may have been paid."""
        self.slot_due: Final = f"{prefix}:slot-due"
        """The sorted set of the verifications that were dealt a slot, scored by it."""
        self.queues: Final = f"{prefix}:queues"
        """The hash of accounts and routes with waiting verifications, to their limits."""

    def row(self, verification_id: str) -> str:
        """Name the hash that holds one verification."""
        return f"{self.prefix}:row:{verification_id}"

    def index(self, state: str) -> str:
        """Name the sorted set of the ids in one state, scored by when (ms) they came there."""
        return f"{self.prefix}:index:{state}"

    def events(self, reply_to: str) -> str:
        """Name the results stream of one producer."""
        return f"{self.prefix}:events:{reply_to}"

    def channel(self, reply_to: str) -> str:
        """Name the pub/sub channel that says "this id changed"; never the answer itself."""
        return f"{self.prefix}:changed:{reply_to}"

    def resource(self, digest: str) -> str:
        """Name the record of who creates or owns a shared resource (a static link)."""
        return f"{self.prefix}:resource:{digest}"

    def askers(self, digest: str) -> str:
        """Name the hash of the requests for a shared resource: producer to its row."""
        return f"{self.prefix}:askers:{digest}"

    def alias(self, digest: str) -> str:
        """Name the pointer from a keyed digest of something the vendor sends to our id."""
        return f"{self.prefix}:alias:{digest}"

    def inbox(self, digest: str) -> str:
        """Name the hash that holds one stored webhook."""
        return f"{self.prefix}:inbox:{digest}"

    def inbox_index(self, state: str) -> str:
        """Name the sorted set of the webhooks in one state, scored by when (ms) their life ends."""
        return f"{self.prefix}:inbox-index:{state}"

    def inbox_about(self, digest: str) -> str:
        """Name the set of the webhooks about one vendor-side id, by its keyed digest."""
        return f"{self.prefix}:inbox-about:{digest}"

    def inbox_forgotten(self, digest: str) -> str:
        """Name the mark that webhooks about a vendor-side id are not kept any more."""
        return f"{self.prefix}:inbox-forgotten:{digest}"

    def slots(self, account: str, route: str) -> str:
        """Name the sorted set of the calls that were let through to one account and route."""
        return f"{self.prefix}:slots:{account}:{route}"

    def reservations(self, account: str, route: str) -> str:
        """Name the sorted set of the verifications that hold a call time there."""
        return f"{self.prefix}:reservations:{account}:{route}"

    def queue(self, account: str, route: str, lane: str) -> str:
        """Name the sorted set of the verifications that wait for one, scored by their turn."""
        return f"{self.prefix}:queue:{account}:{route}:{lane}"

    def low(self, account: str, route: str) -> str:
        """Name the sorted set of the calls and reservations of the low lane (polls) there."""
        return f"{self.prefix}:low:{account}:{route}"

    def open(self, account: str, route: str) -> str:
        """Name the sorted set of the journeys that are open on a status route, by deadline."""
        return f"{self.prefix}:open:{account}:{route}"

    def turns(self, account: str, route: str) -> str:
        """Name the hash by which the producers that wait there take turns."""
        return f"{self.prefix}:turns:{account}:{route}"

    def hold(self, account: str, route: str) -> str:
        """Name the vendor's "not before" of one account and route."""
        return f"{self.prefix}:hold:{account}:{route}"

    def hold_account(self, account: str) -> str:
        """Name the vendor's "not before" of all routes of one account."""
        return f"{self.prefix}:hold-account:{account}"

    def learned(self, account: str, route: str) -> str:
        """Name the limit that the vendor sent, while it is lower than ours."""
        return f"{self.prefix}:learned:{account}:{route}"

    def stop(self, account: str) -> str:
        """Name the breaker of one account: the vendor refuses it."""
        return f"{self.prefix}:stop:{account}"

    def breaker(self, account: str, route: str) -> str:
        """Name the breaker of one account and route: the vendor fails."""
        return f"{self.prefix}:breaker:{account}:{route}"

    def failures(self, account: str, route: str) -> str:
        """Name the sorted set of the verifications whose calls there failed recently."""
        return f"{self.prefix}:failures:{account}:{route}"

    def streak(self, account: str, route: str) -> str:
        """Name the sorted set of the verifications that failed there since a call was answered."""
        return f"{self.prefix}:streak:{account}:{route}"

    def status_check(self, verification_id: str) -> str:
        """Name the short-lived mark that a status check was asked for."""
        return f"{self.prefix}:status-check:{verification_id}"
