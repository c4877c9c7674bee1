"""Import the modules named on the command line, and print the side effects of our own ones.

An effect is ours if the innermost module that is being executed is ours; those of libraries are
ignored.
"""

import importlib
import os
import sys
import threading
from collections import UserDict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

ROOT = str(Path(__file__).parents[2]) + os.sep
LIBRARIES = str(Path(sys.prefix)) + os.sep
EFFECTS = ("socket.", "subprocess.", "os.mkdir", "os.fork", "os.putenv", "os.chdir", "os.remove")
TRANSLATIONS = {"LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"}  # click reads them for each help text


def module_at_work(frame: FrameType | None) -> str:
    """Return the file of the innermost module whose top level is running, or nothing."""
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""


def report(act: str) -> None:
    """Print a side effect if it is ours."""
    file = module_at_work(sys._getframe(1))
    if file.startswith(ROOT) and not file.startswith(LIBRARIES) and file != __file__:
        print(f"{file.removeprefix(ROOT)}: {act}")


def audit(event: str, args: tuple[object, ...]) -> None:
    """Report the interpreter's audit events, except opening files to read, as imports do."""
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event.startswith(EFFECTS):
        report(event)


class Watched(UserDict[str, str]):
    """An environment that reports reads."""

    def __contains__(self, name: object) -> bool:
        if name not in TRANSLATIONS:
            report(f"reads {name} from the environment")
        return super().__contains__(name)

    def __getitem__(self, name: str) -> str:
        if name in self:
            return super().__getitem__(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        report("reads the whole environment")
        return super().__iter__()


class Thread(threading.Thread):
    """A thread that reports its start."""

    def start(self) -> None:
        """Report, and start."""
        report("starts a thread")
        super().start()


def main(names: list[str]) -> None:
    """Import all names, and report every side effect."""
    place = Path.cwd()
    setattr(os, "environ", Watched(os.environ))  # noqa: B010 - replaced, not filled
    setattr(threading, "Thread", Thread)  # noqa: B010 - replaced, not filled
    sys.addaudithook(audit)
    for name in names:
        importlib.import_module(name)
    if Path.cwd() != place:
        print("something changed the directory")


if __name__ == "__main__":
    main(sys.argv[1:])
