"""DigiLocker: create a journey, read its status, fetch its documents."""

import re

from sandbox import checks, errors, people
from sandbox.errors import Refused
from sandbox.journeys import Decision, Journey, Script
from sandbox.vendor import Ask, Reply, Vendor

_ROUTE = "digilocker"
_REFERENCE = re.compile(r"[0-9]{1,19}")


def create(vendor: Vendor, ask: Ask) -> Reply:
    """Create a journey and return the address of its consent page."""
    verification_id = checks.verification_id(ask.fields)
    documents = checks.documents(ask.fields)
    redirect_url = checks.redirect_url(ask.fields, loopback=vendor.config.loopback_redirects)
    user_flow = checks.user_flow(ask.fields)
    with vendor.state.lock:
        vendor.state.refuse_used(_ROUTE, ask.account, verification_id, errors.DIGILOCKER_REPEATED)
        vendor.state.use(_ROUTE, ask.account, verification_id)
        journey = Journey(
            account=ask.account,
            verification_id=verification_id,
            reference_id=vendor.ids.reference_id(),
            code=vendor.ids.code(),
            documents=documents,
            redirect_url=redirect_url,
            user_flow=user_flow,
            url_until=vendor.clock.now() + vendor.config.url_lifetime_s,
            document_202=vendor.config.document_202,
        )
        vendor.state.add_journey(journey)
    execution = vendor.records.execution(
        vendor.clock.now(),
        _ROUTE,
        account=ask.account,
        route=_ROUTE,
        verification_id=verification_id,
        reference_id=journey.reference_id,
    )
    play_script(vendor, journey)
    return Reply(200, _created(journey, ask.base), execution)


def _created(journey: Journey, base: str) -> dict[str, object]:
    """Return the answer of a create; what was not sent is not echoed."""
    body: dict[str, object] = {
        "verification_id": journey.verification_id,
        "reference_id": journey.reference_id,
        "url": f"{base}/dgl/{journey.code}",
        "status": "PENDING",
        "document_requested": list(journey.documents),
    }
    if journey.redirect_url is not None:
        body["redirect_url"] = journey.redirect_url
    if journey.user_flow is not None:
        body["user_flow"] = journey.user_flow
    return body


def play_script(vendor: Vendor, journey: Journey) -> None:
    """Let the scripted person of this journey act, if there is one."""
    with vendor.state.lock:
        script = vendor.state.scripts.pop(journey.verification_id, None)
        if script is None:
            return
        script.prepare(journey)
    if script.decision is not None:
        decide(vendor, journey, script.decision, _chosen(script, journey))


def _chosen(script: Script, journey: Journey) -> tuple[str, ...]:
    return journey.documents if script.documents is None else script.documents


def decide(vendor: Vendor, journey: Journey, decision: Decision, consent: tuple[str, ...]) -> bool:
    """Record a person's decision and announce it; False if it comes too late."""
    now = vendor.clock.now()
    with vendor.state.lock:
        if not journey.is_open(now):
            return False
        word = journey.decide(decision, consent, now, vendor.config.consent_lifetime_s)
        vendor.announce_journey(journey, word)
    return True


def status(vendor: Vendor, ask: Ask) -> Reply:
    """Return where a journey stands."""
    journey = _find(vendor, ask)
    return Reply(200, journey.report(vendor.clock.now()))


def _find(vendor: Vendor, ask: Ask) -> Journey:
    """Return the journey asked for; the vendor's own id wins."""
    reference = ask.fields.get("reference_id")
    if reference:
        known = _REFERENCE.fullmatch(reference)
        journey = vendor.state.journey_by_reference(int(reference)) if known else None
        if journey is None or journey.account != ask.account:
            raise Refused(errors.NO_SUCH_REFERENCE)
        return journey
    verification_id = ask.fields.get("verification_id")
    if not verification_id:
        raise Refused(errors.NO_ID_GIVEN)
    journey = vendor.state.journey(ask.account, verification_id)
    if journey is None:
        raise Refused(errors.NO_SUCH_ID)
    return journey


def document(vendor: Vendor, ask: Ask) -> Reply:
    """Return one document while the consent lives; each fetch is recorded as a charge."""
    if ask.document not in checks.DOCUMENTS:
        raise Refused(errors.DOCUMENT_TYPE)
    journey = _find(vendor, ask)
    with vendor.state.lock:
        _refuse_without_consent(journey, ask.document, vendor.clock.now())
        if journey.takes_202(ask.document):
            raise Refused(errors.NOT_READY)
    ids = {"verification_id": journey.verification_id, "reference_id": journey.reference_id}
    execution = vendor.records.execution(
        vendor.clock.now(),
        "document",
        account=ask.account,
        route="digilocker_document",
        verification_id=journey.verification_id,
        reference_id=journey.reference_id,
        detail=ask.document,
    )
    return Reply(200, {**ids, **_content(journey, ask)}, execution)


def _refuse_without_consent(journey: Journey, name: str, now: float) -> None:
    status_word = journey.status(now)
    if journey.consent_until is None:
        raise Refused(errors.URL_EXPIRED if status_word == "EXPIRED" else errors.NO_CONSENT)
    if status_word == "EXPIRED":
        raise Refused(errors.SESSION_EXPIRED)
    not_linked = journey.person["eaadhaar"] == "N"
    if name not in journey.consent or (not_linked and name != "AADHAAR"):
        raise Refused(errors.NO_CONSENT)
    if name == "PAN" and not people.documents_agree(journey.person):
        raise Refused(errors.PERSON_MISMATCH)


def _content(journey: Journey, ask: Ask) -> dict[str, object]:
    if journey.person["eaadhaar"] == "N":
        return {"status": "AADHAAR_NOT_LINKED", "message": "Aadhaar is not linked"}
    xml_file = f"{ask.base}/files/{journey.code}/{ask.document}.zip"
    return {"status": "SUCCESS", **people.document(ask.document, journey.person, xml_file)}
