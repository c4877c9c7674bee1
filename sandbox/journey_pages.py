"""The addresses that people open: consent page, static link, and the files of documents."""

import io
import zipfile
from http import HTTPStatus
from urllib.parse import quote
from xml.etree import ElementTree as ET

from flask import Blueprint, Response, abort, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from sandbox import digilocker, forms, pages, people
from sandbox.checks import DOCUMENTS
from sandbox.journeys import Journey
from sandbox.vendor import Vendor

Page = tuple[str, HTTPStatus]


def journey_pages(vendor: Vendor) -> Blueprint:
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


def too_late(vendor: Vendor, journey: Journey) -> Page | None:
    """Return the page for a journey that no longer takes a decision, else None."""
    if journey.is_open(vendor.clock.now()):
        return None
    if journey.decision is None:
        message = "This link has expired. Please go back and start again."
        return pages.message_page("Link expired", message), HTTPStatus.GONE
    message = "Your answer was already taken. You can close this page."
    return pages.message_page("Already answered", message), HTTPStatus.OK


def take_decision(vendor: Vendor, journey: Journey) -> Page | BaseResponse:
    """Record the form of the consent page and send the person back."""
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
    target = redirect_target(journey)
    if target is None:
        return pages.message_page("Thank you", "You can close this page."), HTTPStatus.OK
    return redirect(target)


def redirect_target(journey: Journey) -> str | None:
    """Return the client's address with ``verification_id`` added to its query."""
    if journey.redirect_url is None:
        return None
    address, mark, fragment = journey.redirect_url.partition("#")
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}verification_id={quote(journey.verification_id)}{mark}{fragment}"


def take_person(vendor: Vendor, code: str) -> Page:
    """Let the person who filled in a static link's page go through all its steps."""
    name = request.form.get("name", "").strip()
    if not name:
        abort(HTTPStatus.BAD_REQUEST)
    phone, email = request.form.get("phone", ""), request.form.get("email", "")
    form = forms.fill_in(vendor, vendor.state.links[code], name, phone, email)
    return pages.message_page("Thank you", f"Reference: {form.reference_id}"), HTTPStatus.OK


def gone() -> Page:
    """Return the page of a static link that was switched off."""
    message = "This link is no longer active."
    return pages.message_page("Link switched off", message), HTTPStatus.GONE


def zipped_xml(journey: Journey, document: str) -> bytes:
    """Return what a document's ``xml_file`` points to: its fields as XML in a zip file."""
    root = ET.Element("Document", {"type": document})
    for key, value in people.document(document, journey.person, "").items():
        ET.SubElement(root, key).text = str(value)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{document}.xml", ET.tostring(root))
    return packed.getvalue()
