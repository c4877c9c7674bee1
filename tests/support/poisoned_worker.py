"""A worker that is killed, as by its memory, whenever it is about to call for a poisoned row."""

import os
import signal
from typing import Any

from worker.cli import worker
from worker.engine import run as engine


def main() -> None:
    """Run the worker with one step of its engine made deadly for ids that begin with "pill"."""
    call = engine.ClaimedRun._call

    async def deadly(run: Any, order: Any, row: Any, operation: Any) -> Any:
        if row.id.startswith("pill"):
            os.kill(os.getpid(), signal.SIGKILL)
        return await call(run, order, row, operation)

    setattr(engine.ClaimedRun, "_call", deadly)  # noqa: B010 - mypy lets nobody assign to a method
    worker()


if __name__ == "__main__":
    main()
