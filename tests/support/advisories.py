"""Ask the OSV database for known vulnerabilities of pinned versions; run as a program.

    python -m tests.support.advisories requirements-run.lock

Prints one line for each. Exit code 1: there are some; 75: the database can't be asked.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import requests

from tests.architecture.test_packaging import pins

DATABASE: Final = "https://api.osv.dev/v1/querybatch"
JUDGED: Final[Mapping[str, str]] = {}
"""Ids of advisories that don't affect us, each with the reason."""


def advisories(lock: Path, url: str = DATABASE) -> Iterator[str]:
    """List the advisories about pinned versions.

    Raises:
        requests.RequestException: the database can't be asked.
    """
    pinned = pins(str(lock))
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in pinned.items()
    ]
    answer = requests.post(url, json={"queries": queries}, timeout=20)
    answer.raise_for_status()
    for (name, version), found in zip(pinned.items(), answer.json()["results"], strict=True):
        for each in found.get("vulns", []):
            if each["id"] not in JUDGED:
                yield f"{name} {version}: {each['id']}"


def main(arguments: list[str]) -> int:
    """Print the advisories; return the exit code."""
    try:
        found = list(advisories(Path(arguments[0]), *arguments[1:]))
    except requests.RequestException as error:
        print(f"the database can't be asked ({type(error).__name__})")
        return os.EX_TEMPFAIL
    print(*found, sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
