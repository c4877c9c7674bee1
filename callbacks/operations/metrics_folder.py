"""The folder in which the web processes of one start count together; removed when they end.

Its owner holds a file lock in it for as long as the owner or one of its processes lives. So the
next start recognises the folders of processes that ended, also of those that were killed.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

PREFIX: Final = "satyapan-metrics-"
_LOCK_FILE: Final = "owner"


@contextmanager
def metrics_folder() -> Iterator[Path]:
    """Create the folder, and remove those whose processes have ended.

    Forked processes leave this block too; only the one that created the folder removes it.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    folder, owner = Path(tempfile.mkdtemp(prefix=PREFIX)), os.getpid()
    with _lock(folder):
        try:
            yield folder
        finally:
            if os.getpid() == owner:
                shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path) -> TextIO:
    """Lock the folder; the file gets its name once it is locked, so nobody finds it unlocked."""
    unnamed = folder / f"{_LOCK_FILE}.new"
    file = unnamed.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    unnamed.rename(folder / _LOCK_FILE)
    return file


def _remove_abandoned(parent: Path) -> None:
    for lock_file in parent.glob(f"{PREFIX}*/{_LOCK_FILE}"):
        # Another user's file can't be opened; a living owner's can't be locked.
        with suppress(OSError), lock_file.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock_file.parent, ignore_errors=True)
