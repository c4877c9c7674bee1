"""A held process continues once it is released, and is not held again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from satyapan import failpoints
from tests.support.eventually import eventually


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "held"
    failpoints.enable({failpoints.VARIABLE: f"{failpoints.Failpoint.CLAIMED}:hold:{path}"})
    yield path
    failpoints._enabled.clear()
    path.unlink(missing_ok=True)


def test_a_released_process_is_not_held_again(mark: Path) -> None:
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
