"""A producer with a failpoint, run as `failpoint_producer KIND REQUEST ID`."""

import json
import os
import sys
import time
from contextlib import suppress

from satyapan import Unavailable, Verification, Verifications
from satyapan.failpoints import enable


def main(kind: str, request: str, verification_id: str) -> Verification:
    """Submit one verification, repeatedly until it is confirmed."""
    enable(os.environ)
    producer = Verifications.from_env()
    for _ in range(100):
        with suppress(Unavailable):
            return producer.submit(kind, json.loads(request), verification_id=verification_id)
        time.sleep(0.2)
    raise SystemExit("never confirmed")


if __name__ == "__main__":
    main(*sys.argv[1:])
