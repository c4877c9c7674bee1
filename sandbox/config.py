"""The settings of one sandbox; the command line and the tests set them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DEFAULT_ACCOUNTS: Mapping[str, str] = {"sandbox-client": "sandbox-secret"}
TEST_SECRET = "test-environment-secret"  # noqa: S105 - made up


@dataclass(frozen=True)
class SandboxConfig:
    """Settings of one sandbox. Durations are seconds unless the name says otherwise.

    ``accounts`` maps client id to client secret. ``test_secret`` is refused as a test secret used
    in production. ``signature_key`` is a private key (PEM) that decrypts ``x-cf-signature``.
    ``quotas`` overrides the calls per minute of some operations. ``operations`` are folders with
    more operation files than the sandbox's own. ``loopback_redirects`` is the only deliberate
    deviation from the vendor's rules: it also accepts plain http for redirects to this machine.
    ``failed_consumes_id`` and ``repeat_link_is_new`` decide what the vendor does not document.
    """

    accounts: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_ACCOUNTS))
    test_secret: str = TEST_SECRET
    require_signature: bool = False
    signature_key: str | None = None
    webhook_url: str | None = None
    webhook_attempts: int = 5
    webhook_backoff_s: float = 0.2
    quotas: Mapping[str, int] = field(default_factory=dict)
    quota_window_s: float = 60.0
    loopback_redirects: bool = False
    public_base: str | None = None
    url_lifetime_s: float = 600.0
    consent_lifetime_s: float = 3600.0
    latency_ms: int = 0
    document_202: int = 0
    failed_consumes_id: bool = False
    repeat_link_is_new: bool = True
    audit_file: str | None = None
    operations: Sequence[str] = ()
