"""Thousands of forged and damaged webhooks: none is accepted, none raises another error.

`SATYAPAN_TEST_WEBHOOKS=1000000 pytest tests/unit/test_webhook_forgeries.py` tries a million.
"""

import base64
import os
import shutil
import subprocess
from collections import Counter
from random import Random

import pytest

from callbacks.webhooks.verifiers import BadSignature, Verifier
from callbacks.webhooks.verifiers.cashfree import CashfreeVerifier
from callbacks.webhooks.verifiers.cashfree_body import CashfreeBodyVerifier
from tests.conftest import skip_or_fail_in_ci
from tests.support.forged_webhooks import (
    ALTERATIONS,
    NOW_MS,
    TOLERANCE_S,
    Delivery,
    forged_deliveries,
    signed_delivery,
)
from tests.web.callbacks_app import SECRET

COUNT = int(os.environ.get("SATYAPAN_TEST_WEBHOOKS", "20000"))
SECRETS = [SECRET, "an older secret"]
BY_HEADER = CashfreeVerifier(SECRETS, TOLERANCE_S, lambda: NOW_MS / 1000)
WITHOUT_TOLERANCE = CashfreeVerifier(SECRETS, 0, lambda: NOW_MS / 1000)
BY_BODY = CashfreeBodyVerifier(SECRETS)


def taken(verifier: Verifier, delivery: Delivery) -> str:
    """Return "taken", or the code of the refusal."""
    try:
        verifier.verify(*delivery)
    except BadSignature as bad:
        return bad.code
    return "taken"


@pytest.mark.timeout(0 if COUNT > 100_000 else 120)
def test_no_forgery_is_taken() -> None:
    seen: dict[str, Counter[str]] = {spoil.__name__: Counter() for spoil in ALTERATIONS}

    for name, delivery in forged_deliveries(COUNT, seed=COUNT):
        seen[name][taken(BY_HEADER, delivery)] += 1
        seen[name][taken(BY_BODY, delivery)] += 1
        if name not in {"stale", "future"}:
            seen[name][taken(WITHOUT_TOLERANCE, delivery)] += 1

    assert all(codes.total() >= 2 * (COUNT // len(ALTERATIONS)) for codes in seen.values())
    assert {name: codes["taken"] for name, codes in seen.items() if codes["taken"]} == {}
    assert set(seen["stale"]) >= {"timestamp_stale"}
    assert set(seen["future"]) >= {"timestamp_future"}


def test_what_was_not_spoilt_is_taken() -> None:
    chance = Random(1)

    assert {taken(BY_HEADER, signed_delivery(chance)) for _ in range(500)} == {"taken"}


@pytest.mark.parametrize("seed", range(10))
def test_what_openssl_signs_is_taken(seed: int) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_or_fail_in_ci("openssl is not installed")
    chance = Random(seed)
    body, stamp = b"{" + chance.randbytes(chance.randrange(2000)), str(NOW_MS + seed)

    done = subprocess.run(
        [str(openssl), "dgst", "-sha256", "-hmac", SECRET, "-binary"],
        input=stamp.encode() + body,
        capture_output=True,
        check=True,
        timeout=20,
    )

    signature = base64.b64encode(done.stdout).decode()
    headers = [("X-Webhook-Signature", signature), ("X-Webhook-Timestamp", stamp)]
    assert taken(BY_HEADER, (body, headers)) == "taken"
    assert taken(BY_HEADER, (body + b" ", headers)) == "signature_mismatch"
