"""How a setting is declared (once, on its dataclass field) and read from environment variables.

Knows no single setting. `satyapan.settings` and the application's own settings declare theirs with
`setting`; reading, the list of faults, `.env.example` and the documentation all follow from that.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar, get_type_hints

from environs import EnvNotSetError, EnvValidationError, FileAwareEnv

from satyapan.errors import SatyapanError

PREFIX: Final = "SATYAPAN_"
_KEY: Final = "setting"

Check = Callable[[Any], object]
"""Raises marshmallow's ValidationError for a value that won't do."""


class Secret:
    """A text that shows as `***` wherever it is printed by accident; `reveal` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself; never log what this returns."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"


class SettingFault(NamedTuple):
    """One setting that is wrong: the variable's name, what is wrong and what it should be."""

    name: str
    message: str


class SettingsError(SatyapanError):
    """Settings are wrong; `faults` has all of them at once. Correct them and start again."""

    def __init__(self, faults: Sequence[SettingFault]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n  {fault.name}: {fault.message}" for fault in self.faults)
        super().__init__(f"correct these settings and start again:{lines}")


@dataclass(frozen=True)
class Declared:
    """What is known of one setting without reading it."""

    name: str
    """The environment variable."""
    meaning: str
    default: str | None
    """As one would write it; "" for none, None where the setting is required."""
    secret: bool
    attribute: str
    spec: "_Spec"


@dataclass(frozen=True)
class _Spec:
    name: str
    meaning: str
    check: tuple[Check, ...]
    blank: bool


class _Section(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


S = TypeVar("S", bound=_Section)


def setting(
    name: str, meaning: str, *, check: Sequence[Check] = (), blank: bool = False
) -> dict[str, object]:
    """Describe a settings field, as the `metadata` of `dataclasses.field`.

    Args:
        name: the variable, without the common prefix and the section's.
        meaning: a sentence for people; faults and documentation repeat it.
        check: marshmallow validators, or callables that raise its ValidationError. Their texts
            must not repeat the value: they are shown.
        blank: an empty variable is a value of its own; otherwise it counts as not set.
    """
    return {_KEY: _Spec(name, meaning, tuple(check), blank)}


def declared(section: type[_Section], prefix: str = "") -> Iterator[Declared]:
    """Walk the settings of a section; `prefix` is the section's own, such as `LOG_`."""
    hints = get_type_hints(section)
    for item in fields(section):
        spec = item.metadata.get(_KEY)
        if spec is not None:
            name = f"{PREFIX}{prefix}{spec.name}"
            secret = hints[item.name] in (Secret, tuple[Secret, ...])
            yield Declared(name, spec.meaning, _default(item), secret, item.name, spec)


def read_section(
    section: type[S], env: Mapping[str, str], faults: list[SettingFault], prefix: str = ""
) -> S:
    """Read one section, adding what is wrong to `faults`.

    A faulty setting gets its default, so that the others can still be judged: the result is
    for use only if `faults` stayed empty.
    """
    return section(**read_values(section, env, faults, prefix))


def read_values(
    section: type[_Section], env: Mapping[str, str], faults: list[SettingFault], prefix: str = ""
) -> dict[str, Any]:
    """Read the values of a section that are set, by attribute, as `read_section` does."""
    hints = get_type_hints(section)
    values: dict[str, Any] = {}
    for each in declared(section, prefix):
        hint = hints[each.attribute]
        try:
            value = _read(each, hint, env)
        except (OSError, ValueError) as error:
            faults.append(SettingFault(each.name, f"{_wrong(each, error)} {each.meaning}"))
            value = None if each.default is not None else hint()
        if value is not None:
            values[each.attribute] = value
    return values


def environment(env: Mapping[str, str] | None) -> Mapping[str, str]:
    """Give the mapping to read: the one given, else the process' own environment."""
    return os.environ if env is None else env


class _Source(FileAwareEnv):
    """environs over a given mapping; by itself it always looks into os.environ first.

    The method is private to environs: docs/adr/0022-private-names-of-libraries.md.
    """

    def __init__(self, given: Mapping[str, str], *, blank: bool) -> None:
        super().__init__()
        self._given = given
        self._blank = blank

    def _get_value(self, env_key: str, default: object) -> object:
        place = self._given.get(f"{env_key}{self.file_suffix}", "")
        if place:
            return Path(place).read_text(encoding="utf-8").strip()
        value = self._given.get(env_key)
        if value is None or not (value.strip() or self._blank):
            return default
        return value


def _read(each: Declared, hint: object, env: Mapping[str, str]) -> object:
    """Read one value; None where it isn't set and the dataclass' default stands."""
    source = _Source(env, blank=each.spec.blank)
    read, more = _HOW[hint](source)
    unset: dict[str, Any] = {} if each.default is None else {"default": None}
    value = read(each.name, validate=each.spec.check, **unset, **more)
    return value if value is None else _WRAP.get(hint, lambda same: same)(value)


_HOW: Final[Mapping[Any, Callable[[FileAwareEnv], tuple[Callable[..., Any], dict[str, Any]]]]] = {
    str: lambda env: (env.str, {}),
    int: lambda env: (env.int, {}),
    float: lambda env: (env.float, {}),
    Secret: lambda env: (env.str, {}),
    tuple[str, ...]: lambda env: (env.list, {"subcast": str.strip}),
    tuple[Secret, ...]: lambda env: (env.list, {"subcast": str.strip}),
    Mapping[str, int]: lambda env: (
        env.dict,
        {"subcast_keys": str.strip, "subcast_values": int},
    ),
    Mapping[str, str]: lambda env: (
        env.dict,
        {"subcast_keys": str.strip, "subcast_values": str.strip},
    ),
}
_WRAP: Final[Mapping[Any, Callable[[Any], Any]]] = {
    Secret: Secret,
    tuple[str, ...]: tuple,
    tuple[Secret, ...]: lambda texts: tuple(Secret(text) for text in texts),
    Mapping[str, int]: MappingProxyType,
    Mapping[str, str]: MappingProxyType,
}


def _wrong(each: Declared, error: Exception) -> str:
    """Say what is wrong without the value; only texts known to be free of it are passed on."""
    if isinstance(error, EnvNotSetError):
        return f"is not set and has no default (a file may hold it: {each.name}_FILE)."
    if isinstance(error, EnvValidationError):
        return " ".join(_texts(error.error_messages))
    if isinstance(error, OSError | UnicodeDecodeError):
        return f"the file that {each.name}_FILE names can't be read as text."
    return "is malformed: write name=value,name=value."


def _texts(messages: object) -> Iterator[str]:
    """Flatten marshmallow's messages: a text, a list of them, or them by index."""
    if isinstance(messages, str):
        yield messages
    elif isinstance(messages, Mapping):
        yield from _texts(list(messages.values()))
    elif isinstance(messages, list):
        for message in messages:
            yield from _texts(message)


def _default(item: Field[Any]) -> str | None:
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    if value is MISSING:
        return None
    if isinstance(value, Mapping):
        return ",".join(f"{key}={word}" for key, word in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    return value.reveal() if isinstance(value, Secret) else str(value)
