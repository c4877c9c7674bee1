"""Magic ids: ``magic-<status>-<code>-<anything>`` requests that error answer.

They work in every text field of a request, because some operations take no id.
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.definitions.model import VendorOperation
from sandbox.errors import TYPES, VALIDATION, RefusedCall, VendorError

_MAGIC = re.compile(r"magic-([2-5][0-9]{2})-(.+)-[^-]*")


def refuse_magic(operation: VendorOperation, fields: Mapping[str, Any]) -> None:
    """Refuse a magic id with the answer it requests, with the documented text if there is one."""
    for value in fields.values():
        found = _MAGIC.fullmatch(value) if isinstance(value, str) else None
        if found:
            raise RefusedCall(_answer(operation, int(found[1]), found[2]))


def _answer(operation: VendorOperation, status: int, code: str) -> VendorError:
    on_demand = VendorError(status, TYPES.get(status, VALIDATION), code, "answer on demand")
    return operation.documented_error(status, code) or on_demand
