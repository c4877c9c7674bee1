"""The answers that an operation's file leaves to Python: ``python: <name>``.

Such a function is called with checked fields, while the state's lock is held. It returns a
``PythonReply`` or raises ``RefusedCall``; ids, duplicates, charges and quotas are the engine's.
"""

from collections.abc import Callable, Mapping

from sandbox import digilocker, static_links
from sandbox.vendor import ApiRequest, EmulatedVendor, PythonReply

PythonAnswer = Callable[[EmulatedVendor, ApiRequest], PythonReply]

PYTHON_ANSWERS: Mapping[str, PythonAnswer] = {
    "digilocker.create": digilocker.create,
    "digilocker.read_status": digilocker.read_status,
    "digilocker.document": digilocker.document,
    "static_links.create": static_links.create,
    "static_links.deactivate": static_links.deactivate,
    "static_links.read_form": static_links.read_form,
}
