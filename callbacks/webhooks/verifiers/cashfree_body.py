"""Cashfree's older webhook signature, inside the body; for flat payloads only.

The body's `signature` is the base64 of HMAC-SHA256 over the values of `data`, concatenated in the
order of their names. It proves neither the event's name nor its time, nor where one value ends and
the next begins. Therefore it is accepted only if a setting asks for it. Nested values are always
refused, because how the vendor serialises them is not documented.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from callbacks.webhooks.verifiers import BadSignature, require_signature

_MALFORMED: Final = "body_malformed"


class CashfreeBodyVerifier:
    """Checks signatures inside flat bodies against several secrets."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # Anybody can sign with an empty key.
        self._keys = [secret.encode() for secret in secrets if secret]

    def verify(self, body: bytes, _headers: Iterable[tuple[str, str]]) -> None:
        """Return None if the body was signed with one of the secrets; else raise BadSignature."""
        content = _content(body)
        if "signature" not in content:
            raise BadSignature("signature_missing")
        try:
            signature = str(content["signature"]).encode("ascii")
            signed = _values(content.get("data")).encode()
        except UnicodeEncodeError:
            raise BadSignature("signature_malformed") from None
        require_signature(self._keys, signed, signature)


def _content(body: bytes) -> dict[str, Any]:
    """Parse a body and keep its numbers as they are written."""
    try:
        content = json.loads(
            body,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse,
            object_pairs_hook=_unique_names,
        )
    except (ValueError, RecursionError):
        raise BadSignature(_MALFORMED) from None
    if not isinstance(content, dict):
        raise BadSignature(_MALFORMED)
    return content


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated name: two parsers could read two different values."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError
    return dict(pairs)


def _refuse(_constant: str) -> None:
    raise ValueError


def _values(data: object) -> str:
    if not isinstance(data, dict) or not all(isinstance(each, str) for each in data.values()):
        raise BadSignature("not_flat")
    return "".join(data[name] for name in sorted(data))
