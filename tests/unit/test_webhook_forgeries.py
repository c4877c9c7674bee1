"""Thousands of forged and damaged webhooks: all are refused, and none raises another error.

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


def verdict(verifier: Verifier, delivery: Delivery) -> str:
    """Return "accepted", or the code of the refusal."""
    try:
        verifier.verify(*delivery)
    except BadSignature as bad:
        return bad.code
    return "accepted"


@pytest.mark.timeout(0 if COUNT > 100_000 else 120)
def test_no_forgery_is_accepted() -> None:
    seen: dict[str, Counter[str]] = {alter.__name__: Counter() for alter in ALTERATIONS}

    for name, delivery in forged_deliveries(COUNT, seed=COUNT):
        seen[name][verdict(BY_HEADER, delivery)] += 1
        seen[name][verdict(BY_BODY, delivery)] += 1
        if name not in {"stale", "future"}:
            seen[name][verdict(WITHOUT_TOLERANCE, delivery)] += 1

    assert all(codes.total() >= 2 * (COUNT // len(ALTERATIONS)) for codes in seen.values())
    assert {name: codes["accepted"] for name, codes in seen.items() if codes["accepted"]} == {}
    assert set(seen["stale"]) >= {"timestamp_stale"}
    assert set(seen["future"]) >= {"timestamp_future"}


def test_an_unaltered_delivery_is_accepted() -> None:
    rng = Random(1)

    assert {verdict(BY_HEADER, signed_delivery(rng)) for _ in range(500)} == {"accepted"}


@pytest.mark.parametrize("seed", range(10))
def test_a_signature_made_by_openssl_is_accepted(seed: int) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        skip_or_fail_in_ci("openssl is not installed")
    rng = Random(seed)
    body, stamp = b"{" + rng.randbytes(rng.randrange(2000)), str(NOW_MS + seed)

    done = subprocess.run(
        [str(openssl), "dgst", "-sha256", "-hmac", SECRET, "-binary"],
        input=stamp.encode() + body,
        capture_output=True,
        check=True,
        timeout=20,
    )

    signature = base64.b64encode(done.stdout).decode()
    headers = [("X-Webhook-Signature", signature), ("X-Webhook-Timestamp", stamp)]
    assert verdict(BY_HEADER, (body, headers)) == "accepted"
    assert verdict(BY_HEADER, (body + b" ", headers)) == "signature_mismatch"
