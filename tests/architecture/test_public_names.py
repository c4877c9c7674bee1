"""The names that producers may import, pinned so that they change only on purpose."""

import inspect
import subprocess
import sys

import satyapan
from satyapan import testing

NAMES = [
    "Conflict",
    "Event",
    "Fault",
    "InvalidRequest",
    "NotFound",
    "ProducerSettings",
    "SatyapanError",
    "SettingsError",
    "State",
    "StillOpen",
    "Unavailable",
    "Unreadable",
    "Verification",
    "Verifications",
    "linked",
    "settled",
]
METHODS = [
    "close",
    "counts",
    "events",
    "from_env",
    "get",
    "newest",
    "submit",
    "submit_many",
    "wait",
    "watch",
]
OF_THE_FAKE = ["answer", "from_env", "link", "park", "visit"]


def public(thing: object) -> list[str]:
    """Return the public names of a module or class, without modules."""
    own = vars(thing).items()
    return sorted(n for n, what in own if not n.startswith("_") and not inspect.ismodule(what))


def test_the_package_exports_exactly_these_names() -> None:
    assert satyapan.__all__ == NAMES
    late = {"Verifications", "linked", "settled"}
    assert set(public(satyapan)) == {*NAMES} - late
    assert all(hasattr(satyapan, name) for name in late)
    assert not hasattr(satyapan, "anything_else")


def test_importing_the_package_does_not_import_celery() -> None:
    code = "import satyapan.cli.main, sys; sys.exit('celery' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_star_import_imports_all_of_them() -> None:
    found: dict[str, object] = {}

    exec("from satyapan import *", found)  # noqa: S102 - a function can do it in no other way

    assert sorted(set(found) - {"__builtins__"}) == sorted(NAMES)


def test_the_client_has_these_methods() -> None:
    assert public(satyapan.Verifications) == METHODS


def test_the_fake_has_these_methods_of_its_own() -> None:
    assert public(testing.FakeVerifications) == OF_THE_FAKE


def test_every_public_name_has_a_docstring() -> None:
    for name in NAMES:
        assert inspect.getdoc(getattr(satyapan, name)), name
    for name in METHODS:
        assert inspect.getdoc(getattr(satyapan.Verifications, name)), name
