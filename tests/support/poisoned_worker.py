"""A worker that is killed, as by the OOM killer, before each call for a poisoned row."""

import os
import signal
from typing import Any

from worker.cli import worker
from worker.engine import run as engine


def main() -> None:
    """Run the worker; a call for an id that begins with "pill" kills the process."""
    call = engine.ClaimedRun._call

    async def deadly(run: Any, order: Any, row: Any, operation: Any) -> Any:
        if row.id.startswith("pill"):
            os.kill(os.getpid(), signal.SIGKILL)
        return await call(run, order, row, operation)

    setattr(engine.ClaimedRun, "_call", deadly)  # noqa: B010 - mypy forbids assigning to a method
    worker()


if __name__ == "__main__":
    main()
