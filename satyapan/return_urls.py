"""Check the addresses that people are sent on to: https, on a host that settings allow."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit


def split_allowed(url: str, hosts: Collection[str]) -> SplitResult | None:
    """Split a return URL on one of the hosts; None for any other.

    `hosts` are names, with a port where it isn't the usual one.
    """
    # Browsers and Python disagree about spaces and line ends in an address.
    if any(sign <= " " for sign in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    # The whole authority is compared: browsers may read a user part, a backslash or a port
    # differently, and no allowed host has them.
    good = parts.netloc.lower() in {host.lower() for host in hosts}
    return parts if good and parts.scheme == "https" else None
