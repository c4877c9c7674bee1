"""Magic ids: ``magic-<status>-<code>-<anything>`` requests that error answer.

They work in ``verification_id`` (passport, all DigiLocker routes) and in ``template_name``.
"""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.errors import TYPES, VALIDATION, RefusedCall, VendorError
from sandbox.examples import first_with

_MAGIC = re.compile(r"magic-([2-5][0-9]{2})-(.+)-[^-]*")
_FIELDS = ("verification_id", "template_name")


def refuse_magic(route: str, fields: Mapping[str, Any]) -> None:
    """Refuse a magic id with the answer it requests, with the documented text if there is one."""
    for name in _FIELDS:
        found = _MAGIC.fullmatch(str(fields.get(name, "")))
        if found:
            raise RefusedCall(_answer(route, int(found[1]), found[2]))


def _answer(route: str, status: int, code: str) -> VendorError:
    example = first_with(route, status, code)
    if example is None:
        return VendorError(status, TYPES.get(status, VALIDATION), code, "answer on demand")
    return VendorError(status, example.body["type"], code, example.body["message"])
