"""The producers' package: submit verifications, wait for them, read and watch their results.

from satyapan import Verifications

verifications = Verifications.from_env()
passport = verifications.submit(
    "passport", {"file_number": "PA1079341954215", "dob": "2007-03-01"}, key="customer-17"
)
print(verifications.wait(passport.id, timeout=60).status)
"""

import importlib
import typing

from satyapan.errors import (
    Conflict,
    Fault,
    InvalidRequest,
    NotFound,
    SatyapanError,
    StillOpen,
    Unavailable,
    Unreadable,
)
from satyapan.events import Event
from satyapan.records import State, Verification
from satyapan.settings.declaration import SettingsError
from satyapan.settings.producer import ProducerSettings

if typing.TYPE_CHECKING:
    from satyapan.client import Verifications, linked, settled
else:

    def __getattr__(name: str) -> object:
        """Import the client when it is asked for: it brings Celery, the slowest part by far."""
        if name not in {"Verifications", "linked", "settled"}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module("satyapan.client"), name)


__all__ = [
    "Conflict",
    "Event",
    "Fault",
    "InvalidRequest",
    "NotFound",
    "ProducerSettings",
    "SatyapanError",
    "SettingsError",
    "State",
    "StillOpen",
    "Unavailable",
    "Unreadable",
    "Verification",
    "Verifications",
    "linked",
    "settled",
]
