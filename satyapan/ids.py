"""Identifiers: the vendor's rule for them, ids derived from a key, ids of generations."""

import base64
import hashlib
import re
import unicodedata
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from satyapan.canonical import digest
from satyapan.errors import Fault

MAX_LENGTH: Final = 50
"""The vendor's limit for `verification_id` (passport and DigiLocker pages)."""
_ALLOWED: Final = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_HASHED: Final = 26
_RESERVED: Final = re.compile(rf"\.g[0-9]+$|^v_[a-z2-7]{{{_HASHED}}}$", re.ASCII)
_LONGEST_KEY: Final = 1000


def id_faults(verification_id: object) -> list[Fault]:
    """List what is wrong with a verification_id, in the vendor's words."""
    name = "verification_id"
    if not isinstance(verification_id, str) or not verification_id:
        return [Fault(name, f"{name}_missing", f"{name} is missing in the request.")]
    faults = []
    if not _ALLOWED.fullmatch(verification_id):
        words = f"{name} can include only alphanum, dot, hyphen and underscores."
        faults.append(Fault(name, f"{name}_value_invalid", words))
    if len(verification_id) > MAX_LENGTH:
        words = f"{name} can include a maximum of {MAX_LENGTH} characters."
        faults.append(Fault(name, f"{name}_length_exceeded", words))
    if _RESERVED.search(verification_id):
        words = f"{name} may not end in .g and a number, or be v_ and a hash: those are made here."
        faults.append(Fault(name, f"{name}_value_invalid", words))
    return faults


def possible_id(value: object) -> str:
    """Return an id that a stored verification can have as it is, and "" for anything else."""
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not _ALLOWED.fullmatch(value):
        return ""
    return str.__str__(value)


def key_faults(key: object) -> list[Fault]:
    """List what is wrong with a producer's own key, from which the id is derived."""
    if not isinstance(key, str):
        return [Fault("key", "key_value_invalid", "key should be text.")]
    if not key:
        return [Fault("key", "key_missing", "key is empty.")]
    if len(key) > _LONGEST_KEY:
        message = f"key can have at most {_LONGEST_KEY} characters."
        return [Fault("key", "key_length_exceeded", message)]
    return []


def producer_key(id_key: bytes, producer: str) -> bytes:
    """Derive a producer's own id key from the installation's: 32 bytes, HKDF-SHA-256 over its name.

    Two producers that use the same key for the same kind get two ids, and the digests of the same
    request differ. A producer that holds only this key gets the same ids and digests.
    """
    info = b"satyapan producer id key\0" + producer.encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(id_key)


def derive_id(own_key: bytes, kind: str, key: str) -> str:
    """Derive the verification_id for a producer's own key: always the same one.

    `own_key` is the `producer_key`. The id can't be turned back into `key`, so `key` may be
    anything the producer has (a customer number). It stays the same even if Redis lost everything.

    The id is that of the key's NFC form: whether a letter and its accent come as one character or
    as two depends on the keyboard, browser or database, not on the producer.
    """
    # Half of a surrogate pair, as JSON can carry it, is a key like any other.
    raw = unicodedata.normalize("NFC", key).encode("utf-8", "surrogatepass")
    return f"v-{_short(bytes.fromhex(digest(own_key, b'id', kind.encode(), raw)))}"


def child_id(id_key: bytes, parent: str, vendor_id: str, reply_to: str) -> str:
    """Name the row of a person who used a shared link, under an id that we never issued."""
    parts = (b"child", parent.encode(), vendor_id.encode(), reply_to.encode())
    return f"c-{_short(bytes.fromhex(digest(id_key, *parts)))}"


def generation_id(verification_id: str, generation: int) -> str:
    """Name the vendor-side id of a generation; the first is the verification_id itself."""
    if generation == 1:
        return verification_id
    suffix = f".g{generation}"
    if len(verification_id) + len(suffix) <= MAX_LENGTH:
        return verification_id + suffix
    return f"v-{_short(hashlib.sha256(verification_id.encode()).digest())}{suffix}"


def hashed_id(vendor_id: str) -> str:
    """Derive an id of letters, digits and _ for an operation that allows nothing else."""
    return f"v_{_short(hashlib.sha256(vendor_id.encode()).digest())}"


def link_alias(id_key: bytes, link: str) -> str:
    """Name a shared link by keyed digest: links are private, keys are not."""
    return digest(id_key, b"link", link.encode())


def _short(raw: bytes) -> str:
    """Write 130 bits in letters and digits that every operation of the vendor accepts."""
    return base64.b32encode(raw).decode().lower()[:_HASHED]
