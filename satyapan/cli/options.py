"""Options that several commands share, and suggestions for misspelt words."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from satyapan.errors import did_you_mean

_Command = TypeVar("_Command", bound=Callable[..., Any])

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


def limit_option(default: int, meaning: str) -> Callable[[_Command], _Command]:
    """Add --limit, from 1 to a million."""
    return click.option(
        "--limit", type=click.IntRange(1, 1_000_000), default=default, show_default=True,
        help=meaning,
    )  # fmt: skip
