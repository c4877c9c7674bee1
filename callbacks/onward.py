"""Where a person may be sent on to: an address the producer gave, on a host that settings allow."""

from collections.abc import Collection
from urllib.parse import urlsplit, urlunsplit


def onward_url(return_url: str, verification_id: str, hosts: Collection[str]) -> str | None:
    """Give the producer's address with our `verification_id` in its query; None if not allowed.

    `hosts` are lower-case names, with a port where it isn't the usual one.
    """
    # Browsers and Python disagree on what spaces and line ends in an address mean.
    if any(sign <= " " for sign in return_url):
        return None
    try:
        parts = urlsplit(return_url)
    except ValueError:
        return None
    # The whole authority is compared: what a browser may read in another way (a user part, a
    # backslash, another port) is no host that settings allow.
    if parts.scheme != "https" or parts.netloc.lower() not in hosts:
        return None
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) != "verification_id"]
    query = "&".join([*kept, f"verification_id={verification_id}"])
    return urlunsplit(parts._replace(query=query))


def _name(pair: str) -> str:
    return pair.partition("=")[0]
