"""The request field of a name with few signs; several operations refuse it in the same words."""

from typing import Final

from satyapan.kinds.fields import Builder, matches, text

PERSON_NAME: Final[Builder] = text(
    matches("[A-Za-z0-9 .-]*", "{name} should only contains alphanumeric, space, dot and hyphen."),
    required=False,
    length=100,
    called="Name",
    rule="letters, digits, space, dot and hyphen, at most 100 characters",
)
