"""Where the vendor sends a person who is done."""

from urllib.parse import quote


def redirect_target(url: str | None, name: str, own_id: str) -> str | None:
    """Return the client's address with its id added to the query, None if there is no address."""
    if url is None:
        return None
    address, mark, fragment = url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}{name}={quote(own_id)}{mark}{fragment}"
