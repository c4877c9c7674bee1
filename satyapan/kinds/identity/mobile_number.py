"""The check of a mobile number: operations that take one refuse it in the same words."""

from typing import Final

from satyapan.kinds.fields import Stated, matches

# No page says how a number is written. This refuses only what is surely none.
IS_MOBILE_NUMBER: Final[Stated] = matches("[0-9 +()-]+", "Mobile number entered is invalid.")
