"""Static KYC links: make one, switch it off, and what becomes of the people who use it."""

import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import segno

from sandbox import checks, errors
from sandbox.errors import Refused
from sandbox.state import Form, StaticLink
from sandbox.vendor import Ask, Reply, Vendor

LINK_DAYS = 30


def create(vendor: Vendor, ask: Ask) -> Reply:
    """Return a static link for a template, with its picture."""
    name = checks.template_name(ask.fields)
    with vendor.state.lock:
        if name not in vendor.state.templates:
            raise Refused(errors.TEMPLATE_UNKNOWN)
        active = _active(vendor, ask.account, name)
        if active and not vendor.config.repeat_link_is_new:
            return Reply(200, _described(active[-1]))
        code = vendor.ids.code()
        link = StaticLink(ask.account, name, code, f"{ask.base}/forms/{code}")
        vendor.state.links[code] = link
    execution = vendor.records.execution(
        vendor.clock.now(), "static_link", account=ask.account, route="static_link", detail=name
    )
    return Reply(200, _described(link), execution)


def _active(vendor: Vendor, account: str, template_name: str) -> list[StaticLink]:
    return [
        link
        for link in vendor.state.links.values()
        if link.active and (link.account, link.template_name) == (account, template_name)
    ]


def _described(link: StaticLink) -> dict[str, object]:
    return {
        "static_link": link.url,
        "qr_code": qr_png(link.url),
        "status": "ACTIVE",
        "template_name": link.template_name,
    }


def qr_png(text: str) -> str:
    """Return a QR picture of ``text`` as base64 PNG, without a data URI prefix."""
    picture = io.BytesIO()
    segno.make(text, micro=False).save(picture, kind="png", scale=6)
    return base64.b64encode(picture.getvalue()).decode()


def deactivate(vendor: Vendor, ask: Ask) -> Reply:
    """Switch off every active link of a template; name the newest."""
    name = checks.template_name(ask.fields)
    with vendor.state.lock:
        if name not in vendor.state.templates:
            raise Refused(errors.TEMPLATE_UNKNOWN)
        links = _active(vendor, ask.account, name)
        if not links:
            raise Refused(errors.LINK_NOT_LINKED)
        for link in links:
            link.active = False
    body = {
        "message": "Static link deactivated successfully",
        "static_link": links[-1].url,
        "template_name": name,
        "status": "INACTIVE",
    }
    return Reply(200, body)


def fill_in(vendor: Vendor, link: StaticLink, name: str, phone: str, email: str) -> Form:
    """Let a person go through all steps of a link; one webhook each, and one at the end."""
    expiry = datetime.fromtimestamp(vendor.clock.now(), UTC) + timedelta(days=LINK_DAYS)
    with vendor.state.lock:
        form = Form(
            account=link.account,
            verification_id=f"kyc-{vendor.ids.code()}",
            reference_id=vendor.ids.reference_id(),
            form_link=link.url,
            link_expiry=expiry.date().isoformat(),
            name=name,
            phone=phone,
            email=email,
        )
        vendor.state.forms.append(form)
        for step in vendor.state.templates[link.template_name]:
            reference = vendor.ids.reference_id()
            form.steps.append({"reference_id": reference, "type": step, "status": "SUCCESS"})
            vendor.announce(form.account, "KYC_LINK_ACTION_PERFORMED", described_form(form))
        form.form_status = "SUCCESS"
        vendor.announce(form.account, "KYC_LINK_SUCCESS", described_form(form))
    return form


def described_form(form: Form) -> dict[str, Any]:
    """Return what status answers and webhooks say about one person's form."""
    return {
        "name": form.name,
        "phone": form.phone,
        "email": form.email,
        "verification_id": form.verification_id,
        "reference_id": form.reference_id,
        "link_expiry": form.link_expiry,
        "form_link": form.form_link,
        "form_status": form.form_status,
        "verification_details": [dict(step) for step in form.steps],
    }


def status(vendor: Vendor, ask: Ask) -> Reply:
    """Return one person's form; the query keys are camel case here."""
    reference = ask.fields.get("referenceID")
    verification_id = ask.fields.get("verificationID")
    if not (reference or verification_id):
        raise Refused(errors.NO_ID_GIVEN)
    with vendor.state.lock:
        for form in vendor.state.forms:
            wanted = str(form.reference_id) if reference else form.verification_id
            if form.account == ask.account and wanted == (reference or verification_id):
                return Reply(200, described_form(form))
    raise Refused(errors.NO_SUCH_FORM)
