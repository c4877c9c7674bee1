"""DigiLocker: create a journey, read its status, fetch its documents."""

import re

from sandbox import errors, people
from sandbox.errors import RefusedCall
from sandbox.journeys import Decision, Journey, PersonScript
from sandbox.vendor import ApiRequest, EmulatedVendor, PythonReply

_REFERENCE = re.compile(r"[0-9]{1,19}")


def create(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Create a journey and return the address of its consent page."""
    journey = Journey(
        account=request.account,
        verification_id=request.fields["verification_id"],
        reference_id=vendor.ids.reference_id(),
        code=vendor.ids.code(),
        documents=tuple(request.fields["document_requested"]),
        redirect_url=request.fields.get("redirect_url"),
        user_flow=request.fields.get("user_flow"),
        url_until=vendor.clock.now() + vendor.config.url_lifetime_s,
        document_202=vendor.config.document_202,
    )
    vendor.state.add_journey(journey)
    play_script(vendor, journey)
    return PythonReply(
        _created(journey, request.base), charged=True, reference_id=journey.reference_id
    )


def _created(journey: Journey, base: str) -> dict[str, object]:
    """Return the body of the answer; optional fields that were not sent are not echoed."""
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


def play_script(vendor: EmulatedVendor, journey: Journey) -> None:
    """Carry out the scripted actions for this journey, if there are any."""
    with vendor.state.lock:
        script = vendor.state.scripts.pop(journey.verification_id, None)
        if script is None:
            return
        script.prepare(journey)
    if script.decision is not None:
        decide(vendor, journey, script.decision, _chosen(script, journey))


def _chosen(script: PersonScript, journey: Journey) -> tuple[str, ...]:
    return journey.documents if script.documents is None else script.documents


def decide(
    vendor: EmulatedVendor, journey: Journey, decision: Decision, consent: tuple[str, ...]
) -> bool:
    """Record a person's decision and send its webhook; return False if it is too late."""
    now = vendor.clock.now()
    with vendor.state.lock:
        if not journey.is_open(now):
            return False
        event = journey.decide(decision, consent, now, vendor.config.consent_lifetime_s)
        vendor.send_journey_webhook(journey, event)
    return True


def read_status(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Return the status of a journey."""
    journey = _find(vendor, request)
    return PythonReply(journey.report(vendor.clock.now()))


def _find(vendor: EmulatedVendor, request: ApiRequest) -> Journey:
    """Return the requested journey; the vendor's own id takes precedence."""
    reference = request.fields.get("reference_id")
    if reference:
        known = _REFERENCE.fullmatch(reference)
        journey = vendor.state.journey_by_reference(int(reference)) if known else None
        if journey is None or journey.account != request.account:
            raise RefusedCall(errors.NO_SUCH_REFERENCE)
        return journey
    verification_id = request.fields.get("verification_id")
    if not verification_id:
        raise RefusedCall(errors.NO_ID_GIVEN)
    journey = vendor.state.journey(request.account, verification_id)
    if journey is None:
        raise RefusedCall(errors.NO_SUCH_ID)
    return journey


def document(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Return one document while the consent is valid."""
    name = request.fields["document_type"]
    journey = _find(vendor, request)
    _refuse_without_consent(journey, name, vendor.clock.now())
    if journey.use_not_ready(name):
        raise RefusedCall(errors.NOT_READY)
    ids = {"verification_id": journey.verification_id, "reference_id": journey.reference_id}
    content = _content(journey, name, request.base)
    return PythonReply(
        {**ids, **content},
        charged=True,
        own_id=journey.verification_id,
        reference_id=journey.reference_id,
        detail=name,
    )


def _refuse_without_consent(journey: Journey, name: str, now: float) -> None:
    status = journey.status(now)
    if journey.consent_until is None:
        raise RefusedCall(errors.URL_EXPIRED if status == "EXPIRED" else errors.NO_CONSENT)
    if status == "EXPIRED":
        raise RefusedCall(errors.SESSION_EXPIRED)
    not_linked = journey.person["eaadhaar"] == "N"
    if name not in journey.consent or (not_linked and name != "AADHAAR"):
        raise RefusedCall(errors.NO_CONSENT)
    if name == "PAN" and not people.documents_agree(journey.person):
        raise RefusedCall(errors.PERSON_MISMATCH)


def _content(journey: Journey, name: str, base: str) -> dict[str, object]:
    if journey.person["eaadhaar"] == "N":
        return {"status": "AADHAAR_NOT_LINKED", **people.NO_AADHAAR}
    xml_file = f"{base}/files/{journey.code}/{name}.zip"
    return {"status": "SUCCESS", **people.document(name, journey.person, xml_file)}
