"""The request field of a PAN: every operation that takes one refuses it in the same words."""

from typing import Final

from satyapan.kinds.fields import Builder, matches, text

PAN_NUMBER: Final[Builder] = text(
    matches("[A-Za-z]{5}[0-9]{4}[A-Za-z]", "Enter valid PAN.", code="pan_length_short"),
    rule="five letters, four digits, one letter",
)
