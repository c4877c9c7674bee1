"""The addresses that people open: consent pages, static links and files of documents."""

import io
import zipfile
from http import HTTPStatus
from xml.etree import ElementTree as ET

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox import digilocker, pages, people, static_links
from sandbox.journeys import Journey
from sandbox.redirects import redirect_target
from sandbox.validation import DOCUMENTS
from sandbox.vendor import EmulatedVendor

Page = tuple[str, HTTPStatus]


def journey_pages(vendor: EmulatedVendor) -> Blueprint:
    """Return the blueprint of all pages; a GET changes nothing."""
    pages_of = Blueprint("pages", __name__)

    @pages_of.get("/dgl/<code>")
    def show_consent(code: str) -> Page:
        journey = vendor.state.journeys.get(code) or abort(404)
        return too_late(vendor, journey) or (pages.consent_page(journey.documents), HTTPStatus.OK)

    @pages_of.post("/dgl/<code>")
    def take_consent(code: str) -> Page | BaseResponse:
        journey = vendor.state.journeys.get(code) or abort(404)
        return take_decision(vendor, journey)

    @pages_of.get("/forms/<code>")
    def show_form(code: str) -> Page:
        link = vendor.state.links.get(code) or abort(404)
        return (pages.form_page(link.template_name), HTTPStatus.OK) if link.active else gone()

    @pages_of.post("/forms/<code>")
    def take_form(code: str) -> Page:
        link = vendor.state.links.get(code) or abort(404)
        return take_person(vendor, code) if link.active else gone()

    @pages_of.get("/files/<code>/<document>.zip")
    def xml_file(code: str, document: str) -> Response:
        journey = vendor.state.journeys.get(code)
        if journey is None or document not in journey.consent:
            abort(404)
        return Response(zipped_xml(journey, document), content_type="application/zip")

    return pages_of


def too_late(vendor: EmulatedVendor, journey: Journey) -> Page | None:
    """Return the page for a journey that can no longer be decided, or None if it can."""
    if journey.is_open(vendor.clock.now()):
        return None
    if journey.decision is None:
        message = "This link has expired. Please go back and start again."
        return pages.message_page("Link expired", message), HTTPStatus.GONE
    message = "Your answer was already taken. You can close this page."
    return pages.message_page("Already answered", message), HTTPStatus.OK


def take_decision(vendor: EmulatedVendor, journey: Journey) -> Page | BaseResponse:
    """Record the decision of the consent page's form and redirect the person."""
    documents = tuple(name for name in request.form.getlist("documents") if name in DOCUMENTS)
    if request.form.get("decision") == "allow":
        in_time = digilocker.decide(vendor, journey, "allow", documents)
    elif request.form.get("decision") == "deny":
        in_time = digilocker.decide(vendor, journey, "deny", ())
    else:
        abort(HTTPStatus.BAD_REQUEST)
    late = None if in_time else too_late(vendor, journey)
    if late is not None:
        return late
    target = redirect_target(journey.redirect_url, "verification_id", journey.verification_id)
    if target is None:
        return pages.message_page("Thank you", "You can close this page."), HTTPStatus.OK
    return redirect(target)


def take_person(vendor: EmulatedVendor, code: str) -> Page:
    """Complete all steps of a static link for the person who submitted its form."""
    name = request.form.get("name", "").strip()
    if not name:
        abort(HTTPStatus.BAD_REQUEST)
    phone, email = request.form.get("phone", ""), request.form.get("email", "")
    form = static_links.fill_in(vendor, vendor.state.links[code], name, phone, email)
    return pages.message_page("Thank you", f"Reference: {form.reference_id}"), HTTPStatus.OK


def gone() -> Page:
    """Return the page of a deactivated static link."""
    message = "This link is no longer active."
    return pages.message_page("Link switched off", message), HTTPStatus.GONE


def zipped_xml(journey: Journey, document: str) -> bytes:
    """Return the file of a document's ``xml_file``: its fields as XML in a zip file."""
    root = ET.Element("Document", {"type": document})
    for key, value in people.document(document, journey.person, "").items():
        ET.SubElement(root, key).text = str(value)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{document}.xml", ET.tostring(root))
    return packed.getvalue()
