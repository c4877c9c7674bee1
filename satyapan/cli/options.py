"""Options that several commands share, and suggestions for misspelt words."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NEAR: Final = 50
"""Most characters of an unknown word that are compared with the known ones."""

json_option: Final = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, for errors too."
)
"""Also read by `Commands.resolve_command`, for errors before a command runs."""


class Words(click.Choice[Any]):
    """A choice of words in any case; the error lists them."""

    def __init__(self, choices: Iterable[Any]) -> None:
        super().__init__(choices, case_sensitive=False)

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        """List the words, and name the nearest one."""
        del ctx
        known = [str(each) for each in self.choices]
        return f"choose one of: {', '.join(known)}{did_you_mean(str(value).upper(), known)}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a suggestion for the end of an error; "" if no known word is near."""
    near = get_close_matches(word[:_NEAR], list(known), 1)
    return f"; did you mean {near[0]}?" if near else ""


def limit_option(default: int, meaning: str) -> Callable[[_Command], _Command]:
    """Add --limit, from 1 to a million."""
    return click.option(
        "--limit", type=click.IntRange(1, 1_000_000), default=default, show_default=True,
        help=meaning,
    )  # fmt: skip
