"""Fill the bodies of replies: ``$name`` stands for a value, ``${name:-text}`` has a default."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})")


def fill(template: object, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the template with its names replaced; a text that is one name becomes the value."""
    if isinstance(template, str):
        whole = _NAME.fullmatch(template)
        if whole:
            return _value(whole, values)
        return _NAME.sub(lambda found: _as_text(_value(found, values)), template)
    if isinstance(template, Mapping):
        return {key: fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(each, values) for each in template]
    return template


def _value(found: re.Match[str], values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    value = values.get(found["plain"] or found["name"])
    return found["default"] if found["default"] is not None and value in (None, "") else value


def _as_text(value: object) -> str:
    return "" if value is None else str(value)


def names_in(template: object) -> Iterator[str]:
    """Yield the names that a template uses."""
    if isinstance(template, str):
        yield from (found["plain"] or found["name"] for found in _NAME.finditer(template))
    elif isinstance(template, Mapping):
        for value in template.values():
            yield from names_in(value)
    elif isinstance(template, list):
        for each in template:
            yield from names_in(each)
