"""A vendor as the engine knows it: the `VendorClient` protocol, which each client implements."""

from collections.abc import Mapping
from typing import Any, Protocol

from satyapan.kinds.model import Operation, Role
from worker.rules.answer import Answer


class VendorClient(Protocol):
    """A vendor as the engine uses it."""

    def call(
        self,
        operation: Operation,
        role: Role,
        vendor_id: str,
        request: Mapping[str, Any],
        redirect_url: str = "",
        item: str = "",
        reference: str = "",
    ) -> Answer:
        """Make one call and classify what came of it; raise for nothing that the outside does.

        `vendor_id` is the id of this generation, `item` the document that a document route
        fetches, `reference` the vendor's own id of it where an answer had one. A reply that names
        another is not believed. There is no retry below this: one call is at most one request.
        """
        ...
