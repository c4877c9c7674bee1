"""The demo's output: plain lines, with small symbols where the terminal can show them."""

from collections.abc import Callable
from typing import Final

_SYMBOLS: Final = {
    "action": ("\N{RIGHTWARDS ARROW}", ">"),
    "note": ("\N{MIDDLE DOT}", "-"),
    "success": ("\N{CHECK MARK}", "ok"),
    "failure": ("!", "!"),
}


class Console:
    """Writes lines by `write`; without `symbols`, in ASCII only."""

    def __init__(self, write: Callable[[str], None], *, symbols: bool) -> None:
        self._write = write
        self._column = 0 if symbols else 1

    def line(self, text: str = "") -> None:
        """Write a line as it is."""
        self._write(text)

    def section(self, title: str) -> None:
        """Begin a section."""
        self._write("")
        self._write(title)

    def action(self, text: str) -> None:
        """Report what a producer or a person does."""
        self._step("action", text)

    def note(self, text: str) -> None:
        """Report an observation."""
        self._step("note", text)

    def success(self, text: str) -> None:
        """Report that something ended as expected."""
        self._step("success", text)

    def failure(self, text: str) -> None:
        """Report that something is not as expected."""
        self._step("failure", text)

    def check(self, text: str, *, good: bool) -> None:
        """Report a success, or a failure."""
        (self.success if good else self.failure)(text)

    def _step(self, symbol: str, text: str) -> None:
        self._write(f"  {_SYMBOLS[symbol][self._column]:2} {text}")


def has_symbols(encoding: str | None) -> bool:
    """Return True if an output of this encoding can show the symbols."""
    try:
        "".join(symbols[0] for symbols in _SYMBOLS.values()).encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
