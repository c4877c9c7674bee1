"""Broken Celery messages, by what is wrong with each, and a correct one."""

import json
import zlib
from base64 import b64encode
from typing import Any, Final

from satyapan.names import INGEST, RUN, RUN_QUEUE, STATUS_CHECK

NOTHING: Final[dict[str, Any]] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
DEEP: Final = 100_000


def encode(content: object) -> str:
    """Encode a body as Kombu does."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return b64encode(raw).decode()


def envelope(
    ids: object = ("v-1",),
    *,
    task: object = RUN,
    tag: object = "a-tag",
    embed: object = NOTHING,
    headers: dict[str, Any] | None = None,
    properties: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Build a message as our senders do, with some parts changed."""
    message = {
        "body": encode([[ids], {}, embed]),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": "an-id", "eta": None, **(headers or {})},
        "properties": {
            "body_encoding": "base64",
            "delivery_info": {"exchange": "", "routing_key": RUN_QUEUE},
            "delivery_tag": tag,
            **(properties or {}),
        },
    }
    return message | changes


def without(part: str, *names: str) -> dict[str, Any]:
    """Build a message without some names of a part."""
    message = envelope()
    message[part] = {name: value for name, value in message[part].items() if name not in names}
    return message


def _signature() -> dict[str, Any]:
    """Build the signature of a task that Celery would publish after the first."""
    return {"task": RUN, "args": [["v-forged"]], "kwargs": {}, "options": {}, "subtask_type": None}


def broken() -> dict[str, bytes]:
    """Build one of each sort, to be put in a queue."""
    found: dict[str, Any] = {
        "empty": b"",
        "not JSON": b"{",
        "not UTF-8": b'{"body": "\xff"}',
        "UTF-16": json.dumps(envelope()).encode("utf-16"),
        "null": None,
        "a list": [],
        "a number": 1,
        "deep": b"[" * DEEP + b"]" * DEEP,
        "a deep header": json.dumps(envelope(headers={"x": 0}))
        .replace('"x": 0', '"x": ' + "[" * 5_000 + "]" * 5_000)
        .encode(),
        "a known type of Kombu": {"__type__": "datetime", "__value__": "never"},
        "no properties": {"body": encode([]), "headers": {}},
        "properties that are a list": envelope() | {"properties": []},
        "no delivery tag": without("properties", "delivery_tag"),
        "a tag that is a list": envelope(tag=["a"]),
        "a tag of half a surrogate pair": envelope(tag="\ud800"),
        "no body encoding": without("properties", "body_encoding"),
        "another body encoding": envelope(properties={"body_encoding": "zip"}),
        "no body": {name: value for name, value in envelope().items() if name != "body"},
        "a body that is a number": envelope(body=7),
        "a body that is no base64": envelope(body="!"),
        "a body of half a surrogate pair": envelope(body="\ud800"),
        "a body that is not JSON": envelope(body=encode(b"{")),
        "a deep body": envelope(body=encode(b"[" * 20_000 + b"]" * 20_000)),
        "a body of protocol 1": envelope(body=encode({"task": RUN, "args": [], "kwargs": {}})),
        "a body without embed": envelope(body=encode([[["v-1"]], {}])),
        "two arguments": envelope(body=encode([[["v-1"], ["v-2"]], {}, NOTHING])),
        "keywords": envelope(body=encode([[["v-1"]], {"x": 1}, NOTHING])),
        "pickle": envelope() | {"content-type": "application/x-python-serialize"},
        "yaml": envelope() | {"content-type": "application/x-yaml"},
        "another type": envelope() | {"content-type": "x/y"},
        "a type that is a list": envelope() | {"content-type": []},
        "another encoding": envelope() | {"content-encoding": "x-unknown"},
        "no headers": {name: value for name, value in envelope().items() if name != "headers"},
        "headers that are a list": envelope() | {"headers": ["task"]},
        "no task": without("headers", "task"),
        "a task that is a list": envelope(task=[RUN]),
        "an unknown task": envelope(task="os.system"),
        "a task of Celery": envelope(task="celery.accumulate"),
        "no id": without("headers", "id"),
        "an id that is a list": envelope(headers={"id": ["x"]}),
        "an ETA of junk": envelope(headers={"eta": {"x": 1}}),
        "an ETA of the far future": envelope(headers={"eta": "9999-12-31T23:59:59+00:00"}),
        "an expiry of junk": envelope(headers={"expires": [1]}),
        "compressed": envelope(
            headers={"compression": "application/x-gzip"},
            body=b64encode(zlib.compress(bytes(100_000_000), 9)).decode(),
        ),
        "another compression": envelope(headers={"compression": ["x"]}),
        "a group": envelope(headers={"group": "g"}),
        "a callback": envelope(embed={**NOTHING, "callbacks": [_signature()]}),
        "an error callback": envelope(embed={**NOTHING, "errbacks": [_signature()]}),
        "a chain": envelope(embed={**NOTHING, "chain": [_signature()]}),
        "a chord": envelope(embed={**NOTHING, "chord": _signature()}),
        "an embed of junk": envelope(embed={"x": None}),
        "no ids": envelope([]),
        "ids that are a text": envelope("v-1"),
        "ids that are numbers": envelope([1, 2]),
        "an id that is no id": envelope(["v 1"]),
        "a long id": envelope(["v" * 51]),
        "too many ids": envelope([f"v-{n}" for n in range(1_001)]),
        "very many ids": envelope([f"v-{n}" for n in range(200_000)]),
        "many status checks": envelope(["v-1", "v-2"], task=STATUS_CHECK),
        "a webhook that is none": envelope(["v-1"], task=INGEST),
    }
    return {
        name: one if isinstance(one, bytes) else json.dumps(one).encode()
        for name, one in found.items()
    }


def unacknowledged() -> dict[str, bytes]:
    """Build one of each sort, as Kombu stores unacknowledged messages."""
    whole = {name: json.dumps([one, "", RUN_QUEUE]).encode() for name, one in _objects().items()}
    return whole | {
        "not JSON": b"{",
        "not a list": b"7",
        "two parts": b'[{}, ""]',
        "deep": b"[" * DEEP + b"]" * DEEP,
        "another exchange": json.dumps([envelope(), "x", RUN_QUEUE]).encode(),
        "another queue": json.dumps([envelope(), "", "elsewhere"]).encode(),
        "a queue that is a list": json.dumps([envelope(), "", []]).encode(),
    }


def _objects() -> dict[str, Any]:
    """Return the broken messages that are JSON."""
    found = {}
    for name, raw in broken().items():
        try:
            found[name] = json.loads(raw.decode())
        except (ValueError, RecursionError):
            continue
    return found


def queue_key(prefix: str, queue: str) -> str:
    """Return the key of the list in which Kombu keeps a queue."""
    return f"{prefix}:broker:{queue}"
