"""The status of a batch, from the answers to its entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from satyapan.canonical import canonical
from satyapan.kinds.values import stated_status
from satyapan.records import State

PROCESSING: Final = "PROCESSING"
"""The status of a batch of which an entry has no answer yet."""
PROCESSED: Final = "PROCESSED"
"""The status of a batch of which each entry has its answer."""


@dataclass(frozen=True)
class EntryStatuses:
    """How a reply says whether each entry of a batch has its answer."""

    status_field: str | tuple[str, str]
    """The path of an entry's status, or of two that make one, as in `Route.status_field`."""
    status_map: Mapping[str, State]
    """An entry's status to its state; PENDING is no answer yet."""
    field: str = "entries"
    """The name of the list of entries, in the request and in the reply."""

    def status_of(self, reply: Mapping[str, Any], request: Mapping[str, Any]) -> str:
        """Return the status of the whole batch; "" if the reply has no list of entries.

        It is PROCESSING until there is an answer to each entry of the request; equal entries may
        share one. Then it is PROCESSED, or the first word that `status_map` lacks: nobody knows
        whether that is an answer.
        """
        answers = reply.get(self.field)
        if not isinstance(answers, list):
            return ""
        words = [stated_status(each, self.status_field) for each in answers]
        waits = any(not word or self.status_map.get(word) is State.PENDING for word in words)
        sent = {canonical(each) for each in request.get(self.field) or ()}
        if waits or not words or len(words) < len(sent):
            return PROCESSING
        return next((word for word in words if word not in self.status_map), PROCESSED)
