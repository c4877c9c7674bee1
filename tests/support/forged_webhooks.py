"""Forged webhooks: every way to alter a signed one, by the thousand.

`tests.web.callbacks_app` signs the good one; it shares no code with what is tested.
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


def signed_delivery(rng: Random) -> Delivery:
    """Build a delivery as the vendor does."""
    event = {**EVENT, "data": {"verification_id": f"dl-{rng.randrange(10**6)}", "n": 1.5}}
    return _signed(written(event), str(NOW_MS + rng.randrange(-200_000, 200_000)))


def forged_deliveries(count: int, seed: int) -> Iterator[tuple[str, Delivery]]:
    """Yield altered deliveries, each with the name of the change."""
    rng = Random(seed)
    for number in range(count):
        alter = ALTERATIONS[number % len(ALTERATIONS)]
        yield alter.__name__, alter(rng, *signed_delivery(rng))


def _signed(body: bytes, timestamp: str, secret: str = SECRET) -> Delivery:
    return body, [(_SIGNATURE, sign(secret, timestamp, body)), (_TIMESTAMP, timestamp)]


def _flipped(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def _changed(headers: Headers, name: str, value: str) -> Headers:
    return [(each, value if each == name else old) for each, old in headers]


def flipped_body(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the body."""
    return _flipped(rng, body), headers


def flipped_signature(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the signature's text."""
    text = _flipped(rng, headers[0][1].encode()).decode("latin-1")
    return body, _changed(headers, _SIGNATURE, text)


def flipped_timestamp(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """One bit of the timestamp's text."""
    text = _flipped(rng, headers[1][1].encode()).decode("latin-1")
    return body, _changed(headers, _TIMESTAMP, text)


def moved_boundary(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """The same signed bytes, cut elsewhere between timestamp and body."""
    stamp = headers[1][1]
    at = rng.randrange(1, len(stamp))
    return stamp[at:].encode() + body, _changed(headers, _TIMESTAMP, stamp[:at])


def moved_digits(rng: Random, body: bytes, _headers: Headers) -> Delivery:
    """A body that begins with digits, some of which were moved to or from the timestamp."""
    digits = str(rng.randrange(10**12, 10**13)) + str(rng.randrange(10**5))
    stamp, start = str(NOW_MS), rng.randrange(1, 18)
    cut = rng.choice([each for each in range(1, 13 + start) if each != 13])
    _, headers = _signed(digits[:start].encode() + body, stamp)
    signed = stamp + digits[:start]
    return signed[cut:].encode() + body, _changed(headers, _TIMESTAMP, signed[:cut])


def truncated(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """A body without its end."""
    return body[: rng.randrange(len(body))], headers


def longer(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """A body with bytes appended."""
    return body + rng.randbytes(rng.randrange(1, 40)), headers


def rewritten(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """The same JSON in other bytes."""
    indent = rng.randrange(1, 5)
    return json.dumps(json.loads(body), indent=indent).encode(), headers


def wrong_secret(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """A signature with another secret."""
    other = rng.choice([SECRET[:-1], SECRET + "x", SECRET.upper(), "", rng.randbytes(9).hex()])
    return _signed(body, headers[1][1], other)


def stale(rng: Random, body: bytes, _headers: Headers) -> Delivery:
    """A good signature, too long ago."""
    return _signed(body, str(NOW_MS - TOLERANCE_S * 1000 - rng.randrange(1, 10**11)))


def future(rng: Random, body: bytes, _headers: Headers) -> Delivery:
    """A good signature, for a time in the future."""
    return _signed(body, str(NOW_MS + TOLERANCE_S * 1000 + rng.randrange(1, 10**11)))


def missing_header(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """One header or both missing."""
    return body, rng.choice([headers[:1], headers[1:], []])


def doubled_header(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """One header twice, the second time perhaps spelt differently."""
    name, value = rng.choice(headers)
    again = (rng.choice([name, name.upper(), name.title()]), rng.choice([value, "x"]))
    return body, [*headers, again]


def not_ascii(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """Characters outside ASCII in a header, digits among them."""
    name, value = rng.choice(headers)
    at = rng.randrange(len(value))
    return body, _changed(headers, name, value[:at] + rng.choice("é²¼ß\xa0") + value[at + 1 :])


def bad_base64(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """A signature in another form: other alphabet, padding, hex, two at once."""
    text = headers[0][1]
    raw = base64.b64decode(text)
    url_safe = text.replace("+", "-").replace("/", "_").rstrip("=")
    others = [url_safe, text + "=", raw.hex(), f"{text},{text}", f"v1,{text}", "", "=" * 44]
    return body, _changed(headers, _SIGNATURE, rng.choice(others))


def invalid_utf8(rng: Random, _body: bytes, headers: Headers) -> Delivery:
    """Bytes that are not text."""
    return rng.randbytes(rng.randrange(1, 300)), headers


def deep(rng: Random, _body: bytes, headers: Headers) -> Delivery:
    """JSON that consists of nesting alone."""
    return rng.choice([b"[", b'{"a":']) * rng.randrange(1, DEEP // 5), headers


def huge(rng: Random, body: bytes, headers: Headers) -> Delivery:
    """A body above the size limit, or a long one."""
    return body.ljust(rng.choice([HUGE, *[5_000] * 20])), headers


def signed_elsewhere(rng: Random, body: bytes, _headers: Headers) -> Delivery:
    """The good signature of another delivery."""
    return body, signed_delivery(rng)[1]


ALTERATIONS: Final[tuple[Callable[[Random, bytes, Headers], Delivery], ...]] = (
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
