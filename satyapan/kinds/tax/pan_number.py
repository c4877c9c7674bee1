"""The request field of a PAN: every operation that takes one refuses it in the same words."""

from typing import Final

from satyapan.kinds.fields import Builder, matches, text

PAN_NUMBER: Final[Builder] = text(
    matches("[A-Z]{5}[0-9]{4}[A-Z]", "Enter valid PAN.", code="pan_length_short"),
    rule="five capital letters, four digits, one capital letter",
)
