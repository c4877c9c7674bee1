"""The request field of a UPI address, whose faults have the same words in every operation."""

from typing import Final

from satyapan.kinds.fields import Builder, matches, text

VPA: Final[Builder] = text(
    matches("[A-Za-z0-9._@-]+", "{name} should be valid."),
    length=255,
    rule="letters, digits, . - _ @, at most 255 characters",
)
