"""Wait for an effect of another process."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], *, within: float = 20.0) -> None:
    """Return as soon as the condition holds; fail the test if it doesn't within these seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {within:g} s: {condition}"
        time.sleep(0.05)
