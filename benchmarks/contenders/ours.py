"""Satyapan, one submit for each verification. The worker's settings are in the environment."""

from typing import Any

from satyapan import Verifications

WORKER = ["-m", "satyapan.cli", "worker"]
_client: list[Verifications] = []


def client() -> Verifications:
    """Return the client of this process."""
    if not _client:
        _client.append(Verifications.from_env())
    return _client[0]


def submit(requests: list[dict[str, Any]]) -> list[str]:
    """Submit the requests one by one."""
    return [_submit(**request) for request in requests]


def wait(verification_id: str) -> Any:
    """Wait for the answer."""
    return client().wait(verification_id, timeout=120).result


def _submit(verification_id: str, **request: Any) -> str:
    return client().submit("passport", request, verification_id=verification_id).id
