"""No private field of a kind is shown in clear, whatever becomes of its verifications (I13).

Each private field of the request and of the vendor's replies has a marker of its own, for every
kind of the registry and the toys. Then everything that is written or shown is searched for them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Final, NamedTuple

import pytest
import requests
from marshmallow.fields import List, Nested

from satyapan import State
from satyapan.kinds import Kind
from tests.support.eventually import eventually
from tests.support.every_kind import (
    KINDS,
    SERVICES,
    EveryKind,
    Run,
    Service,
    claims,
    every_kind_stack,
)
from tests.support.marking_vendor import OPEN, MarkingVendor, Path, entry_words, leaves
from tests.support.sinks import SINKS
from tests.support.toy_stack import Toys

HOOKED: Final = [each for each in SERVICES if each.operation.events]


class Marked(NamedTuple):
    """The installation after all runs, and what must not be found."""

    every: EveryKind
    vendor: MarkingVendor
    done: Mapping[str, Run]
    others: list[Run]
    """Refused, and with a lost answer."""

    @property
    def toys(self) -> Toys:
        return Toys(self.every.stack)

    @property
    def ids(self) -> list[str]:
        return [run.ended.id for run in (*self.done.values(), *self.others)]

    @property
    def markers(self) -> list[str]:
        """List all private values of all kinds."""
        of_replies = [text for each in self.vendor.markers.values() for text in each]
        return of_replies + [m for kind in KINDS for m in self.vendor.in_request(kind)]


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marked]:
    with ExitStack() as running:
        vendor = running.enter_context(MarkingVendor(seed=7171).open())
        worker = {"SATYAPAN_CASHFREE_BASE_URL": vendor.url}
        stack = running.enter_context(every_kind_stack(tmp_path_factory.mktemp("marked"), worker))
        vendor.sandbox = stack.sandbox_url
        yield run_all(EveryKind(stack), vendor)


def run_all(every: EveryKind, vendor: MarkingVendor) -> Marked:
    """Bring each kind to DONE, to REFUSED, and to whatever follows a lost answer."""
    done = every.run("done", requests=vendor.requests)
    for each in HOOKED:
        private = [name for name in each.kind.result_fields if not each.kind.is_public(name)]
        data = {name: vendor.marker(each.kind) for name in private}
        for event in claims(each, done[each.name].ended.id, **data):
            assert every.deliver(event) == 200
    creates = [each.operation.create for each in SERVICES]
    for create in creates:
        every.fault(create, status=400, code="name_value_invalid")
    refused = every.run("refused", requests=vendor.requests)
    for create in creates:
        every.fault(create, cut="in_body")
    lost = every.run("lost", requests=vendor.requests)
    stored = [done[each.name].ended.id for each in HOOKED]
    eventually(lambda: all(set(every.inbox(one)) == {"HANDLED"} for one in stored))
    return Marked(every, vendor, done, [*refused.values(), *lost.values()])


def name(of: Kind | Service) -> str:
    return of.name


def is_free(kind: Kind, path: Path) -> bool:
    """Return True if a text of a request is private and may be any text of its form."""
    field = kind.request().fields[str(path[0])]
    for step in path[1:]:
        if isinstance(field, List) and isinstance(field.inner, Nested):
            field = field.inner
        elif isinstance(field, Nested):
            field = field.schema.fields[str(step)]
    fresh = {each for operation in kind.operations.values() for each in operation.max_age_s}
    given = "enum" in field.metadata["schema"] or ".".join(map(str, path)) in fresh
    return not given and not kind.is_public(str(path[0]))


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_every_private_text_of_a_request_is_a_marker(marked: Marked, kind: Kind) -> None:
    example = {p: value for p, value in leaves({**kind.example}) if isinstance(value, str)}

    request = dict(leaves(marked.vendor.requests[kind.name]))

    free = {path for path in example if is_free(kind, path)}
    assert {path for path in free if request[path] == example[path]} == set()


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_the_markers_reached_the_result(marked: Marked, service: Service) -> None:
    ended, kind, operation = marked.done[service.name].ended, service.kind, service.operation
    known = {*marked.vendor.markers[kind.name], *marked.vendor.in_request(kind)}
    named = {*OPEN, operation.create.echo_field, operation.create.id_param}
    named |= entry_words(operation.status)

    texts = {path: value for path, value in leaves(ended.result) if isinstance(value, str)}
    private = {
        value
        for path, value in texts.items()
        if not kind.is_public(str(path[0])) and path[-1] not in named
    }

    assert ended.state is State.DONE
    assert private
    assert private - known == set()


def test_refusals_and_lost_answers_were_tried(marked: Marked) -> None:
    states = {run.ended.state for run in marked.others}

    assert {State.REFUSED, State.PARKED, State.DONE} <= states
    assert len(marked.others) == 2 * len(SERVICES)


@pytest.mark.parametrize("where", SINKS)
def test_no_marker_is_in_what_is_written(marked: Marked, where: str) -> None:
    seen = b"\n".join(SINKS[where](marked.every.stack))

    assert len(seen) > 100, "nothing was searched"
    assert [text for text in marked.markers if text.encode() in seen] == []


def all_events(marked: Marked) -> str:
    return repr(list(marked.every.producer.events("privacy", block=0.05)))


def metrics(marked: Marked) -> str:
    return requests.get(f"{marked.every.stack.callbacks_url}/metrics", timeout=10).text


def shown(marked: Marked) -> str:
    done = [run.ended.id for run in marked.done.values()]
    calls = [("show", one) for one in marked.ids] + [("show", one, "--json") for one in done]
    return "".join(marked.toys.satyapan(*call) for call in calls)


def listed(marked: Marked) -> str:
    calls = [("list", "--limit", "1000"), ("list", "--json"), ("audit",), ("inbox", "--json")]
    return "".join(marked.toys.satyapan(*call) for call in calls)


def webhooks(marked: Marked) -> str:
    lines = marked.toys.satyapan("inbox", "--limit", "1000", "--json").splitlines()
    ids = [line.split('"')[3] for line in lines if line.startswith("{")]
    return "".join(marked.toys.satyapan("inbox", "--show", one) for one in ids)


def representations(marked: Marked) -> str:
    return repr([*marked.done.values(), *marked.others])


PRINTS: Final = (all_events, metrics, shown, listed, webhooks, representations)


@pytest.mark.parametrize("print_", PRINTS)
def test_no_marker_is_in_what_is_shown(marked: Marked, print_: Callable[[Marked], str]) -> None:
    text = print_(marked)

    assert any(each.kind.name in text.lower() for each in HOOKED), "nothing was shown"
    assert [value for value in marked.markers if value in text] == []
