"""`satyapan demo --stay`: everything keeps running, and the user consents and pays."""

from typing import Any, Final, NoReturn

from demo.console import Console
from demo.environment import write_env_file
from demo.local_stack import LocalStack
from demo.sections.digilocker import DOCUMENTS
from satyapan import Event, State, Verification, Verifications, linked

_GROUP: Final = "demo"


def stay_up(stack: LocalStack, console: Console) -> NoReturn:
    """Submit a verification to consent to and one to pay for, and print all events until Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        ChildFailed, SatyapanError: the demo can't continue.
    """
    verifications = stack.verifications()
    consent = _begun(verifications, "digilocker", {"document_requested": list(DOCUMENTS)})
    payment = _begun(verifications, "reverse_penny_drop", {"name": "John Doe"})
    console.section("Be the person: open this in a browser, then allow or deny")
    console.line(f"  {consent.link}")
    console.section("Be the one who pays: open this, then pay or decline")
    console.line(f"  {payment.handoff.get('url', '')}")
    _print_hints(stack, console, consent.id)
    console.section("Events, until Ctrl-C")
    while True:
        for event in verifications.events(_GROUP, block=0.5):
            _print_event(verifications, event, console)
        for name in stack.restart_ended():
            console.failure(f"{name} ended and was restarted (pid {stack.pid(name)})")


def _begun(verifications: Verifications, kind: str, request: dict[str, Any]) -> Verification:
    """Submit a verification, and wait for its link."""
    begun = verifications.submit(kind, request, key="stay")
    return verifications.wait(begun.id, timeout=60, until=linked)


def _print_hints(stack: LocalStack, console: Console, verification_id: str) -> None:
    env = write_env_file(stack.folder / "satyapan.env", stack.env)
    console.section("Be a producer, in another terminal")
    console.line(f"  . {env}")
    console.line(f"  satyapan show {verification_id} --private")
    console.line("  satyapan list")
    console.line("  satyapan submit digilocker document_requested=PAN --key mine --wait 600")
    console.section("Be the vendor")
    console.line(f"  {stack.sandbox_url}/_control/audit       what was charged")
    console.line(f"  {stack.sandbox_url}/_control/webhooks    which webhooks were sent")
    console.line(f"  {stack.callbacks_url}/readyz              the callbacks app's health")


def _print_event(verifications: Verifications, event: Event, console: Console) -> None:
    parts = (event.verification_id, event.kind, event.name, event.status, event.reason)
    text = "  ".join(part for part in parts if part)
    (console.success if event.state is State.DONE else console.note)(text)
    now = verifications.get(event.verification_id) if event.state is State.DONE else None
    if now and now.result and now.result.get("documents"):
        console.note(f"documents: {', '.join(now.result['documents'])}")
