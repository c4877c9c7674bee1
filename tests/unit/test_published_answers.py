"""Kinds and reply table against the published answers: what each means, and what submit refuses.

``tests/contract/excerpts.py`` says how an excerpt is written.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import jsonschema_rs
import pytest

from config.breakers import NOT_ENABLED, PUBLIC_URL_REFUSED
from satyapan.errors import Fault, InvalidRequest
from satyapan.ids import id_faults
from satyapan.kinds import Kind, Registry
from satyapan.kinds.entry_fields import EACH
from satyapan.kinds.json_schema import result_schema
from satyapan.kinds.model import Mode, Operation, Recovery, Role, Route, operation_name
from tests.contract.excerpts import Excerpt, PublishedAnswer, find_excerpt, label
from tests.contract.shapes import request_schema
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

NOW: Final = 1_700_000_000.0
OWN_CODES: Final = {
    Outcome.MISCONFIGURED: PUBLIC_URL_REFUSED,
    Outcome.NOT_ENABLED: NOT_ENABLED,
}
"""Answers that get a code of ours, and no field: no producer sent what they refuse."""


class Use(NamedTuple):
    """A route that a kind uses."""

    kind: Kind
    key: str
    role: Role
    route: Route

    @property
    def operation(self) -> Operation:
        return self.kind.operation(self.key)

    def __repr__(self) -> str:
        name = operation_name(self.key)
        return f"{self.kind.name}{f'/{name}' if name else ''}.{self.role}"


class Case(NamedTuple):
    """A published answer to a route that a kind uses."""

    use: Use
    excerpt: Excerpt
    answer: PublishedAnswer


def uses() -> list[Use]:
    found = []
    for kind, key in [(each, key) for each in Registry() for key in each.operations]:
        operation = kind.operation(key)
        routes = zip(Role, (operation.create, operation.status, operation.document), strict=True)
        found += [Use(kind, key, role, each) for role, each in routes if each]
    return found


def cases() -> list[Case]:
    return [
        Case(use, excerpt, answer)
        for use in uses()
        if (excerpt := find_excerpt(use.route.method, use.route.path))
        for answer in excerpt.answers
    ]


def name(value: object) -> str | None:
    return repr(value) if isinstance(value, Use) else label(value)


def judge(use: Use, excerpt: Excerpt, answer: PublishedAnswer) -> Answer:
    """Classify a published answer, as the reply to the request that causes it."""
    request = excerpt.request_for(answer)
    vendor_id = str(request.get(use.route.id_param, ""))
    asked = Asked(use.operation, use.role, vendor_id, request, excerpt.item(request))
    return classify(asked, Raw(answer.http, {}, b""), dict(answer.whole_body), NOW)


def shown(answer: PublishedAnswer) -> str:
    """Return a code as it is shown; a sentence may hold personal data and is not."""
    return f"http_{answer.http}" if " " in answer.code else answer.code


def meaning(use: Use, answer: Answer) -> str:
    """Return an answer's meaning in the words of the excerpts."""
    if answer.outcome is not Outcome.OK:
        return answer.outcome.value
    if use.role is Role.DOCUMENT:
        return "document"
    state = use.operation.status_map.get(answer.status)
    return f"{state or 'in no status_map'}/{answer.status}"


CASES: Final = cases()
REFUSALS: Final = [
    case
    for case in CASES
    if case.use.role is Role.CREATE and case.answer.http == 400 and case.answer.field
]
RESULTS: Final = [
    use
    for use in uses()
    if (use.operation.mode, use.role)
    in {
        (Mode.SYNC, Role.CREATE),
        (Mode.RESOURCE, Role.CREATE),
        (Mode.ASYNC, Role.STATUS),
    }
]
"""Routes whose reply is the result. A journey's is put together from several."""


@pytest.mark.parametrize("use", uses(), ids=name)
def test_each_route_of_a_kind_has_an_excerpt(use: Use) -> None:
    route = use.route

    assert find_excerpt(route.method, route.path), (
        f"nothing published about {route.method} {route.path}, which the kind {use.kind.name} "
        f"uses: add tests/contract/vendor/{route.name}.yaml (tests/contract/excerpts.py says how)"
    )


@pytest.mark.parametrize("kind", tuple(Registry()), ids=lambda kind: str(kind.name))
def test_the_example_of_a_kind_is_accepted(kind: Kind) -> None:
    assert kind.check(kind.example) == dict(kind.example)


@pytest.mark.parametrize("use", [u for u in uses() if u.role is Role.CREATE], ids=name)
def test_the_example_of_a_kind_follows_the_published_rules(use: Use) -> None:
    operation, excerpt = use.operation, find_excerpt(use.route.method, use.route.path)
    assert excerpt is not None
    sent = {k: v for k, v in use.kind.example.items() if k not in operation.own_fields}
    added = {use.route.id_param, operation.redirect_field} & excerpt.example.keys()
    request = sent | {field: excerpt.example[field] for field in added if field}

    jsonschema_rs.Draft202012Validator(request_schema(excerpt)).validate(request)


@pytest.mark.parametrize(("use", "excerpt", "answer"), CASES, ids=name)
def test_each_published_answer_has_the_stated_meaning(
    use: Use, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    got = judge(use, excerpt, answer)

    assert answer.means, f"{excerpt.name}.yaml: say what {answer.name!r} means"
    assert meaning(use, got) == answer.means
    assert (got.http, got.reference) == (answer.http, answer.reference)
    if got.outcome is not Outcome.OK:
        assert got.body is None
        assert got.code == OWN_CODES.get(got.outcome, shown(answer))
        assert got.refused_field == ("" if got.outcome in OWN_CODES else answer.field)


@pytest.mark.parametrize(("use", "excerpt", "answer"), CASES, ids=name)
def test_no_answer_is_unknown_without_a_reason(
    use: Use, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    assert answer.means != Outcome.UNKNOWN or answer.http >= 500 or answer.why


@pytest.mark.parametrize("use", [u for u in uses() if u.role is Role.CREATE], ids=name)
def test_a_call_is_repeated_only_if_a_page_says_that_a_repeat_is_refused(use: Use) -> None:
    operation, pages = use.operation, {each.role: each for each in uses() if each[:2] == use[:2]}
    repeat_is_refused = Outcome.DUPLICATE in means(use)

    assert repeat_is_refused == operation.repeatable
    read_first = operation.recovery is Recovery.READ and operation.repeatable
    if read_first or operation.recovery is Recovery.REFERENCE:
        # Only an answer that says so proves that the call was not executed.
        assert Outcome.MISSING in means(pages[Role.STATUS])


def means(use: Use) -> set[str]:
    """Return what the published answers of a route mean."""
    excerpt = find_excerpt(use.route.method, use.route.path)
    return {answer.means for answer in excerpt.answers} if excerpt else set()


# ---- refusals at submit ----


def faults_of(use: Use, request: Mapping[str, Any]) -> list[Fault]:
    """Return what submit finds wrong with a request to the vendor, in the vendor's names."""
    kind, operation = use.kind, use.operation
    ours = {name: value for name, value in request.items() if name != operation.create.id_param}
    if operation.redirect_field in ours:
        ours[kind.return_url_field] = ours.pop(operation.redirect_field)
    try:
        kind.check(ours)
    except InvalidRequest as refused:
        return list(refused.faults)
    return []


def in_our_words(use: Use, text: str) -> str:
    """Return a text of the vendor about the field in which producers set the return address."""
    field = use.operation.redirect_field
    return text.replace(field, use.kind.return_url_field) if field else text


@pytest.mark.parametrize(("use", "excerpt", "answer"), REFUSALS, ids=name)
def test_a_published_refusal_is_raised_at_submit_in_the_same_words(
    use: Use, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    assert answer.changes_request or answer.unseen, (
        f"{excerpt.name}.yaml: say by which request (send, without) {answer.name!r} is caused, "
        "or why a producer's request can't show it (unseen)"
    )
    if answer.unseen:
        pytest.skip(answer.unseen)
    request, own_id = excerpt.request_for(answer), use.route.id_param

    faults = id_faults(request.get(own_id)) if answer.field == own_id else faults_of(use, request)

    expected = tuple(in_our_words(use, text) for text in (answer.code, answer.message))
    assert [(fault.code, fault.message) for fault in faults] == [expected]


# ---- results ----


@pytest.mark.parametrize("use", RESULTS, ids=name)
def test_the_result_fields_of_a_kind_are_the_published_ones(use: Use) -> None:
    excerpt = find_excerpt(use.route.method, use.route.path)
    assert excerpt is not None

    published = {*excerpt.reply, *(name for each in excerpt.answers for name in each.body)}
    of_entries = {
        f"{name}{EACH}{field}"
        for name, shape in excerpt.reply.items()
        if isinstance(shape, list) and f"{name}{EACH}" in " ".join(use.kind.result_fields)
        for field in shape[0]
    }

    assert set(use.kind.result_fields) == published | of_entries


@pytest.mark.parametrize(
    ("use", "excerpt", "answer"),
    [case for case in CASES if case.use in RESULTS and case.answer.is_reply],
    ids=name,
)
def test_a_published_reply_is_valid_by_the_schema_of_the_result(
    use: Use, excerpt: Excerpt, answer: PublishedAnswer
) -> None:
    validator = jsonschema_rs.Draft202012Validator(result_schema(use.kind), validate_formats=True)

    validator.validate(dict(answer.body))
