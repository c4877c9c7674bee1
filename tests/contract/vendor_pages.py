"""The vendor's published descriptions: the fenced YAML of its three pages, word for word."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "vendor"
PAGES = {
    "passport": "verify-passport.yaml",
    "digilocker": "digilocker-create-url.yaml",
    "static_link": "static-kyc-link.yaml",
}


@dataclass(frozen=True)
class Documented:
    """One example of an answer, as the vendor publishes it."""

    operation: str
    name: str
    status: int
    body: Mapping[str, Any]


def page(operation: str) -> dict[str, Any]:
    """Return one description, parsed again each time so that a test may change it."""
    content = yaml.safe_load((FOLDER / PAGES[operation]).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def examples() -> Iterator[Documented]:
    """Yield every example of an answer on the three pages."""
    for operation in PAGES:
        description = page(operation)
        for status, answer in _operation(description)["responses"].items():
            named = _resolve(description, answer)["content"]["application/json"]["examples"]
            for name, example in named.items():
                body = _resolve(description, example)["value"]
                yield Documented(operation, name, int(status), body)


def _operation(description: Mapping[str, Any]) -> Mapping[str, Any]:
    ((_, path),) = description["paths"].items()
    ((_, operation),) = path.items()
    assert isinstance(operation, dict)
    return operation


def _resolve(description: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    found: Any = description
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    assert isinstance(found, dict)
    return found
