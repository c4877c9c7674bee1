"""Write the lists of all settings, `.env.example` and docs/settings.md, and of all kinds.

Run `python -m config.reference` in the project's folder to update all three; a test compares.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from config.kinds_page import kinds_page
from config.settings import SECTIONS, Settings
from satyapan.settings.declaration import Declared, declared

_TITLES: Final = {
    "producer": ("Ledger and broker", "producers and every process of the application"),
    "vendor": ("The vendor", "workers; callbacks for the webhook secrets"),
    "quota": ("Quota", "workers"),
    "breaker": ("The vendor's breaker", "workers"),
    "worker": ("Workers", "workers"),
    "callbacks": ("Callbacks", "callbacks; workers for the public address and its keys"),
    "retention": ("Retention", "workers and callbacks"),
    "log": ("Logs", "every process of the application"),
}
_FILES: Final = "Each can be read from a file instead, whose path is in NAME_FILE."


def groups() -> Iterator[tuple[str, str, list[Declared]]]:
    """List the settings in groups: title, readers, settings."""
    yield "Environment", "every process of the application", list(declared(Settings))
    for attribute, (prefix, section) in SECTIONS.items():
        yield *_TITLES[attribute], list(declared(section, prefix))


def names() -> Iterator[str]:
    """List the names of all variables."""
    for _, _, settings in groups():
        yield from (each.name for each in settings)


def env_example() -> str:
    """Return `.env.example`: required settings empty, the others commented out."""
    parts = [
        "# Every setting with its default; required settings have none, and are not commented out.",
        f"# {_FILES}",
    ]
    for title, readers, settings in groups():
        parts += ["", f"# == {title} (read by {readers}) =="]
        for each in settings:
            parts += [f"# {each.meaning}", _assignment(each)]
    return "\n".join(parts) + "\n"


def settings_page() -> str:
    """Return docs/settings.md."""
    parts = ["# Settings", "", "All settings are environment variables. " + _FILES]
    for title, readers, settings in groups():
        parts += ["", f"## {title}", "", f"Read by {readers}.", ""]
        parts += ["| variable | default | meaning |", "|---|---|---|"]
        parts += [_table_row(each) for each in settings]
    return "\n".join(parts) + "\n"


def _assignment(each: Declared) -> str:
    return f"{each.name}=" if each.default is None else f"# {each.name}={each.default}"


def _table_row(each: Declared) -> str:
    default = "required" if each.default is None else f"`{each.default}`" if each.default else ""
    secret = " **Secret.**" if each.secret else ""
    return f"| `{each.name}` | {default} | {each.meaning}{secret} |"


def write(folder: Path) -> None:
    """Write the three files."""
    (folder / ".env.example").write_text(env_example(), encoding="utf-8")
    (folder / "docs").mkdir(exist_ok=True)
    (folder / "docs" / "settings.md").write_text(settings_page(), encoding="utf-8")
    (folder / "docs" / "kinds.md").write_text(kinds_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
