"""Sealing of private bodies: AES-256-GCM under a ring of keys, bound to the record they belong to.

Envelope: version (1 byte), length of the key id (1 byte), key id, nonce (12 bytes), ciphertext.
The record's name is the associated data, so a sealed body moved to another record does not open.
"""

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from satyapan.canonical import canonical
from satyapan.errors import Unreadable

_VERSION: Final = 1
_NONCE: Final = 12
_KEY: Final = 32
_KEY_ID: Final = 64


class KeyRing:
    """Keys by id; the first seals, all open. Rotate by putting the new key in front."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("the ring needs at least one key")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `id:base64,id:base64`, newest first; each key is 32 bytes.

        Raises:
            ValueError: a part is malformed; the text names the part's number, never its content.
        """
        keys: dict[str, bytes] = {}
        for number, part in enumerate(text.split(","), start=1):
            key_id, key = _part(number, part)
            if key_id in keys:
                raise ValueError(f"key {number}: its id is that of an earlier key")
            keys[key_id] = key
        return cls(keys)

    def seal(self, record: str, body: bytes) -> bytes:
        """Seal bytes for one record."""
        nonce = secrets.token_bytes(_NONCE)
        key_id = self.current.encode()
        sealed = self._keys[self.current].encrypt(nonce, body, record.encode())
        return bytes((_VERSION, len(key_id))) + key_id + nonce + sealed

    def open(self, record: str, envelope: bytes) -> bytes:
        """Open what was sealed for the same record.

        Raises:
            Unreadable: the key isn't in the ring, or the envelope is damaged or another record's.
        """
        start = 2 + envelope[1] if len(envelope) > 1 else 2
        key_id = envelope[2:start].decode("ascii", "backslashreplace")
        key = self._keys.get(key_id)
        if key is None or envelope[0] != _VERSION:
            raise Unreadable(record, key_id)
        nonce, sealed = envelope[start : start + _NONCE], envelope[start + _NONCE :]
        try:
            return key.decrypt(nonce, sealed, record.encode())
        except (InvalidTag, ValueError) as error:
            raise Unreadable(record, key_id) from error

    def seal_json(self, record: str, value: object) -> bytes:
        """Seal a value as canonical JSON."""
        return self.seal(record, canonical(value))

    def open_json(self, record: str, envelope: bytes) -> object:
        """Open a value sealed as JSON; raises Unreadable as `open` does."""
        return json.loads(self.open(record, envelope))


def new_key(key_id: str = "k1") -> str:
    """Make a fresh key in the form that settings take: `id:base64`."""
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _part(number: int, part: str) -> tuple[str, bytes]:
    key_id, _, encoded = part.strip().partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key_id.isascii() or not 0 < len(key_id) < _KEY_ID or len(key) != _KEY:
        raise ValueError(f"key {number}: should be id:base64 of {_KEY} bytes")
    return key_id, key
