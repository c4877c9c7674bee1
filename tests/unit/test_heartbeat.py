"""A worker's heartbeat stops while its engine is stalled, and the stall is logged."""

import logging
from pathlib import Path

import pytest

from worker.maintenance.heartbeat import Heartbeat


@pytest.mark.parametrize(("stalled_s", "beats"), [(0.0, True), (15.0, True), (15.1, False)])
def test_the_heartbeat_is_written_only_while_the_engine_is_not_stalled(
    tmp_path: Path, stalled_s: float, beats: bool
) -> None:
    file = tmp_path / "alive"

    Heartbeat(file, 15.0, lambda: 0.0).beat(stalled_s)

    assert file.exists() is beats


def test_a_stall_is_logged_at_most_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, logged = [0.0], []
    heartbeat = Heartbeat(None, 15.0, lambda: now[0])

    with caplog.at_level(logging.ERROR):
        for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0):
            heartbeat.beat(99.0)
            logged.append(len(caplog.records))

    assert logged == [1, 1, 1, 2, 2]
