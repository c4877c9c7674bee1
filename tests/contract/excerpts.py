"""Excerpts of the vendor's published pages: one YAML file per operation in ``vendor/``.

They are the third source of the tests, written by hand from the pages. The tests compare them with
the kinds and the reply table (``tests/unit/test_published_answers.py``) and with the sandbox
(``test_published_answers.py`` and ``test_conformance.py`` beside this file). A new operation is a
new file, and nothing else; its name is the operation's name in the sandbox. A short example::

    operation: POST /passport
    request:                  # each field in JSON Schema, with the rules of the page's prose
      verification_id: {type: string, required: true}
      dob: {type: string, required: true, format: date}
    reply:                    # each documented field of a 200, and its type (``shapes.py``)
      verification_id: string
      reference_id: integer
    example: {verification_id: ABC00123, dob: 2007-03-01}  # a request that is accepted
    varies: [reference_id]    # fields of a 200 of which only the type is compared
    generated: {}             # see below
    answers:
    - name: Invalid DOB       # the example's name on the page
      http: 400
      means: refused
      field: dob              # the field that the refusal blames
      code: dob_value_invalid
      message: dob should be of type YYYY-MM-DD.
      send: {dob: 01-03-2007} # what has to be different from the example

**What an answer is.** A reply has a ``body``. An error has ``code``, ``type`` unless that is
``validation_error``, ``message`` if it is to be compared, and ``error`` (``{refId: 209}``) if it
names the vendor's own id, as it does after an execution. ``means`` is how it must be classified:
``STATE/STATUS`` for a reply ("DONE/VALID", "PENDING/RECEIVED") and for an error that is a paid
answer ("DONE/NOT_FOUND"), ``document``, or a value of
``worker.rules.answer.Outcome`` for an error. An answer below 500 that means ``unknown`` has a
``why``. If no kind uses the operation, leave ``means`` out.

**How to cause it.** ``send`` sets fields of the example, ``without`` leaves fields out, ``headers``
sets headers (null leaves one out). ``first`` lists calls to make before: ``[METHOD /path, body]``;
paths of the sandbox's control routes begin with ``/_control``. A parameter in the path that their
replies name, such as the vendor's reference, is taken from them. An error without any of these is
requested as a fault. ``no_fixture`` says why the sandbox has no data for an answer.

**At submit.** A 400 that blames a field is also raised at submit, in the same words. ``unseen``
says why not, if a producer's request can't show the cause.

**Generated requests.** With ``generated``, schemathesis sends requests made from ``request``.
``generated`` narrows the rules of fields to what the sandbox has data for; ``{}`` narrows nothing.

**Shapes.** All replies of the sandbox's test data are compared with ``reply``, and all its requests
with ``request`` (``test_documented_shapes.py``), at every depth.

``_every_operation.yaml`` has the answers that every operation gives.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "vendor"
EVERY_OPERATION = "_every_operation"
_REFERENCES = ("reference_id", "ref_id", "refId", "bulk_reference_id")
_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class PublishedAnswer:
    """One published answer of an operation, and how to cause it."""

    name: str
    http: int
    means: str = ""
    why: str = ""
    field: str = ""
    type: str = "validation_error"
    code: str = ""
    message: str = ""
    error: Mapping[str, Any] = default(default_factory=dict)
    body: Mapping[str, Any] = default(default_factory=dict)
    send: Mapping[str, Any] = default(default_factory=dict)
    without: tuple[str, ...] = ()
    headers: Mapping[str, str | None] = default(default_factory=dict)
    first: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    unseen: str = ""
    no_fixture: str = ""

    @property
    def is_reply(self) -> bool:
        """Return True for a reply, False for an error."""
        return bool(self.body)

    @property
    def is_result(self) -> bool:
        """Return True if it is the answer to a paid question, as ``STATE/STATUS`` says."""
        return "/" in self.means

    @property
    def whole_body(self) -> Mapping[str, Any]:
        """Return the body as it is published; an error without its message lacks the message."""
        error = {"type": self.type, "code": self.code, "message": self.message, "error": self.error}
        return self.body or {name: value for name, value in error.items() if value}

    @property
    def reference(self) -> str:
        """Return the vendor's own id, as text; "" if the answer names none."""
        named = {**self.body, **self.error}
        return str(next((named[name] for name in _REFERENCES if name in named), ""))

    @property
    def by_request(self) -> bool:
        """Return True if a request causes the answer, False if it takes a fault."""
        return bool(self.is_reply or self.changes_request or self.headers or self.first)

    @property
    def changes_request(self) -> bool:
        """Return True if the fields of the request cause the answer."""
        return bool(self.send or self.without)


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """What is published about one operation."""

    name: str
    operation: str
    request: Mapping[str, Mapping[str, Any]]
    reply: Mapping[str, Any]
    example: Mapping[str, Any]
    answers: tuple[PublishedAnswer, ...]
    varies: tuple[str, ...] = ()
    generated: Mapping[str, Mapping[str, Any]] | None = None

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return self.operation.split()[0]

    @property
    def path(self) -> str:
        """Return the path, with its parameters in braces."""
        return self.operation.split()[1]

    @property
    def path_parameters(self) -> list[str]:
        """Return the names of the parameters in the path."""
        return _PARAMETER.findall(self.path)

    def request_for(self, answer: PublishedAnswer) -> dict[str, Any]:
        """Return the fields of the request that causes an answer."""
        kept = {k: v for k, v in self.example.items() if k not in answer.without}
        return kept | dict(answer.send)

    def item(self, request: Mapping[str, Any]) -> str:
        """Return the value of the parameter in the path; "" if there is none."""
        return "".join(str(request[name]) for name in self.path_parameters[:1])

    def call(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a request as path, and JSON or query."""
        inside = self.path_parameters
        rest = {name: value for name, value in request.items() if name not in inside}
        place = "json" if self.method == "POST" else "params"
        path = _PARAMETER.sub(lambda found: str(request[found[1]]), self.path)
        return {"method": self.method, "path": path, place: rest}


@cache
def excerpts() -> tuple[Excerpt, ...]:
    """Return all excerpts, each with the answers of every operation at its end."""
    common = _read(EVERY_OPERATION)["answers"]
    names = sorted(path.stem for path in FOLDER.glob("[!_]*.yaml"))
    return tuple(_excerpt(name, common) for name in names)


def find_excerpt(method: str, path: str) -> Excerpt | None:
    """Return the excerpt of a method and path; names of parameters in the path don't matter."""
    wanted = _PARAMETER.sub("{}", f"{method} {path}")
    return next((e for e in excerpts() if _PARAMETER.sub("{}", e.operation) == wanted), None)


def cases(*, http: int | None = None) -> list[tuple[Excerpt, PublishedAnswer]]:
    """Return every published answer with its excerpt, or those of one HTTP status."""
    return [(e, a) for e in excerpts() for a in e.answers if http in (None, a.http)]


def label(value: object) -> str | None:
    """Name a parameter of a test."""
    return str(value.name) if isinstance(value, Excerpt | PublishedAnswer) else None


class _Loader(yaml.SafeLoader):
    """Read dates as texts, as JSON has them."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if not each[0].endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(name: str) -> dict[str, Any]:
    content = yaml.load((FOLDER / f"{name}.yaml").read_bytes(), _Loader)  # noqa: S506  a SafeLoader
    assert isinstance(content, dict), f"{name}.yaml is not a mapping"
    return content


def _excerpt(name: str, common: list[dict[str, Any]]) -> Excerpt:
    content = _read(name)
    try:
        answers = tuple(_answer(each) for each in [*content.pop("answers"), *common])
        content["varies"] = tuple(content.get("varies", ()))
        return Excerpt(name=name, answers=answers, **content)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{name}.yaml: {error}") from error


def _answer(content: Mapping[str, Any]) -> PublishedAnswer:
    lists = {name: tuple(content[name]) for name in ("without", "first") if name in content}
    return PublishedAnswer(**{**content, **lists})
