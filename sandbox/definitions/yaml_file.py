"""Read a YAML file, and check its values with messages that name file and place."""

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader as _FastLoader
else:
    _FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class BadOperationFile(ValueError):
    """An operation file is wrong; the text names the file, the place, and what to write."""


class _StrictLoader(_FastLoader):
    """Reads scalars as YAML 1.2 does: dates, ``no`` and ``0017`` stay text; repeated keys fail."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the library's signature
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        repeated = sorted({str(key) for key in keys if keys.count(key) > 1})
        if repeated:
            problem = f"{repeated[0]} stands here twice; keep one"
            raise yaml.constructor.ConstructorError(problem=problem, problem_mark=node.start_mark)
        return super().construct_mapping(node, deep=deep)


_StrictLoader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?[0-9]+\.[0-9]+", list("-0123456789")),
    ("merge", r"<<", ["<"]),
):
    _StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_form})$"), _first
    )


class Node:
    """A value in an operation file, with its place."""

    def __init__(self, file: Path, place: str, value: object) -> None:
        """Set the file, the value's place in it (such as ``answers[0].when``) and the value."""
        self.file = file
        self.place = place
        self.value = value

    def bad(self, hint: str) -> BadOperationFile:
        """Return the error for this place; ``hint`` says what to write."""
        return BadOperationFile(f"{self.file}: {self.place or 'the file'}: {hint}")

    def child(self, key: object, value: object) -> "Node":
        """Return a value below this one."""
        place = f"[{key}]" if isinstance(key, int) else f".{key}" if self.place else str(key)
        return Node(self.file, f"{self.place}{place}", value)

    def entries(self, known: Iterable[str] = (), required: Iterable[str] = ()) -> dict[str, "Node"]:
        """Return a mapping's values; its keys must be ``known`` (if given)."""
        if not isinstance(self.value, Mapping):
            raise self.bad(f"write a mapping{_of(known)}")
        for key in self.value:
            if not isinstance(key, str) or (known and key not in known):
                raise self.bad(f"unknown key {key}; write one of {', '.join(known)}")
        for key in required:
            if key not in self.value:
                raise self.bad(f"{key} is missing; add it")
        return {key: self.child(key, value) for key, value in self.value.items()}

    def items(self) -> list["Node"]:
        """Return the values of a list."""
        if not isinstance(self.value, list):
            raise self.bad("write a list, each item after a hyphen")
        return [self.child(index, value) for index, value in enumerate(self.value)]

    def text(self) -> str:
        """Return a text that is not empty."""
        if not isinstance(self.value, str) or not self.value:
            raise self.bad(f"write a text, in quotes if it looks like a number, not {self.value!r}")
        return self.value

    def number(self) -> float:
        """Return a number that is not negative."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.bad(f"write a number, not {self.value!r}")
        if self.value < 0:
            raise self.bad("write a number that is 0 or more")
        return self.value

    def flag(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.bad(f"write true or false, not {self.value!r}")
        return self.value

    def one_of(self, choices: Collection[str]) -> str:
        """Return a text that is one of ``choices``."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.bad(f"write one of {', '.join(choices)}, not {self.value!r}")
        return self.value


def _of(known: Iterable[str]) -> str:
    names = ", ".join(known)
    return f" of {names}" if names else ""


def read_yaml(path: Path) -> Node:
    """Return the content of a YAML file."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506 - a safe one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
        problem = getattr(error, "problem", None) or "it is not YAML"
        raise BadOperationFile(f"{path}: {line}: {problem}") from error
    return Node(path, "", content)
