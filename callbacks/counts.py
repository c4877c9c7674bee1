"""The folder in which the web processes of one start count together; removed when they end.

Its owner holds a file lock in it for as long as it or one of its processes lives. So the next start
recognises the folders of processes that ended, also of those that were killed.
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
_OWNER: Final = "owner"


@contextmanager
def counts_folder() -> Iterator[Path]:
    """Make the folder, and remove those whose processes are gone.

    Forked processes leave this block too; only the one that made the folder removes it.
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
    """Lock the folder; the file gets its name once it is locked, so that none is found unlocked."""
    unnamed = folder / f"{_OWNER}.new"
    file = unnamed.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    unnamed.rename(folder / _OWNER)
    return file


def _remove_abandoned(place: Path) -> None:
    for owner in place.glob(f"{PREFIX}*/{_OWNER}"):
        # Another's folder can't be opened; a living owner's can't be locked.
        with suppress(OSError), owner.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(owner.parent, ignore_errors=True)
