"""Read the request of a submission from arguments or a file. No error repeats a value."""

import json
from collections.abc import Sequence
from typing import Any, Final, TextIO

import click
from marshmallow import fields as schema_fields

from satyapan.boundary import MOST_TEXT
from satyapan.kinds import Kind

_MOST_TEXT: Final = 2 * MOST_TEXT
"""Most characters of a file: more than of a request, for JSON's punctuation and spaces."""


def read_request(
    kind: Kind, pairs: Sequence[str], data: str | None, file: TextIO | None
) -> dict[str, Any]:
    """Read the request from exactly one of FIELD=VALUE pairs, a JSON text, a JSON file.

    Raises:
        click.UsageError: none or several are given, or it can't be read.
    """
    if sum(bool(given) for given in (pairs, data is not None, file)) != 1:
        raise click.UsageError("give the request by FIELD=VALUE, --data or --data-file")
    if file is not None:
        return _json_object("--data-file", _text(file))
    if data is not None:
        return _json_object("--data", data)
    return _from_pairs(kind, pairs)


def _text(file: TextIO) -> str:
    try:
        text = file.read(_MOST_TEXT + 1)
    except UnicodeDecodeError:
        raise click.UsageError("--data-file is not UTF-8 text") from None
    except OSError as error:
        raise click.UsageError(f"--data-file can't be read: {error.strerror}") from None
    if len(text) > _MOST_TEXT:
        raise click.UsageError(f"--data-file has more than {_MOST_TEXT} characters")
    return text


def _json_object(option: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise click.UsageError(f"{option} is not JSON{place}") from None
    except RecursionError:
        raise click.UsageError(f"{option} is nested too deeply") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{option} should be a JSON object")
    return found


def _from_pairs(kind: Kind, pairs: Sequence[str]) -> dict[str, Any]:
    known = kind.request().fields
    request: dict[str, Any] = {}
    for number, pair in enumerate(pairs, start=1):
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise click.UsageError(f"argument {number} after the kind should be FIELD=VALUE")
        if name in request:
            raise click.UsageError(f"argument {number} after the kind repeats a field")
        many = isinstance(known.get(name), schema_fields.List)
        request[name] = [part for part in value.split(",") if part] if many else value
    return request
