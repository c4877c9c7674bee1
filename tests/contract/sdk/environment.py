"""The vendor's SDK in a folder of its own, made from a lock at first use."""

import hashlib
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import run
from tests.support.project import ROOT

LOCK: Final = Path(__file__).with_name("requirements.lock")
KEPT: Final = ROOT / ".satyapan" / "vendor-sdk"
INSTALL_S: Final = 90


class SdkMissing(Exception):
    """The SDK can't be installed, or doesn't run on this Python; the text says why."""


def sdk_folder() -> Path:
    """Return the folder with the SDK and what it needs; install them there first if needed."""
    folder = KEPT / _contents()
    if not folder.is_dir():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as unfinished:
            target = Path(unfinished, "sdk")
            _install(target)
            if not folder.is_dir():  # another run may have done it meanwhile
                target.rename(folder)
    return folder


def _contents() -> str:
    """Hash what is to be installed: some packages are compiled for one Python."""
    text = f"{platform.python_version()}\n{platform.platform()}\n".encode() + LOCK.read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]


def _install(folder: Path) -> None:
    options = [
        "--retries",
        "1",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-deps",
        "-r",
        str(LOCK),
    ]
    try:
        command = [*run.find_pip(), *options, "--target", str(folder)]
        subprocess.run(
            command,
            cwd=ROOT,
            env=run.environment(),
            check=True,
            capture_output=True,
            timeout=INSTALL_S,
        )
        probe = f"import sys; sys.path.insert(0, {str(folder)!r}); import cashfree_verification"
        subprocess.run([sys.executable, "-I", "-S", "-c", probe], check=True, capture_output=True)
    except run.Refused as refused:
        raise SdkMissing(f"the vendor's SDK can't be installed: {refused}") from refused
    except (subprocess.SubprocessError, OSError) as problem:
        raise SdkMissing(
            f"the vendor's SDK can't be installed from {LOCK} on Python "
            f"{platform.python_version()}: {type(problem).__name__}. `pip download` of that file "
            "shows the cause"
        ) from problem
