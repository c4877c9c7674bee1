"""A worker's heartbeat stops when its engine stands still, and its log says so."""

import logging
from pathlib import Path

import pytest

from worker.maintenance.heartbeat import Heartbeat


@pytest.mark.parametrize(("stalled_s", "beats"), [(0.0, True), (15.0, True), (15.1, False)])
def test_it_beats_only_while_the_engine_turns(
    tmp_path: Path, stalled_s: float, beats: bool
) -> None:
    file = tmp_path / "alive"

    Heartbeat(file, 15.0, lambda: 0.0).beat(stalled_s)

    assert file.exists() is beats


def test_it_says_once_a_minute_that_the_engine_stands_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, said = [0.0], []
    heart = Heartbeat(None, 15.0, lambda: now[0])

    with caplog.at_level(logging.ERROR):
        for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
            heart.beat(99.0)
            said.append(len(caplog.records))

    assert said == [1, 1, 1, 2, 2]
