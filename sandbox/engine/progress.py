"""Move cases through their stages: as time passes, and as people press buttons."""

from sandbox.cases import Case
from sandbox.clock import iso
from sandbox.definitions.model import Stage
from sandbox.definitions.templates import fill
from sandbox.vendor import EmulatedVendor
from sandbox.webhooks import WebhookEvent


def advance(vendor: EmulatedVendor, case: Case) -> None:
    """Begin every stage that is due; the caller holds the state's lock."""
    now = vendor.clock.now()
    while (due := case.due()) is not None and due <= now:
        _enter(vendor, case, case.following(), due)


def advance_all(vendor: EmulatedVendor) -> None:
    """Begin the stages of all cases that are due."""
    with vendor.state.lock:
        for case in vendor.state.cases.due(vendor.clock.now()):
            advance(vendor, case)


def expire(vendor: EmulatedVendor) -> None:
    """Carry out all that is due, with its webhooks; must be called regularly."""
    vendor.expire_journeys()
    advance_all(vendor)


def press_planned(vendor: EmulatedVendor, case: Case) -> None:
    """Press the button that a control route planned for a new case, if it did."""
    button = vendor.state.presses.pop(case.own_id or "", None)
    if button is not None:
        press(vendor, case, button)


def press(vendor: EmulatedVendor, case: Case, button: str) -> bool:
    """Press a button of a person's page; return False if the page doesn't have it now."""
    with vendor.state.lock:
        advance(vendor, case)
        page = case.stage.page if case.stage else None
        if page is None or button not in page.buttons:
            return False
        stage = case.operation.stages[page.buttons[button].stage]
        _enter(vendor, case, stage, vendor.clock.now())
        return True


def _enter(vendor: EmulatedVendor, case: Case, stage: Stage, at: float) -> None:
    case.enter(stage, at)
    event = stage.event
    if event is None:
        return
    data = fill(event.data or stage.reply.body or {}, case.values)
    vendor.webhooks.emit(WebhookEvent(case.account, event.type, iso(at), data, event.version))
