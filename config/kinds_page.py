"""The page of all kinds, docs/kinds.md, from their data; `config.reference` writes it."""

import inspect
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Final

from satyapan.kinds import PLACES, Kind, Operation, Registry
from satyapan.kinds.consent import NOTHING_SHARED, PARTIAL
from satyapan.kinds.describe import needs, paid_calls, request_fields
from satyapan.kinds.fields import choice_of
from satyapan.kinds.model import Recovery, operation_name

_MODES: Final[Mapping[str, str]] = {
    "sync": "the call's reply is the answer",
    "async": "the vendor answers later, to a status read or by a webhook",
    "journey": "a person acts in a browser, at a link; status reads decide",
    "resource": "one link is created once and shared by all who ask for it; the people who use it "
    "arrive by webhooks",
}
_LOST: Final[Mapping[str, str]] = {
    "read": "its status is read by our id. If the vendor twice doesn't know the id, the call is "
    "repeated under the same id",
    "read only": "its status is read by our id until the deadline, and then it is parked for a "
    "person. It is never repeated by itself, because nothing is known to stop a second charge",
    "reference": "it is read by the vendor's reference, if an error or a garbled answer named one; "
    "else it is parked for a person and never repeated by itself, because a repeat could be paid "
    "for twice",
    "repeat": "the call is repeated under the same id until the deadline. If the vendor then "
    "refuses the id as used, the call was executed, its answer can't be read again, and it "
    "{policy}",
    "none": "it is parked for a person and never repeated by itself, because nothing at the vendor "
    "stops a second charge",
}
_POLICIES: Final[Mapping[str, str]] = {
    "park": "is parked for a person",
    "fail": "ends as LOST",
    "reissue": "is bought again under a new vendor-side id, which is recorded; so it may be paid "
    "twice",
}
_MISSING: Final = (
    f"DONE has the reason `{NOTHING_SHARED}` if the person consented to none, `{PARTIAL}` if some "
    "were not shared or could not be fetched; FAILED if none of those shared could be fetched"
)
_INTRO: Final = """\
# Kinds

What can be verified, and what each kind asks, answers and costs. `satyapan kinds NAME` shows the
same on the command line, `satyapan kinds NAME --schema` the JSON Schema of request and result.
`SATYAPAN_QUOTA_PER_MINUTE` changes the limit of a route, and `SATYAPAN_WORKER_LOST_ANSWER` what
happens when an answer is lost for good.

Requests and results are encrypted as a whole. "May be shown" names the fields that describe nobody
by themselves, so that your own logs and pages can have them."""


def kinds_page() -> str:
    """Return docs/kinds.md; this loads all kinds."""
    kinds = tuple(Registry())
    rows = [
        (f"[`{kind.name}`](#{kind.name})", kind.title, ", ".join(needs(kind)), paid_calls(kind))
        for kind in kinds
    ]
    lines = [_INTRO, "", *_table(("kind", "what it verifies", "needs", "paid calls"), rows)]
    for kind in kinds:
        lines += _section(kind)
    return "\n".join(lines) + "\n"


def _section(kind: Kind) -> Iterator[str]:
    """Describe one kind; the docstring of its file says what its data can't."""
    yield from ("", f"## {kind.name}", "")
    yield inspect.getdoc(import_module(PLACES[kind.name].partition(":")[0])) or ""
    yield from operation_tables(kind)
    yield from ("", *_table(("request", "type", "needed", "private", "rule"), _request(kind)))
    yield from ("", *_table(("status", "state", "meaning"), _statuses(kind)))
    yield from ("", f"Result: {_names(kind.result_fields)}, and what else the vendor sends.")
    example = json.dumps(dict(kind.example), ensure_ascii=False)
    fresh = {f"`{path}`" for each in kind.operations.values() for path in each.max_age_s}
    now = f", with the current time in {', '.join(sorted(fresh))}" if fresh else ""
    yield from ("", f"Example{now}:", "", "```json", example, "```")


def operation_tables(kind: Kind) -> Iterator[str]:
    """Describe each operation of a kind and, if there are several, how one is chosen."""
    for key, operation in kind.operations.items():
        choice = [("operation", _choice(operation_name(key)))] if len(kind.operations) > 1 else []
        yield from ("", *_table(("", ""), [*choice, *facts(kind, operation)]))


def _choice(name: str | None) -> str:
    if name is None:
        return "the usual one"
    return f'`{name}`: `submit(..., operation="{name}")` or `satyapan submit --operation {name}`'


def facts(kind: Kind, operation: Operation) -> Iterator[tuple[str, str]]:
    """Describe how a kind is served: pairs of a term and what it says."""
    shown = [name for name in kind.request().fields if kind.is_public(name)]
    shown += [name for name in kind.result_fields if kind.is_public(name) and name not in shown]
    choice = choice_of(kind.request)
    if choice:
        yield "needs", str(choice)
    yield "mode", f"{operation.mode}: {_MODES[operation.mode]}"
    yield "paid calls", paid_calls(kind)
    yield "a lost answer", _lost(kind, operation)
    if operation.max_age_s:
        yield "fresh times", "; ".join(_fresh(operation))
    if operation.items_field:
        yield "missing documents", _MISSING
    yield "quota", "; ".join(_quota(operation))
    others = f"{_names(shown)}; all other fields are private"
    yield "may be shown", others if shown else "nothing: all fields are private"


def _lost(kind: Kind, operation: Operation) -> str:
    policy = _POLICIES[kind.lost_answer]
    link = f". Its link, which no read returns, {policy}" if operation.link_field else ""
    also = link if operation.recovery is Recovery.READ else ""
    only = operation.recovery is Recovery.READ and not operation.repeatable
    return _LOST["read only" if only else operation.recovery].format(policy=policy) + also


def _fresh(operation: Operation) -> Iterator[str]:
    for path, seconds in operation.max_age_s.items():
        yield (
            f"`{path}` may be {seconds} seconds old when the vendor gets it. A verification that "
            "can't be sent in time ends EXPIRED as `consent_stale`, unpaid"
        )


def _quota(operation: Operation) -> Iterator[str]:
    for route in (operation.create, operation.status, operation.document):
        if route:
            yield f"`{route.name}` {route.per_minute} calls a minute"


def _request(kind: Kind) -> Iterator[Sequence[str]]:
    for field in request_fields(kind):
        needed = "required" if field["required"] else ""
        private = "private" if field["private"] else ""
        yield f"`{field['name']}`", field["type"], needed, private, field["rule"]


def _statuses(kind: Kind) -> Iterator[Sequence[str]]:
    states = {
        word: state
        for operation in kind.operations.values()
        for word, state in operation.status_map.items()
    }
    for word, meaning in kind.labels.items():
        yield f"`{word}`", f"`{states[word]}`", meaning


def _names(fields: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in fields)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ["---"] * len(head), *rows):
        escaped = (cell.replace("|", r"\|") for cell in cells)
        yield f"| {' | '.join(escaped)} |"
