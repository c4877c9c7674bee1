"""The lists of settings for people say what the code reads."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from config.reference import env_example, groups, names, settings_page
from config.settings import read_settings
from satyapan.settings.declaration import Declared, SettingsError

ROOT = Path(__file__).parents[2]
SETTINGS = [each for _, _, settings in groups() for each in settings]


class Recording(Mapping[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("path", "text"), [(".env.example", env_example()), ("docs/settings.md", settings_page())]
)
def test_the_file_is_what_the_code_writes(path: str, text: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run python -m config.reference"


def test_exactly_the_listed_settings_are_read_each_also_from_a_file() -> None:
    env = Recording()

    with pytest.raises(SettingsError):
        read_settings(env)

    listed = set(names())
    assert env.asked == listed | {f"{name}_FILE" for name in listed}


def test_no_variable_is_listed_twice() -> None:
    assert len(list(names())) == len(set(names()))


@pytest.mark.parametrize("each", SETTINGS, ids=lambda each: each.name)
def test_every_setting_has_a_meaning_in_one_line(each: Declared) -> None:
    assert each.meaning.endswith((".", "one."))
    assert "\n" not in each.meaning


def test_no_secret_has_a_default() -> None:
    assert [each.name for each in SETTINGS if each.secret and each.default] == []


def test_the_example_names_what_is_required_and_comments_the_rest() -> None:
    lines = [line for line in env_example().splitlines() if line and not line.startswith("#")]

    assert lines == ["SATYAPAN_SEAL_KEYS=", "SATYAPAN_ID_KEY="]
