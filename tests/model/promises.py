"""The promises that hold after every step of the simulated world."""

from typing import Final

from satyapan.kinds.model import Mode, Recovery
from satyapan.records import SETTLED, TERMINAL, UNPAID, Row, State
from tests.model.vendor import TEMPLATE
from tests.model.world import KINDS, POLICY, World, operation_of
from worker.rules.generations import earlier_id

ANSWERED: Final = frozenset({State.DONE, State.DENIED, State.EXPIRED, State.FAILED})


def each_generation_is_charged_at_most_once(world: World) -> None:
    charges = [one for one in world.vendor.charges if one != TEMPLATE]
    assert len(charges) == len(set(charges))


def a_template_is_bought_again_only_by_an_operator(world: World) -> None:
    bought = world.vendor.charges.count(TEMPLATE)
    asked = sum(n for name, n in world.authorised.items() if name.startswith("static"))
    assert bought <= 1 + asked


def every_ambiguous_attempt_has_an_admitted_call(world: World) -> None:
    for row in world.rows.values():
        assert row.ambiguous <= world.sent[world.vendor_id(row)]


def every_generation_is_recorded(world: World) -> None:
    for row in world.rows.values():
        assert len(row.generations) == row.generation - 1
        assert row.generation <= POLICY.max_generations


def no_charged_id_is_recorded_as_unpaid(world: World) -> None:
    for row in world.rows.values():
        for number, record in enumerate(row.generations, start=1):
            earlier = operation_of(row).vendor_id(row.id, number)
            unpaid = earlier_id(record) == UNPAID
            assert not (unpaid and earlier in world.vendor.charges)


def only_an_operator_or_a_lost_answer_buys_again(world: World) -> None:
    for row in world.rows.values():
        if not may_lose_its_answer(row):
            assert row.generation - 1 <= world.authorised.get(row.id, 0)


def what_nothing_stops_from_a_second_charge_is_never_repeated_in_doubt(world: World) -> None:
    assert world.repeated == []


def an_end_is_what_the_vendor_stored(world: World) -> None:
    for row in world.rows.values():
        if row.state in ANSWERED and not ended_without_a_read(row):
            stored = world.vendor.stored[world.vendor_id(row)]
            assert (row.state, row.reference) == (stored.state, stored.reference)


def nothing_that_was_executed_ends_as_refused(world: World) -> None:
    for row in world.rows.values():
        if row.state is State.REFUSED:
            assert world.vendor_id(row) not in world.vendor.stored


def final_rows_do_not_change(world: World) -> None:
    for name, final in world.finals.items():
        assert world.rows[name] == final


def exactly_the_open_rows_are_due(world: World) -> None:
    for row in world.rows.values():
        assert (row.due == 0) == (row.state in SETTLED)


def every_end_has_exactly_one_event(world: World) -> None:
    ends = [e for e in world.events if e[1].upper() in TERMINAL]
    assert len(ends) == len(set(ends)) == len({name for name, _ in ends})
    assert {name for name, _ in ends} == set(world.finals)


def attempts_are_bounded(world: World) -> None:
    assert all(row.attempts <= POLICY.max_attempts for row in world.rows.values())


def ended_without_a_read(row: Row) -> bool:
    """Return True if a row ended by what a webhook claimed, by time, or by what others got."""
    journey = operation_of(row).mode is Mode.JOURNEY
    late = row.reason == "deadline" or (journey and row.reason == "vendor_deadline")
    shared = operation_of(row).mode is Mode.RESOURCE
    return late or shared or row.reason.startswith("webhook/")


def may_lose_its_answer(row: Row) -> bool:
    """Return True if the policy buys again: a link or an answer that no read returns."""
    kind, operation = KINDS[row.kind], operation_of(row)
    linked = operation.mode is Mode.JOURNEY and operation.recovery is not Recovery.NONE
    unreadable = linked or operation.recovery is Recovery.REPEAT
    return unreadable and POLICY.for_lost_answer(kind) == "reissue"


PROMISES: Final = (
    each_generation_is_charged_at_most_once,
    a_template_is_bought_again_only_by_an_operator,
    every_ambiguous_attempt_has_an_admitted_call,
    every_generation_is_recorded,
    no_charged_id_is_recorded_as_unpaid,
    only_an_operator_or_a_lost_answer_buys_again,
    what_nothing_stops_from_a_second_charge_is_never_repeated_in_doubt,
    an_end_is_what_the_vendor_stored,
    nothing_that_was_executed_ends_as_refused,
    final_rows_do_not_change,
    exactly_the_open_rows_are_due,
    every_end_has_exactly_one_event,
    attempts_are_bounded,
)
