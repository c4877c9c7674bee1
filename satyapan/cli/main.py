"""The command group `satyapan`: finds commands, and turns errors into texts and exit codes."""

import ast
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from satyapan.cli.errors import ERRORS, INTERRUPTED, JSON_FLAG, show_error
from satyapan.errors import did_you_mean

PLUGINS: Final = "satyapan.commands"
"""The group of entry points, each a click command, by which distributions add commands."""
_OWN: Final = {
    "submit": "satyapan.cli.commands:submit",
    "show": "satyapan.cli.commands:show",
    "watch": "satyapan.cli.commands:watch",
    "list": "satyapan.cli.commands:list_",
    "kinds": "satyapan.cli.kinds:kinds",
}


class Commands(click.Group):
    """Commands by entry point, imported when they are run; a broken one breaks no other."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """List producers' commands first, then those of other distributions."""
        return [*_OWN, *sorted(set(_entries()) - set(_OWN))]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; one that can't be imported becomes a command that reports it."""
        entry = _entries().get(cmd_name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except Exception as error:  # a plug-in may fail in any way
            return _broken(entry, error)
        if not isinstance(command, click.Command):
            return _broken(entry, TypeError())
        command.epilog = command.epilog or "Exit codes: see satyapan --help."
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error about an unknown one names the nearest.

        Reads --json before options are parsed, because an unknown option is an error too.
        """
        name = args[0]
        ctx.meta[JSON_FLAG] = "--json" in args
        if not (name.startswith("-") or name in _entries() or ctx.resilient_parsing):
            known = self.list_commands(ctx)
            raise click.UsageError(f"there is no command {name!r}{did_you_mean(name, known)}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing a command."""
        entries = _entries()
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=_summary(entries[name])) for name in names]
        return items + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first lines of their docstrings, without importing them."""
        entries = _entries()
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, _summary(entries[name])) for name in self.list_commands(ctx)]
            )

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; print an expected error and exit with its code."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except ERRORS as error:
            ctx.exit(show_error(error, as_json=bool(ctx.meta.get(JSON_FLAG))))


def _entries() -> dict[str, EntryPoint]:
    own = {name: EntryPoint(name, place, PLUGINS) for name, place in _OWN.items()}
    return {entry.name: entry for entry in entry_points(group=PLUGINS)} | own


def _broken(entry: EntryPoint, error: Exception) -> click.Command:
    """Build a command that reports why it can't be imported."""
    why = f"{entry.name} ({entry.value}) can't be loaded: {type(error).__name__}"

    def fail() -> None:
        raise click.UsageError(f"{why}; install its distribution again, or remove it")

    settings = {"ignore_unknown_options": True, "allow_extra_args": True}
    return click.Command(entry.name, callback=fail, help=why, context_settings=settings)


def _summary(entry: EntryPoint) -> str:
    """Read the first line of a command's docstring from its source, without importing it."""
    try:
        spec = find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return f"(can't be loaded: no module {entry.module})"
    with suppress(OSError, SyntaxError):
        tree = ast.parse(Path(spec.origin).read_bytes())
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
                return (ast.get_docstring(node) or "").partition("\n")[0]
    return f"(see {entry.name} --help)"


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 not DONE (ended, parked or refused), 2 wrong usage, request "
    "or settings, 3 conflict, 4 unavailable, 5 not found, 6 still open, 130 Ctrl-C. Settings: "
    "SATYAPAN_* variables.",
)
@click.version_option(package_name="satyapan", message="satyapan %(version)s")
def main() -> None:
    """Submit Indian KYC verifications, follow them, and run the processes that carry them out."""
