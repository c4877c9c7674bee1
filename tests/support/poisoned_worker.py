"""A worker that is killed, as by its memory, whenever it is about to call for a poisoned row."""

import os
import signal
from typing import Any

from worker import engine
from worker.cli import worker


def main() -> None:
    """Run the worker with one step of its engine made deadly for ids that begin with "pill"."""
    call = engine._Run._call

    def deadly(run: Any, order: Any, after: Any, kind: Any) -> Any:
        if after.id.startswith("pill"):
            os.kill(os.getpid(), signal.SIGKILL)
        return call(run, order, after, kind)

    setattr(engine._Run, "_call", deadly)  # noqa: B010 - mypy lets nobody assign to a method
    worker()


if __name__ == "__main__":
    main()
