"""How much of what a journey asked for the person shared, and the vendor delivered."""

from collections.abc import Mapping
from typing import Any, Final

from satyapan.kinds.model import Operation

NOTHING_SHARED: Final = "nothing_shared"
"""The reason of a finished journey in which the person consented to no document."""
PARTIAL: Final = "partial"
"""The reason of a finished journey that lacks some of the requested documents."""
UNAVAILABLE: Final = "UNAVAILABLE"
"""The status of a document that was consented to and can't be fetched."""


def shortfall(
    operation: Operation, request: Mapping[str, Any], documents: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return the reason for a result that lacks documents; "" if it lacks none.

    `documents` has what the person consented to, also what couldn't be fetched.
    """
    if not operation.items_field:
        return ""
    if not documents:
        return NOTHING_SHARED
    requested = set(request.get(operation.requested_field) or ())
    missed = any(each.get("status") == UNAVAILABLE for each in documents.values())
    return PARTIAL if missed or not requested <= set(documents) else ""
