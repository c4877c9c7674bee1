"""List the private names of libraries that our packages use or override, from the source.

A name with a leading underscore belongs to a library if one of our classes inherits it from there,
or if none of our files defines it. So the use of a library's private name that one of our files
also defines is found only where it is an override.
"""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.project import ROOT, files

PACKAGES = ("satyapan", "config", "shared", "worker", "callbacks")
DOCUMENTED = {"_replace", "_exit", "_deserialize"}  # of named tuples, os and marshmallow
TYPES_ONLY = {"_typeshed"}  # exists for type checkers alone


@dataclass(frozen=True)
class PrivateName:
    """A private name, and where it is: a class of the library, or a file of ours that uses it."""

    place: str
    name: str


def private(name: str) -> bool:
    """Return True for a private name of a library."""
    return name.startswith("_") and not name.endswith("__") and name not in DOCUMENTED | TYPES_ONLY


def sources() -> dict[str, ast.Module]:
    """Parse every file of the packages that run in production."""
    names = sorted(name for package in PACKAGES for name in files(package) if name.endswith(".py"))
    return {name: ast.parse(ROOT.joinpath(name).read_text(encoding="utf-8")) for name in names}


def overridden() -> set[PrivateName]:
    """Return the names that our classes override in classes of libraries."""
    return {
        PrivateName(f"{base.__module__}.{base.__name__}", name)
        for file, tree in sources().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for name in _defined_names(node)
        if private(name)
        for base in _foreign(_load(file, node.name))
        if name in vars(base)
    }


def used() -> set[PrivateName]:
    """Return the names that our files use and none of ours defines."""
    trees = sources()
    own = {name for tree in trees.values() for name in _defined_names(tree)}
    return {
        PrivateName(file, name)
        for file, tree in trees.items()
        for name in _used_names(tree)
        if private(name) and name not in own
    }


def _defined_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id


def _used_names(tree: ast.AST) -> Iterator[str]:
    """Yield the attributes that are read, and the parts of imported names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            yield from (node.module or "").split(".")
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split("."))


def _load(file: str, name: str) -> Any:
    return getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)


def _foreign(ours: type) -> Iterator[type]:
    """Yield the bases that are not ours, except those of every enumeration and protocol."""
    for base in ours.__mro__:
        if base.__module__.split(".")[0] not in {*PACKAGES, "builtins", "enum", "typing"}:
            yield base
