"""`satyapan demo --stay`: everything stays up, and whoever watches is the person who consents."""

from typing import Final, NoReturn

from demo.environment import write_env_file
from demo.stage import Stage
from demo.telling import Teller
from satyapan import Event, State, Verifications, linked

_DOCUMENTS: Final = ("AADHAAR", "PAN", "DRIVING_LICENSE")
_GROUP: Final = "demo"


def stay_up(stage: Stage, teller: Teller) -> NoReturn:
    """Submit a DigiLocker verification, say what can be done, and follow all events until Ctrl-C.

    Raises:
        KeyboardInterrupt: that is its end.
        ChildFailed, SatyapanError: it can't go on.
    """
    verifications = stage.verifications()
    request = {"document_requested": list(_DOCUMENTS)}
    begun = verifications.submit("digilocker", request, key="stay")
    begun = verifications.wait(begun.id, timeout=60, until=linked)
    _explain(stage, teller, begun.link, begun.id)
    teller.chapter("Events, until Ctrl-C")
    while True:
        for event in verifications.events(_GROUP, block=0.5):
            _tell(verifications, event, teller)
        for name in stage.tend():
            teller.bad(f"{name} is gone; started it again (pid {stage.pid(name)})")


def _explain(stage: Stage, teller: Teller, link: str, verification_id: str) -> None:
    env = write_env_file(stage.folder / "satyapan.env", stage.env)
    teller.chapter("Be the person: open this in a browser, then allow or deny")
    teller.line(f"  {link}")
    teller.chapter("Be a producer, in another terminal")
    teller.line(f"  . {env}")
    teller.line(f"  satyapan show {verification_id} --private")
    teller.line("  satyapan list")
    teller.line("  satyapan submit digilocker document_requested=PAN --key mine --wait 600")
    teller.chapter("Be the vendor")
    teller.line(f"  {stage.sandbox_url}/_control/audit       what was charged")
    teller.line(f"  {stage.sandbox_url}/_control/webhooks    what was told to us")
    teller.line(f"  {stage.callbacks_url}/readyz              the callbacks app's health")


def _tell(verifications: Verifications, event: Event, teller: Teller) -> None:
    parts = (event.verification_id, event.kind, event.name, event.status, event.reason)
    text = "  ".join(part for part in parts if part)
    (teller.good if event.state is State.DONE else teller.see)(text)
    now = verifications.get(event.verification_id) if event.state is State.DONE else None
    if now and now.result and now.result.get("documents"):
        teller.see(f"documents: {', '.join(now.result['documents'])}")
