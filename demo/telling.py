"""How the demo talks to a person: plain lines, with small symbols where the terminal has them."""

from collections.abc import Callable
from typing import Final

_SYMBOLS: Final = {
    "do": ("\N{RIGHTWARDS ARROW}", ">"),
    "see": ("\N{MIDDLE DOT}", "-"),
    "good": ("\N{CHECK MARK}", "ok"),
    "bad": ("!", "!"),
}


class Teller:
    """Writes lines by `write`; `symbols` says whether more than ASCII can be shown."""

    def __init__(self, write: Callable[[str], None], *, symbols: bool) -> None:
        self._write = write
        self._column = 0 if symbols else 1

    def line(self, text: str = "") -> None:
        """Write a line as it is."""
        self._write(text)

    def chapter(self, text: str) -> None:
        """Begin a part of the story."""
        self._write("")
        self._write(text)

    def do(self, text: str) -> None:
        """Tell what is done by a producer or a person."""
        self._step("do", text)

    def see(self, text: str) -> None:
        """Tell what is seen to happen."""
        self._step("see", text)

    def good(self, text: str) -> None:
        """Tell that something ended as it should."""
        self._step("good", text)

    def bad(self, text: str) -> None:
        """Tell that something is not as it should be."""
        self._step("bad", text)

    def _step(self, symbol: str, text: str) -> None:
        self._write(f"  {_SYMBOLS[symbol][self._column]:2} {text}")


def has_symbols(encoding: str | None) -> bool:
    """Tell whether an output of this encoding can show the symbols."""
    try:
        "".join(symbols[0] for symbols in _SYMBOLS.values()).encode(encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
