"""Limit which addresses may send webhooks, and how many badly signed ones.

An address proves nothing: the signature does. This only bounds the work that strangers can cause.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import ip_network
from typing import Final

from callbacks.addresses import customer, parse_address

MAX_SENDERS: Final = 10_000
"""Senders that are remembered; beyond this the one refused longest ago is dropped."""
_MINUTE_S: Final = 60


class SenderLimits:
    """Checks the addresses of senders.

    `networks` are those that may send; empty: all. Each sender has `refusals_per_minute` (0: no
    limit); beyond this it has to wait. Only refused webhooks count, so the vendor is never held up.
    Each process counts for itself.
    """

    def __init__(
        self,
        networks: Iterable[str],
        refusals_per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._networks = [ip_network(each) for each in networks]
        self._per_minute = refusals_per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """For each sender: the refusals that it has left, and when that was computed."""
        self._lock = threading.Lock()

    def allows(self, address: str | None) -> bool:
        """Return True if webhooks may come from this address."""
        found = parse_address(address)
        return not self._networks or any(found in each for each in self._networks if found)

    def wait_s(self, address: str | None) -> float:
        """Return the seconds for which this address has to wait; 0: it may send now."""
        with self._lock:
            left = self._refilled(customer(address), self._clock())
        if left >= 1 or not self._per_minute:
            return 0.0
        return (1 - left) * _MINUTE_S / self._per_minute

    def count_refusal(self, address: str | None) -> None:
        """Count a refused webhook from this address."""
        sender, now = customer(address), self._clock()
        with self._lock:
            self._left[sender] = self._refilled(sender, now) - 1, now
            self._left.move_to_end(sender)
            while len(self._left) > MAX_SENDERS:
                self._left.popitem(last=False)

    def _refilled(self, sender: str, now: float) -> float:
        """Return the refusals that a sender has left now."""
        full = float(self._per_minute)
        left, computed_at = self._left.get(sender, (full, now))
        return min(full, left + (now - computed_at) * self._per_minute / _MINUTE_S)
