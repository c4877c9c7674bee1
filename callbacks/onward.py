"""Where a person may be sent on to: an address the producer gave, on a host that settings allow."""

from collections.abc import Collection
from urllib.parse import urlunsplit

from satyapan.hosts import allowed


def onward_url(return_url: str, verification_id: str, hosts: Collection[str]) -> str | None:
    """Give the producer's address with our `verification_id` in its query; None if not allowed.

    See `satyapan.hosts.allowed` for `hosts`.
    """
    parts = allowed(return_url, hosts)
    if parts is None:
        return None
    kept = [pair for pair in parts.query.split("&") if pair and _name(pair) != "verification_id"]
    query = "&".join([*kept, f"verification_id={verification_id}"])
    return urlunsplit(parts._replace(query=query))


def _name(pair: str) -> str:
    return pair.partition("=")[0]
