"""The generated lists of settings and kinds match the code."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from config.kinds_page import kinds_page
from config.reference import env_example, groups, names, settings_page
from config.settings import read_settings
from satyapan.settings.declaration import Declared, SettingsError

ROOT = Path(__file__).parents[2]
SETTINGS = [each for _, _, settings in groups() for each in settings]


class Recording(Mapping[str, str]):
    """An empty environment that records which names are read."""

    def __init__(self) -> None:
        self.names_read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names_read.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".env.example", env_example()),
        ("docs/settings.md", settings_page()),
        ("docs/kinds.md", kinds_page()),
    ],
    ids=lambda each: each if len(each) < 20 else "",
)
def test_the_generated_file_is_up_to_date(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run python -m config.reference"


def test_exactly_the_listed_settings_are_read_and_each_may_come_from_a_file() -> None:
    env = Recording()

    with pytest.raises(SettingsError):
        read_settings(env)

    listed = set(names())
    assert env.names_read == listed | {f"{name}_FILE" for name in listed}


def test_no_setting_is_listed_twice() -> None:
    assert len(list(names())) == len(set(names()))


@pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.name)
def test_every_setting_has_a_meaning_in_one_line(each: Declared) -> None:
    assert each.meaning.endswith((".", "one."))
    assert "\n" not in each.meaning


def test_no_secret_has_a_default() -> None:
    assert [each.name for each in SETTINGS if each.secret and each.default] == []


def test_the_example_sets_the_required_settings_and_comments_out_the_others() -> None:
    lines = [line for line in env_example().splitlines() if line and not line.startswith("#")]

    assert lines == ["SATYAPAN_SEAL_KEYS=", "SATYAPAN_ID_KEY="]
