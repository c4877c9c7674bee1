"""DigiLocker: create a journey, read its status, fetch its documents."""

import re

from sandbox import errors, people, validation
from sandbox.errors import RefusedCall
from sandbox.journeys import Decision, Journey, PersonScript
from sandbox.vendor import ApiReply, ApiRequest, EmulatedVendor

_ROUTE = "digilocker"
_REFERENCE = re.compile(r"[0-9]{1,19}")


def create(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Create a journey and return the address of its consent page."""
    verification_id = validation.verification_id(request.fields)
    documents = validation.documents(request.fields)
    redirect_url = validation.redirect_url(
        request.fields, loopback=vendor.config.loopback_redirects
    )
    user_flow = validation.user_flow(request.fields)
    with vendor.state.lock:
        vendor.state.refuse_used(
            _ROUTE, request.account, verification_id, errors.DIGILOCKER_REPEATED
        )
        vendor.state.use(_ROUTE, request.account, verification_id)
        journey = Journey(
            account=request.account,
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
        account=request.account,
        route=_ROUTE,
        verification_id=verification_id,
        reference_id=journey.reference_id,
    )
    play_script(vendor, journey)
    return ApiReply(200, _created(journey, request.base), execution)


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


def read_status(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Return the status of a journey."""
    journey = _find(vendor, request)
    return ApiReply(200, journey.report(vendor.clock.now()))


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


def document(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Return one document while the consent is valid; each fetch is recorded as a charge."""
    if request.document not in validation.DOCUMENTS:
        raise RefusedCall(errors.DOCUMENT_TYPE)
    journey = _find(vendor, request)
    with vendor.state.lock:
        _refuse_without_consent(journey, request.document, vendor.clock.now())
        if journey.use_not_ready(request.document):
            raise RefusedCall(errors.NOT_READY)
    ids = {"verification_id": journey.verification_id, "reference_id": journey.reference_id}
    execution = vendor.records.execution(
        vendor.clock.now(),
        "document",
        account=request.account,
        route="digilocker_document",
        verification_id=journey.verification_id,
        reference_id=journey.reference_id,
        detail=request.document,
    )
    return ApiReply(200, {**ids, **_content(journey, request)}, execution)


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


def _content(journey: Journey, request: ApiRequest) -> dict[str, object]:
    if journey.person["eaadhaar"] == "N":
        return {"status": "AADHAAR_NOT_LINKED", "message": "Aadhaar is not linked"}
    xml_file = f"{request.base}/files/{journey.code}/{request.document}.zip"
    return {"status": "SUCCESS", **people.document(request.document, journey.person, xml_file)}
