"""Options that several commands share, and the word that was meant."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NEAR: Final = 50
"""So many characters of an unknown word are compared with the known ones."""

json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print for programs; errors too."
)
"""Also read by `Commands.resolve_command`, for errors that come before a command runs."""


class Words(click.Choice[Any]):
    """A choice of words in any case; the error of another word names them all."""

    def __init__(self, choices: Iterable[Any]) -> None:
        super().__init__(choices, case_sensitive=False)

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """Name the words that can be chosen, and the nearest one."""
        del ctx
        known = [str(each) for each in self.choices]
        return f"choose one of: {', '.join(known)}{meant(str(value).upper(), known)}"


def meant(word: str, known: Iterable[str]) -> str:
    """Return the end of an error that names the nearest known word, if one is near."""
    near = get_close_matches(word[:_NEAR], list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def limit_option(default: int, meaning: str) -> Callable[[_Command], _Command]:
    """Add --limit, from 1 to a million."""
    return click.option(
        "--limit", type=click.IntRange(1, 1_000_000), default=default, show_default=True,
        help=meaning,
    )  # fmt: skip
