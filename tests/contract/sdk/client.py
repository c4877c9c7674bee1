"""Make calls with the vendor's own Python SDK; tests start this as a process of its own.

``python -I -S client.py FOLDER ADDRESS``: the SDK is in FOLDER, with what it needs and without
this project's packages, of which it wants older versions. The first line of the output lists the
operations that the SDK knows. After that, each line of the input is a call (method, path, fields,
keys), and each line of the output says what the SDK made of the request and of the reply.
"""

import importlib
import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any

_ADDRESS = re.compile(r"call_api\(\s*'(/[^']+)', '([A-Z]+)'")


def main(folder: str, address: str) -> None:
    """Read calls until the input ends."""
    sys.path.insert(0, folder)
    sdk: Any = importlib.import_module("cashfree_verification.api_client")
    pydantic: Any = importlib.import_module("pydantic")
    methods = dict(_methods(sdk.Cashfree))
    configuration = sdk.Configuration(host=address)
    configuration.retries = 0  # a retried GET would hide a 429
    client = _recording(sdk.ApiClient)(configuration)
    sdk.ApiClient.set_default(client)
    # Each method makes a configuration with one of the vendor's own two hosts.
    sdk.Configuration = lambda **_: configuration
    _write([*methods])
    for line in sys.stdin:
        call = json.loads(line)
        sdk.Cashfree.XClientId = call["keys"].get("x-client-id")
        sdk.Cashfree.XClientSecret = call["keys"].get("x-client-secret")
        method = methods[call["operation"]]
        _write(_Call(sdk, pydantic.ValidationError, client, method, call["fields"]).result())


def _write(value: object) -> None:
    print(json.dumps(value, default=str), flush=True)  # a date becomes the text that it was


def _methods(api: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield each operation, such as ``POST /passport``, and the method that calls it."""
    for name, method in inspect.getmembers(api()):
        if name.startswith("vrs_"):
            found = _ADDRESS.search(inspect.getsource(method.raw_function))
            if found:
                yield f"{found[2]} {found[1]}", method


def _recording(base: Any) -> Any:
    """Return a client class that keeps the models of the replies, and sends ``raw_body``."""

    class RecordingClient(base):  # type: ignore[misc]
        models: Any = None
        raw_body: Any = None

        def call_api(self, *place: Any, **details: Any) -> Any:
            self.models = details["response_types_map"]
            if self.raw_body is not None:
                details["body"] = self.raw_body
            return super().call_api(*place, **details)

    return RecordingClient


class _Call:
    """One call: the request as the SDK's models have it, and the reply as they read it."""

    def __init__(
        self,
        sdk: Any,
        invalid: type[Exception],
        client: Any,
        method: Callable[..., Any],
        fields: dict[str, Any],
    ) -> None:
        self._sdk, self._invalid, self._client = sdk, invalid, client
        self._method, self._fields = method, fields
        self._problems: list[str] = []

    def result(self) -> dict[str, Any]:
        """Make the call; return status, bodies, and what the SDK refuses in them."""
        arguments, request = self._arguments()
        try:
            answer = self._method(**arguments)
            status, raw = answer.status_code, answer.raw_data
        except self._sdk.ApiException as error:
            status, raw = error.status, error.body
        except self._invalid:
            status, raw = self._client.last_response.status, self._client.last_response.data
        model = self._client.models.get(str(status))
        sent = json.loads(raw)
        return {
            "status": status,
            "request": request,
            "model": model,
            "reply": sent,
            "read": self._read(
                getattr(self._sdk.cashfree_verification.models, model), sent, "reply"
            )
            if model
            else None,
            "problems": self._problems,
        }

    def _arguments(self) -> tuple[dict[str, Any], Any]:
        """Return the arguments of the SDK's method, and the request as the SDK understands it."""
        parameters = inspect.signature(self._method).parameters
        types = {name: typing.get_args(each.annotation)[:1] for name, each in parameters.items()}
        for name, (type_, *_) in ((n, t) for n, t in types.items() if t):
            if hasattr(type_, "from_dict"):
                self._client.raw_body = self._fields
                return {name: type_.construct()}, self._read(type_, self._fields, "request")
        self._client.raw_body = None
        known = {name: value for name, value in self._fields.items() if name in types}
        return {name: _typed(types[name][0], known[name]) for name in known}, known

    def _read(self, model: Any, data: Any, what: str) -> Any:
        """Read data with a model; a value that it refuses is noted and left out."""
        left_out: set[str] = set()
        while True:
            try:
                return model.from_dict(_without(data, left_out)).to_dict()
            except self._invalid as refused:
                new = self._noted(refused, what, left_out)
                if not new:
                    return None  # it demands a field that was left out
                left_out |= new

    def _noted(self, refused: Any, what: str, known: set[str]) -> set[str]:
        """Note the problem of each field that isn't known yet; return the names of these."""
        problems = {str(each["loc"][0]): each["msg"] for each in refused.errors()}
        new = problems.keys() - known
        where = refused.model.__name__
        self._problems += [f"{what}: {where}.{name}: {problems[name]}" for name in sorted(new)]
        return new


def _typed(wanted: Any, value: Any) -> Any:
    """Return a parameter's value with the type that the SDK demands of it."""
    strict_int = any(getattr(each, "__name__", "") == "StrictInt" for each in _parts(wanted))
    return int(value) if strict_int and str(value).isdecimal() else str(value)


def _parts(type_: Any) -> list[Any]:
    return [type_, *(inner for each in typing.get_args(type_) for inner in _parts(each))]


def _without(data: Any, fields: set[str]) -> Any:
    """Return JSON data without the fields of these names, at any depth."""
    if isinstance(data, dict):
        return {name: _without(each, fields) for name, each in data.items() if name not in fields}
    return [_without(each, fields) for each in data] if isinstance(data, list) else data


if __name__ == "__main__":
    main(*sys.argv[1:])
