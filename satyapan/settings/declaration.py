"""Declare settings on dataclass fields, and read them from environment variables.

A setting is declared once: type, default, meaning and bounds. Its variable's name, its reading, the
list of faults, `.env.example` and docs/settings.md follow from the declaration.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeVar, get_type_hints

from environs import EnvNotSetError, EnvValidationError, FileAwareEnv
from marshmallow.validate import Range

from satyapan.errors import SatyapanError

PREFIX: Final = "SATYAPAN_"
REQUIRED: Final = MISSING
"""The default of a setting that has none."""

Check = Callable[[Any], object]
"""Raises marshmallow's ValidationError for a value that is refused; its text is shown, so it must
not repeat the value."""


class Secret:
    """A text that shows as `***` when it is printed by accident; `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself; never log it."""
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
    """A wrong setting: the variable's name, what is wrong and what it should be."""

    name: str
    message: str


class SettingsError(SatyapanError):
    """Settings are wrong; `faults` has all of them. Correct them and start again."""

    def __init__(self, faults: Sequence[SettingFault]) -> None:
        self.faults = tuple(faults)
        lines = "".join(f"\n  {fault.name}: {fault.message}" for fault in self.faults)
        super().__init__(f"correct these settings and start again:{lines}")


# ---- declaring ----


def setting(
    default: object, meaning: str, *checks: Check, blank: bool = False, show: bool = True
) -> Any:  # noqa: ANN401 - the field's annotation is the type
    """Declare a setting, as the default of a dataclass field.

    Its variable is SATYAPAN_, the section's prefix and the field's name in capitals.

    Args:
        default: the value where the variable is not set; or `REQUIRED`.
        meaning: one sentence for people; faults and documentation repeat it.
        checks: validators, such as `Range(min=1)`.
        blank: an empty variable is a value; otherwise it counts as not set.
        show: whether the value may be printed with its section.
    """
    metadata = {"meaning": meaning, "checks": checks, "blank": blank}
    if isinstance(default, Mapping):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, repr=show, metadata=metadata)


POSITIVE: Final = Range(min=0, min_inclusive=False)


class _Section(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


S = TypeVar("S", bound=_Section)


@dataclass(frozen=True)
class Declared:
    """A setting, as declared."""

    name: str
    """The environment variable."""
    meaning: str
    default: str | None
    """As written in an environment; "" for none, None where the setting is required."""
    secret: bool
    attribute: str
    checks: tuple[Check, ...]
    blank: bool
    """Whether an empty variable is a value."""


def declared(section: type[_Section], prefix: str = "") -> Iterator[Declared]:
    """List the settings of a section; `prefix` is the section's own, such as `LOG_`."""
    hints = get_type_hints(section)
    for item in fields(section):
        if item.metadata:
            yield Declared(
                name=f"{PREFIX}{prefix}{item.name.upper()}",
                default=_default(item),
                secret=hints[item.name] in (Secret, tuple[Secret, ...]),
                attribute=item.name,
                **item.metadata,
            )


def _default(item: Field[Any]) -> str | None:
    value = item.default_factory() if item.default_factory is not MISSING else item.default
    if value is MISSING:
        return None
    if isinstance(value, Mapping):
        return ",".join(f"{key}={word}" for key, word in value.items())
    if isinstance(value, tuple):
        return ",".join(value)
    return value.reveal() if isinstance(value, Secret) else str(value)


# ---- reading ----


def read_section(
    section: type[S], env: Mapping[str, str], faults: list[SettingFault], prefix: str = ""
) -> S:
    """Read one section and add what is wrong to `faults`.

    A wrong setting gets its default, so that the others can be checked: use the result only if
    `faults` is empty.
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
            value = _read(each, _PARSERS[hint], env)
        except (OSError, ValueError) as error:
            faults.append(SettingFault(each.name, f"{_problem(each, error)} {each.meaning}"))
            value = None if each.default is not None else hint()
        if value is not None:
            values[each.attribute] = value
    return values


class _MappingEnv(FileAwareEnv):
    """environs over a given mapping; environs itself reads os.environ only.

    The overridden method is private: docs/adr/0022-private-names-of-libraries.md.
    """

    def __init__(self, given: Mapping[str, str], *, blank: bool) -> None:
        super().__init__()
        self._given = given
        self._blank = blank

    def _get_value(self, env_key: str, default: object) -> object:
        path = self._given.get(f"{env_key}{self.file_suffix}", "")
        if path:
            return Path(path).read_text(encoding="utf-8").strip()
        value = self._given.get(env_key)
        if value is None or not (value.strip() or self._blank):
            return default
        return value


class _Parser(NamedTuple):
    """How a type is read: a method of environs, its options, and what wraps the result."""

    method: str
    options: Mapping[str, Any] = MappingProxyType({})
    wrap: Callable[[Any], Any] = lambda value: value


def _read(each: Declared, parser: _Parser, env: Mapping[str, str]) -> object:
    """Read one value; None where it isn't set and the dataclass' default applies."""
    read = getattr(_MappingEnv(env, blank=each.blank), parser.method)
    unset: dict[str, Any] = {} if each.default is None else {"default": None}
    value = read(each.name, validate=each.checks, **unset, **parser.options)
    return value if value is None else parser.wrap(value)


_LIST: Final = {"subcast": str.strip}
_NUMBERS: Final = {"subcast_keys": str.strip, "subcast_values": int}
_WORDS: Final = {"subcast_keys": str.strip, "subcast_values": str.strip}
_PARSERS: Final[Mapping[Any, _Parser]] = {
    str: _Parser("str"),
    int: _Parser("int"),
    float: _Parser("float"),
    Secret: _Parser("str", wrap=Secret),
    tuple[str, ...]: _Parser("list", _LIST, tuple),
    tuple[Secret, ...]: _Parser("list", _LIST, lambda texts: tuple(map(Secret, texts))),
    Mapping[str, int]: _Parser("dict", _NUMBERS, MappingProxyType),
    Mapping[str, str]: _Parser("dict", _WORDS, MappingProxyType),
}


def _problem(each: Declared, error: Exception) -> str:
    """Describe a fault without the value: only texts known not to repeat it are passed on."""
    if isinstance(error, EnvNotSetError):
        return f"is not set and has no default (a file may hold it: {each.name}_FILE)."
    if isinstance(error, EnvValidationError):
        return " ".join(_texts(error.error_messages))
    if isinstance(error, OSError | UnicodeDecodeError):
        return f"the file that {each.name}_FILE names can't be read as text."
    return "is malformed: write name=value,name=value."


def _texts(messages: object) -> Iterator[str]:
    """Flatten marshmallow's messages: a text, a list of them, or a mapping by index."""
    if isinstance(messages, str):
        yield messages
    elif isinstance(messages, Mapping):
        yield from _texts(list(messages.values()))
    elif isinstance(messages, list):
        for message in messages:
            yield from _texts(message)
