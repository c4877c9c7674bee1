"""Webhooks that nobody with the secret sent: every way to spoil a good one, by the thousand.

The good one is signed by `tests.web.callbacks_app`, which shares nothing with the code under test.
"""

import base64
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from tests.web.callbacks_app import EVENT, SECRET, sign, written

NOW_MS: Final = 1_767_607_872_000
TOLERANCE_S: Final = 300
DEEP: Final = 50_000
HUGE: Final = 100_000

Headers = list[tuple[str, str]]
Delivery = tuple[bytes, Headers]
_SIGNATURE: Final = "x-webhook-signature"
_TIMESTAMP: Final = "x-webhook-timestamp"


def good(chance: Random) -> Delivery:
    """Make a delivery as the vendor would."""
    event = {**EVENT, "data": {"verification_id": f"dl-{chance.randrange(10**6)}", "n": 1.5}}
    return _signed(written(event), str(NOW_MS + chance.randrange(-200_000, 200_000)))


def forgeries(count: int, seed: int) -> Iterator[tuple[str, Delivery]]:
    """Walk so many spoilt deliveries, each with the name of what was done to it."""
    chance = Random(seed)
    for number in range(count):
        spoil = SPOILERS[number % len(SPOILERS)]
        yield spoil.__name__, spoil(chance, *good(chance))


def _signed(body: bytes, timestamp: str, secret: str = SECRET) -> Delivery:
    return body, [(_SIGNATURE, sign(secret, timestamp, body)), (_TIMESTAMP, timestamp)]


def _flipped(chance: Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :]


def _changed(headers: Headers, name: str, value: str) -> Headers:
    return [(each, value if each == name else old) for each, old in headers]


def flipped_body(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the body."""
    return _flipped(chance, body), headers


def flipped_signature(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the signature's text."""
    text = _flipped(chance, headers[0][1].encode()).decode("latin-1")
    return body, _changed(headers, _SIGNATURE, text)


def flipped_timestamp(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the timestamp's text."""
    text = _flipped(chance, headers[1][1].encode()).decode("latin-1")
    return body, _changed(headers, _TIMESTAMP, text)


def moved_boundary(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """The same signed bytes, cut elsewhere between timestamp and body."""
    stamp = headers[1][1]
    at = chance.randrange(1, len(stamp))
    return stamp[at:].encode() + body, _changed(headers, _TIMESTAMP, stamp[:at])


def moved_digits(chance: Random, body: bytes, _headers: Headers) -> Delivery:
    """A body that begins with digits, some of which were moved to or from the timestamp."""
    digits = str(chance.randrange(10**12, 10**13)) + str(chance.randrange(10**5))
    stamp, start = str(NOW_MS), chance.randrange(1, 18)
    cut = chance.choice([each for each in range(1, 13 + start) if each != 13])
    _, headers = _signed(digits[:start].encode() + body, stamp)
    signed = stamp + digits[:start]
    return signed[cut:].encode() + body, _changed(headers, _TIMESTAMP, signed[:cut])


def truncated(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """A body without its end."""
    return body[: chance.randrange(len(body))], headers


def longer(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """A body with something behind it."""
    return body + chance.randbytes(chance.randrange(1, 40)), headers


def rewritten(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """The same JSON in other bytes."""
    indent = chance.randrange(1, 5)
    return json.dumps(json.loads(body), indent=indent).encode(), headers


def wrong_secret(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """Signed by somebody else."""
    other = chance.choice(
        [SECRET[:-1], SECRET + "x", SECRET.upper(), "", chance.randbytes(9).hex()]
    )
    return _signed(body, headers[1][1], other)


def stale(chance: Random, body: bytes, _headers: Headers) -> Delivery:
    """Well signed, too long ago."""
    return _signed(body, str(NOW_MS - TOLERANCE_S * 1000 - chance.randrange(1, 10**11)))


def future(chance: Random, body: bytes, _headers: Headers) -> Delivery:
    """Well signed, for a time to come."""
    return _signed(body, str(NOW_MS + TOLERANCE_S * 1000 + chance.randrange(1, 10**11)))


def missing_header(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """One header or both left out."""
    return body, chance.choice([headers[:1], headers[1:], []])


def doubled_header(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """One header twice, the second time perhaps under another spelling."""
    name, value = chance.choice(headers)
    again = (chance.choice([name, name.upper(), name.title()]), chance.choice([value, "x"]))
    return body, [*headers, again]


def not_ascii(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """Signs from beyond ASCII in a header; digits among them."""
    name, value = chance.choice(headers)
    at = chance.randrange(len(value))
    return body, _changed(headers, name, value[:at] + chance.choice("é²¼ß\xa0") + value[at + 1 :])


def bad_base64(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """A signature written otherwise: other letters, padding, hex, spaces, two at once."""
    text = headers[0][1]
    raw = base64.b64decode(text)
    url_safe = text.replace("+", "-").replace("/", "_").rstrip("=")
    others = [url_safe, text + "=", raw.hex(), f"{text},{text}", f"v1,{text}", "", "=" * 44]
    return body, _changed(headers, _SIGNATURE, chance.choice(others))


def invalid_utf8(chance: Random, _body: bytes, headers: Headers) -> Delivery:
    """Bytes that are no text."""
    return chance.randbytes(chance.randrange(1, 300)), headers


def deep(chance: Random, _body: bytes, headers: Headers) -> Delivery:
    """JSON that is nothing but depth."""
    return chance.choice([b"[", b'{"a":']) * chance.randrange(1, DEEP // 5), headers


def huge(chance: Random, body: bytes, headers: Headers) -> Delivery:
    """A body of more than the cap, once in a while; else a long one."""
    return body.ljust(chance.choice([HUGE, *[5_000] * 20])), headers


def signed_elsewhere(chance: Random, body: bytes, _headers: Headers) -> Delivery:
    """The good signature of another delivery."""
    return body, good(chance)[1]


SPOILERS: Final[tuple[Callable[[Random, bytes, Headers], Delivery], ...]] = (
    flipped_body,
    flipped_signature,
    flipped_timestamp,
    moved_boundary,
    moved_digits,
    truncated,
    longer,
    rewritten,
    wrong_secret,
    stale,
    future,
    missing_header,
    doubled_header,
    not_ascii,
    bad_base64,
    invalid_utf8,
    deep,
    huge,
    signed_elsewhere,
)
