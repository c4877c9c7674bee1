"""A producer that may die where it is armed, run as `armed_producer KIND REQUEST ID`."""

import json
import os
import sys

from satyapan import Verifications
from satyapan.points import arm


def main(kind: str, request: str, verification_id: str) -> None:
    """Submit one verification."""
    arm(os.environ)
    Verifications.from_env().submit(kind, json.loads(request), verification_id=verification_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
