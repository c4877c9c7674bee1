"""Each kind, with a real worker and the sandbox: to its end, with a lost answer, and with webhooks.

A new kind is tested here without a line of its own. Of a lost answer the kind's recovery and policy
say what becomes of it; whatever it is, no id of the vendor is charged twice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pytest

from satyapan import State, Verification
from satyapan.kinds.model import Mode, Recovery
from tests.contract.excerpts import find_excerpt
from tests.support.eventually import eventually
from tests.support.every_kind import (
    SERVICES,
    Charge,
    EveryKind,
    Run,
    Service,
    claims,
    every_kind_stack,
)
from tests.support.fresh_examples import fresh_example

CHANGES: Final = {Mode.JOURNEY: ["link_ready", "done"]}
"""The events of a kind that ends as DONE; only "done" for all other modes."""
RECOVERED: Final = (State.DONE, "", 1)


def link_is_read(service: Service) -> bool:
    """Return True if a status read returns the link of a journey again."""
    operation = service.operation
    found = (
        find_excerpt(operation.status.method, operation.status.path) if operation.status else None
    )
    return bool(found and operation.link_field in found.reply)


def ends_after_a_lost_answer(service: Service) -> tuple[State, str, int]:
    """Return state, reason and generation of a kind whose executed call wasn't answered."""
    operation, unanswered = service.operation, "unknown_outcome/headers_failed"
    if operation.recovery in {Recovery.NONE, Recovery.REFERENCE}:
        return State.PARKED, unanswered, 1
    if operation.recovery is Recovery.READ and (
        operation.mode is not Mode.JOURNEY or link_is_read(service)
    ):
        return RECOVERED
    why = "lost_link" if operation.mode is Mode.JOURNEY else "lost_answer"
    by_policy = {
        "park": (State.PARKED, why, 1),
        "fail": (State.LOST, why, 1),
        "reissue": (State.DONE, "", 2),
    }
    return by_policy[service.kind.lost_answer]


HOOKED: Final = [each for each in SERVICES if each.operation.events]
"""Kinds of which webhooks report."""
NAMED: Final = [each for each in SERVICES if each.operation.recovery is Recovery.REFERENCE]
"""Kinds that are read by the reference that an error names."""
READ: Final = [
    each for each in SERVICES if each in NAMED or ends_after_a_lost_answer(each) == RECOVERED
]
"""Kinds whose answer is read after the call's own answer was lost."""


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EveryKind]:
    with every_kind_stack(tmp_path_factory.mktemp("every")) as stack:
        yield EveryKind(stack)


@pytest.fixture(scope="module")
def plain(every: EveryKind) -> Mapping[str, Run]:
    """All kinds, without a fault."""
    return every.run("plain")


@pytest.fixture(scope="module")
def lost(every: EveryKind, plain: Mapping[str, Run]) -> Mapping[str, Run]:
    """All kinds; the answer to the first create call of each is lost, after it was executed."""
    for each in SERVICES:
        every.fault(each.operation.create, cut="before_status")
    return every.run("lost")


@pytest.fixture(scope="module")
def named(every: EveryKind, lost: Mapping[str, Run]) -> Mapping[str, Run]:
    """Kinds whose errors name a reference; the answer to the first call is such an error."""
    for each in NAMED:
        every.fault(each.operation.create, status=500, executed=True)
    return every.run("named", NAMED)


def name(service: Service) -> str:
    return service.name


def shape(value: object) -> object:
    """Return a JSON value with the names of types in place of texts and numbers."""
    if isinstance(value, Mapping):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return type(value).__name__


def sent(every: EveryKind, run: Run) -> dict[str, Any]:
    """Return the answer of the vendor to a create call, asked without our programs."""
    operation, (charge,) = run.service.operation, run.charges
    again = {**charge, "verification_id": "asked-directly"}
    wanted = {
        k: v for k, v in fresh_example(run.service.kind).items() if k not in operation.own_fields
    }
    return dict(every.ask(operation.create, again, **wanted))


def read(every: EveryKind, run: Run) -> dict[str, Any]:
    """Return the answer of the vendor to status and document reads, asked without our programs."""
    operation, (charge,) = run.service.operation, run.charges
    assert operation.status
    answer = dict(every.ask(operation.status, charge))
    if document := operation.document:
        items = answer.get(operation.items_field or "") or ()
        answer["documents"] = {item: every.ask(document, charge, item=item) for item in items}
    return answer


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_the_example_of_a_kind_is_done_and_charged_once(
    plain: Mapping[str, Run], service: Service
) -> None:
    run = plain[service.name]

    assert (run.ended.state, run.ended.reason) == (State.DONE, "")
    assert (run.ended.attempts, run.ended.generation) == (1, 1)
    assert run.ended.status in service.kind.labels
    assert len(run.charges) == 1
    assert run.changes == CHANGES.get(service.operation.mode, ["done"])
    assert bool(run.ended.link) == (service.operation.mode is Mode.RESOURCE)


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_the_result_has_exactly_the_fields_that_the_vendor_sent(
    every: EveryKind, plain: Mapping[str, Run], service: Service
) -> None:
    run = plain[service.name]
    at_once = service.operation.mode in {Mode.SYNC, Mode.RESOURCE}

    vendor = sent(every, run) if at_once else read(every, run)

    assert shape(run.ended.result) == shape(vendor)


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_a_lost_answer_ends_as_the_recovery_of_the_kind_says(
    lost: Mapping[str, Run], service: Service
) -> None:
    ended = lost[service.name].ended

    found = (ended.state, ended.reason, ended.generation)

    assert found == ends_after_a_lost_answer(service)


@pytest.mark.parametrize("service", SERVICES, ids=name)
def test_a_lost_answer_is_charged_once_for_each_id(
    lost: Mapping[str, Run], service: Service
) -> None:
    run = lost[service.name]

    charged = Counter(charge["verification_id"] for charge in run.charges)

    ids = run.vendor_ids if service.operation.create.id_param else [None]
    assert charged == Counter(ids)


@pytest.mark.parametrize("service", NAMED, ids=name)
def test_an_answer_is_read_by_the_reference_that_an_error_names(
    named: Mapping[str, Run], service: Service
) -> None:
    run = named[service.name]

    assert (run.ended.state, run.ended.attempts) == (State.DONE, 1)
    assert len(run.charges) == 1
    assert run.changes == ["done"]


@pytest.mark.parametrize("service", READ, ids=name)
def test_an_answer_that_is_read_has_exactly_the_fields_that_the_vendor_sent(
    every: EveryKind, lost: Mapping[str, Run], named: Mapping[str, Run], service: Service
) -> None:
    run = {**lost, **named}[service.name]

    assert shape(run.ended.result) == shape(read(every, run))


# ---- webhooks ----


class Hooked(NamedTuple):
    """Kinds whose webhooks were forged, repeated, and came after the end."""

    forged: Mapping[str, list[int]]
    """The answers to forged webhooks, by kind."""
    believed: Mapping[str, list[str]]
    """The states of the stored webhooks before the first true one came, by kind."""
    runs: Mapping[str, Run]
    """The verifications before the first true webhook."""
    later: Mapping[str, Verification]
    """The same after all webhooks."""
    changes: Mapping[str, list[str]]
    """The events that late webhooks caused, by id."""
    charges: list[Charge]
    """The charges that late webhooks caused."""


@pytest.fixture(scope="module")
def hooked(every: EveryKind, named: Mapping[str, Run]) -> Hooked:
    assert named
    forged: dict[str, list[int]] = {}

    def forge(service: Service, one: str) -> None:
        forged[service.name] = [every.deliver(each, "guessed") for each in claims(service, one)]

    every.stack.control("webhooks", {"reorder": True, "duplicate": 2})
    runs = every.run("hooked", HOOKED, begun=forge)
    charged = len(every.audit())
    believed = {name: every.inbox(run.ended.id) for name, run in runs.items()}
    every.stack.control("webhooks", {"reorder": False, "duplicate": 0})
    every.stack.control("webhooks/flush", {})
    for service in HOOKED:
        late = [every.deliver(each) for each in claims(service, runs[service.name].ended.id)]
        assert set(late) == {200}
    eventually(lambda: all(has_handled(every, run) for run in runs.values()))
    later = {name: every.end(run.ended.id) for name, run in runs.items()}
    return Hooked(forged, believed, runs, later, every.changes("hooked"), every.audit()[charged:])


def has_handled(every: EveryKind, run: Run) -> bool:
    """Return True if all late webhooks are handled; copies are the same webhook."""
    sent = every.stack.control("webhooks")["webhooks"]
    own = {each["event_type"] for each in sent if each["verification_id"] in run.vendor_ids}
    assert own, f"the sandbox sent no webhook about {run.service.name}"
    late = run.service.operation.events
    return every.inbox(run.ended.id) == ["HANDLED"] * (len(own) + len(late))


@pytest.mark.parametrize("service", HOOKED, ids=name)
def test_a_forged_webhook_is_refused(hooked: Hooked, service: Service) -> None:
    assert set(hooked.forged[service.name]) == {401}
    assert hooked.believed[service.name] == []


@pytest.mark.parametrize("service", HOOKED, ids=name)
def test_webhooks_repeated_and_after_the_end_change_nothing(
    hooked: Hooked, service: Service
) -> None:
    run = hooked.runs[service.name]

    assert (run.ended.state, len(run.charges)) == (State.DONE, 1)
    assert hooked.later[service.name] == run.ended
    assert hooked.changes.get(run.ended.id) is None
    assert hooked.charges == []
