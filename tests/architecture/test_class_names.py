"""Class names are unique in the whole code base: one word, one meaning."""

import ast
from collections import Counter

from tests.support.project import APPLICATION, PRODUCER, ROOT, files


def classes(name: str) -> list[str]:
    """Return the classes that a file defines at its top level, without a leading underscore."""
    tree = ast.parse(ROOT.joinpath(name).read_text(encoding="utf-8"))
    return [node.name.lstrip("_") for node in tree.body if isinstance(node, ast.ClassDef)]


def test_every_class_name_is_unique() -> None:
    found = Counter(
        each
        for package in [PRODUCER, *APPLICATION]
        for name in files(package)
        if name.endswith(".py")
        for each in classes(name)
    )

    assert {name for name, count in found.items() if count > 1} == set()
