"""`satyapan demo --stay`: everything keeps running, and the user is the person who consents."""

from typing import Final, NoReturn

from demo.console import Console
from demo.environment import write_env_file
from demo.local_stack import LocalStack
from satyapan import Event, State, Verifications, linked

_DOCUMENTS: Final = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_GROUP: Final = "demo"


def stay_up(stack: LocalStack, console: Console) -> NoReturn:
    """Submit a DigiLocker verification, print what to try, and print all events until Ctrl-C.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        ChildFailed, SatyapanError: the demo can't continue.
    """
    verifications = stack.verifications()
    request = {"document_requested": list(_DOCUMENTS)}
    begun = verifications.submit("digilocker", request, key="stay")
    begun = verifications.wait(begun.id, timeout=60, until=linked)
    _print_hints(stack, console, begun.link, begun.id)
    console.section("Events, until Ctrl-C")
    while True:
        for event in verifications.events(_GROUP, block=0.5):
            _print_event(verifications, event, console)
        for name in stack.restart_ended():
            console.failure(f"{name} ended and was restarted (pid {stack.pid(name)})")


def _print_hints(stack: LocalStack, console: Console, link: str, verification_id: str) -> None:
    env = write_env_file(stack.folder / "satyapan.env", stack.env)
    console.section("Be the person: open this in a browser, then allow or deny")
    console.line(f"  {link}")
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
