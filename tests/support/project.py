"""The project's folder, packages and files."""

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
APPLICATION = ["config", "shared", "worker", "callbacks", "demo", "sandbox"]
PRODUCER = "satyapan"


def files(package: str) -> set[str]:
    """Return every file of a package, as a path from the root."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.joinpath(package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def modules() -> list[str]:
    """Return the name of every module of every package; a `__main__` is a program, not a module."""
    paths = {Path(name) for package in [PRODUCER, *APPLICATION] for name in files(package)}
    names = {".".join(path.with_suffix("").parts) for path in paths if path.suffix == ".py"}
    return sorted(name.removesuffix(".__init__") for name in names if "__main__" not in name)


def pyproject(folder: str = ".") -> dict[str, Any]:
    """Return a parsed pyproject.toml."""
    return tomllib.loads(ROOT.joinpath(folder, "pyproject.toml").read_text(encoding="utf-8"))
