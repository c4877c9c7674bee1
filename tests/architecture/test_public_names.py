"""What producers may import: pinned, so that it changes on purpose only."""

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
    """Return what a module or class shows that isn't a module itself."""
    own = vars(thing).items()
    return sorted(n for n, what in own if not n.startswith("_") and not inspect.ismodule(what))


def test_the_package_shows_these_names_and_no_others() -> None:
    assert satyapan.__all__ == NAMES
    late = {"Verifications", "linked", "settled"}
    assert set(public(satyapan)) == {*NAMES} - late
    assert all(hasattr(satyapan, name) for name in late)
    assert not hasattr(satyapan, "anything_else")


def test_the_package_alone_does_not_bring_celery() -> None:
    code = "import satyapan.cli.main, sys; sys.exit('celery' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def test_a_star_import_gives_all_of_them() -> None:
    found: dict[str, object] = {}

    exec("from satyapan import *", found)  # noqa: S102 - the one way to do it inside a function

    assert sorted(set(found) - {"__builtins__"}) == sorted(NAMES)


def test_the_client_has_these_methods() -> None:
    assert public(satyapan.Verifications) == METHODS


def test_the_fake_has_these_methods_of_its_own() -> None:
    assert public(testing.FakeVerifications) == OF_THE_FAKE


def test_every_public_name_says_what_it_is() -> None:
    for name in NAMES:
        assert inspect.getdoc(getattr(satyapan, name)), name
    for name in METHODS:
        assert inspect.getdoc(getattr(satyapan.Verifications, name)), name
