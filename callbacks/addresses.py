"""Read the address of a request's sender."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

_IPV6_CUSTOMER_BITS: Final = 64
"""One IPv6 customer has a network of its own with a prefix of at most this many bits."""


def parse_address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Parse an address, or return None; an IPv4 address mapped into IPv6 becomes IPv4 again."""
    try:
        found = ip_address(text or "")
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def customer(text: str | None) -> str:
    """Return the IPv4 address, or the network that one IPv6 customer has; "" if there is none."""
    found = parse_address(text)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_CUSTOMER_BITS), strict=False))
    return str(found or "")
