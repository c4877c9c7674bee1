"""Which addresses a person may be sent on to: https, on a host that settings allow."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit


def allowed(url: str, hosts: Collection[str]) -> SplitResult | None:
    """Split an address that leads to one of the hosts; None for any other.

    `hosts` are names, with a port where it isn't the usual one.
    """
    # Browsers and Python disagree on what spaces and line ends in an address mean.
    if any(sign <= " " for sign in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    # The whole authority is compared: what a browser may read in another way (a user part, a
    # backslash, another port) is no host that settings allow.
    good = parts.netloc.lower() in {host.lower() for host in hosts}
    return parts if good and parts.scheme == "https" else None
