"""A held process goes on when it is let go, and is not held again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from satyapan import failpoints
from tests.support.eventually import eventually


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "held"
    failpoints.enable({failpoints.VARIABLE: f"{failpoints.Failpoint.CLAIMED}:hold:{place}"})
    yield place
    failpoints._enabled.clear()
    place.unlink(missing_ok=True)


def test_who_is_let_go_is_not_held_again(mark: Path) -> None:
    passes: list[int] = []

    def pass_twice() -> None:
        for number in (1, 2):
            failpoints.failpoint(failpoints.Failpoint.CLAIMED)
            passes.append(number)

    threading.Thread(target=pass_twice, daemon=True).start()
    eventually(mark.exists)
    held = list(passes)
    mark.unlink()

    eventually(lambda: passes == [1, 2])
    assert held == []
    assert not mark.exists()
