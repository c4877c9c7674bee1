"""Where a person may be sent on to: an address the producer gave, on a host that settings allow."""

from collections.abc import Collection
from urllib.parse import urlsplit, urlunsplit


def onward_url(return_url: str, verification_id: str, hosts: Collection[str]) -> str | None:
    """Give the producer's address with our `verification_id` in its query; None if not allowed.

    `hosts` are lower-case names, with a port where it isn't the usual one. Browsers read a
    backslash as a slash and drop tabs and line ends, which would lead elsewhere than Python sees.
    """
    if any(sign <= " " or sign in "\\\x7f" for sign in return_url):
        return None
    try:
        parts = urlsplit(return_url)
    except ValueError:
        return None
    # The whole authority, so that no user part and no other port gets by.
    if parts.scheme != "https" or parts.netloc.lower() not in hosts:
        return None
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) != "verification_id"]
    query = "&".join([*kept, f"verification_id={verification_id}"])
    return urlunsplit(parts._replace(query=query))


def _name(pair: str) -> str:
    return pair.partition("=")[0]
