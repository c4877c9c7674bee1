"""Parse the errors of an operation file: ``[status, code, message]`` or ``[code, message]``."""

from sandbox.definitions.yaml_file import Node
from sandbox.errors import TYPES, VALIDATION, VendorError

CUTS = ("before_status", "in_headers", "in_body")
FIELD_STATUS = 400


def parse_error(node: Node) -> VendorError:
    """Return the error ``[status, code, message]``; a fourth value is its type."""
    parts = node.items()
    if len(parts) not in (3, 4):
        raise node.bad("write [status, code, message], and the type if it is not the usual one")
    status = int(parts[0].number())
    type_ = parts[3].text() if len(parts) > 3 else TYPES.get(status, VALIDATION)  # noqa: PLR2004
    return VendorError(status, type_, parts[1].text(), parts[2].text())


def parse_field_error(node: Node) -> VendorError:
    """Return the error of a field, ``[code, message]``: a 400."""
    parts = node.items()
    if len(parts) != 2:  # noqa: PLR2004 - code and message
        raise node.bad("write [code, message]")
    return VendorError(FIELD_STATUS, VALIDATION, parts[0].text(), parts[1].text())
