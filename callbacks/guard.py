"""Who may send webhooks at all, judged by address before anything is read or computed.

An address is no proof: the signature is. This only keeps strangers from keeping us busy.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

MOST: Final = 10_000
"""How many addresses are remembered; beyond it the longest unseen is forgotten."""
_MINUTE_S: Final = 60
_HOME: Final = 64
"""One IPv6 customer has at least so many bits for itself."""


class Guard:
    """Judges addresses: `vendors` lists who may send (empty: anybody).

    Each address may be refused `per_minute` times (0: no limit); whoever was refused more often
    has to wait. Good webhooks cost nothing, so the vendor is never held up. Each process counts
    for itself.
    """

    def __init__(
        self,
        vendors: Iterable[str],
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vendors = [ip_network(each) for each in vendors]
        self._most = per_minute
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def allows(self, address: str | None) -> bool:
        """Tell whether webhooks may come from here."""
        found = _parsed(address)
        return not self._vendors or any(found in each for each in self._vendors if found)

    def wait_s(self, address: str | None) -> float:
        """Give the seconds for which this address has to wait; 0 when it needn't."""
        with self._lock:
            left = self._refilled(customer(address), self._clock())
        return 0.0 if left >= 1 or not self._most else (1 - left) * _MINUTE_S / self._most

    def refused(self, address: str | None) -> None:
        """Note that a webhook from this address was refused."""
        who, now = customer(address), self._clock()
        with self._lock:
            self._left[who] = self._refilled(who, now) - 1, now
            self._left.move_to_end(who)
            while len(self._left) > MOST:
                self._left.popitem(last=False)

    def _refilled(self, who: str, now: float) -> float:
        left, at = self._left.get(who, (float(self._most), now))
        return min(float(self._most), left + (now - at) * self._most / _MINUTE_S)


def _parsed(address: str | None) -> IPv4Address | IPv6Address | None:
    """Read an address; one that a socket shows as IPv4 within IPv6 is the former."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def customer(address: str | None) -> str:
    """Name whoever shares an address; what has none (a unix socket) is one customer."""
    found = _parsed(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _HOME), strict=False))
    return str(found or "")
