"""Check the form of wake-ups. Everything else in a queue is dropped: its row stays due.

A message is rebuilt from its checked parts, so that nothing else in it reaches Kombu or Celery: no
time to wait for, no time limit, no other serializer, no task to publish afterwards.

Knows the form of a message; does no I/O but log.
"""

import json
import logging
import re
from base64 import b64decode
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

from satyapan.ids import id_faults
from satyapan.names import INGEST, QUEUE_OF, QUEUES, STATUS_CHECK

MOST_IDS: Final = 1_000
"""The most that SATYAPAN_CHUNK allows."""
MOST_BYTES: Final = 128 * 1024
"""More than a message with MOST_IDS ids of the greatest length has. Longer ones aren't parsed."""
_MOST: Final = {STATUS_CHECK: 1, INGEST: 1}
"""Each id of these tasks costs calls of its own, and our senders send one id only."""
_INBOX_ID: Final = re.compile(r"[0-9a-f]{64}")
_FORM: Final = {"content-type": "application/json", "content-encoding": "utf-8"}
_UNUSED: Final = ("eta", "expires", "group", "compression")
_EMBED: Final = frozenset(["callbacks", "errbacks", "chain", "chord"])
_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
"""Celery's and Kombu's own ids are UUIDs."""

Wake = Callable[[str, Sequence[str]], bool]
"""Send a wake-up: (task, ids) to True, or False if the broker didn't confirm it."""

log = logging.getLogger("satyapan.wakeups")


class Broken(ValueError):
    """The message is no wake-up; the text is a code that says what is wrong."""


def take(raw: bytes, queue: str) -> dict[str, Any] | None:
    """Return the message that was taken from a queue, rebuilt; log and return None if broken."""
    try:
        return _rebuilt(_parsed(raw), queue)
    except Broken as broken:
        _log_broken(raw, queue, str(broken))
        return None


def take_back(raw: bytes) -> tuple[dict[str, Any], str] | None:
    """Return an unacknowledged message, rebuilt, and its queue; log and return None if broken."""
    try:
        match _parsed(raw):
            case [message, "", str(queue)] if queue in QUEUES:
                return _rebuilt(message, queue), queue
        raise Broken("unacked")  # noqa: TRY301
    except Broken as broken:
        _log_broken(raw, "unacked", str(broken))
        return None


def _log_broken(raw: bytes, queue: str, code: str) -> None:
    fields = {
        "code": code,
        "queue": queue,
        "size": len(raw),
        "digest": sha256(raw).hexdigest()[:16],
    }
    log.warning("broken message dropped", extra=fields)


def _parsed(raw: bytes) -> Any:  # noqa: ANN401  whatever JSON holds
    if len(raw) > MOST_BYTES:
        raise Broken("too_long")
    try:
        return json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Broken("not_json") from error


def _rebuilt(message: object, queue: str) -> dict[str, Any]:
    match message:
        case {"body": str(body), "headers": dict(headers), "properties": dict(properties), **rest}:
            pass
        case _:
            raise Broken("envelope")
    if any(rest.get(name) != value for name, value in _FORM.items()):
        raise Broken("content")
    task, tag = _task(headers), _tag(properties)
    ids = _ids(body, task)
    return {
        "body": body,
        **_FORM,
        "headers": {"lang": "py", **task, "argsrepr": f"{ids} ids", "kwargsrepr": "{}"},
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": tag,
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


def _task(headers: dict[str, Any]) -> dict[str, str]:
    match headers:
        case {"task": str(task), "id": str(one)} if task in QUEUE_OF and _NAME.fullmatch(one):
            if any(headers.get(name) is not None for name in _UNUSED):
                raise Broken("headers")
            return {"task": task, "id": one}
    raise Broken("task")


def _tag(properties: dict[str, Any]) -> str:
    match properties:
        case {"delivery_tag": str(tag), "body_encoding": "base64"} if _NAME.fullmatch(tag):
            return tag
    raise Broken("properties")


def _ids(body: str, task: dict[str, str]) -> int:
    """Check each id of a body; return how many there are."""
    try:
        decoded = b64decode(body, validate=True)
    except ValueError as error:
        raise Broken("body_encoding") from error
    match _parsed(decoded):
        case [[list(ids)], dict(kwargs), dict(embed)] if not kwargs:
            pass
        case _:
            raise Broken("body")
    if not embed.keys() <= _EMBED or any(value is not None for value in embed.values()):
        raise Broken("embed")
    if not 0 < len(ids) <= _MOST.get(task["task"], MOST_IDS):
        raise Broken("count")
    if not all(map(_is_webhook_id if task["task"] == INGEST else _is_id, ids)):
        raise Broken("ids")
    return len(ids)


def _is_id(one: object) -> bool:
    return not id_faults(one)


def _is_webhook_id(one: object) -> bool:
    return isinstance(one, str) and _INBOX_ID.fullmatch(one) is not None
