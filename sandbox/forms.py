"""Static KYC links: create and deactivate them, and the forms of the people who use them."""

import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import segno

from sandbox import errors, validation
from sandbox.errors import RefusedCall
from sandbox.state import Form, StaticLink
from sandbox.vendor import ApiReply, ApiRequest, EmulatedVendor

LINK_DAYS = 30


def create(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Return a static link for a template, with its QR code."""
    name = validation.template_name(request.fields)
    with vendor.state.lock:
        if name not in vendor.state.templates:
            raise RefusedCall(errors.TEMPLATE_UNKNOWN)
        active = _active(vendor, request.account, name)
        if active and not vendor.config.repeat_link_is_new:
            return ApiReply(200, _described(active[-1]))
        code = vendor.ids.code()
        link = StaticLink(request.account, name, code, f"{request.base}/forms/{code}")
        vendor.state.links[code] = link
    execution = vendor.records.execution(
        vendor.clock.now(), "static_link", account=request.account, route="static_link", detail=name
    )
    return ApiReply(200, _described(link), execution)


def _active(vendor: EmulatedVendor, account: str, template_name: str) -> list[StaticLink]:
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
    """Return a QR code of ``text`` as base64 PNG, without a data URI prefix."""
    png = io.BytesIO()
    segno.make(text, micro=False).save(png, kind="png", scale=6)
    return base64.b64encode(png.getvalue()).decode()


def deactivate(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Deactivate every active link of a template; return the newest."""
    name = validation.template_name(request.fields)
    with vendor.state.lock:
        if name not in vendor.state.templates:
            raise RefusedCall(errors.TEMPLATE_UNKNOWN)
        links = _active(vendor, request.account, name)
        if not links:
            raise RefusedCall(errors.LINK_NOT_LINKED)
        for link in links:
            link.active = False
    body = {
        "message": "Static link deactivated successfully",
        "static_link": links[-1].url,
        "template_name": name,
        "status": "INACTIVE",
    }
    return ApiReply(200, body)


def fill_in(vendor: EmulatedVendor, link: StaticLink, name: str, phone: str, email: str) -> Form:
    """Complete all steps of a link for a person, with a webhook for each and one at the end."""
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
            vendor.send_webhook(form.account, "KYC_LINK_ACTION_PERFORMED", described_form(form))
        form.form_status = "SUCCESS"
        vendor.send_webhook(form.account, "KYC_LINK_SUCCESS", described_form(form))
    return form


def described_form(form: Form) -> dict[str, Any]:
    """Return one person's form as in status answers and webhooks."""
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


def read_status(vendor: EmulatedVendor, request: ApiRequest) -> ApiReply:
    """Return one person's form; the query keys of this route are camel case."""
    reference = request.fields.get("referenceID")
    verification_id = request.fields.get("verificationID")
    if not (reference or verification_id):
        raise RefusedCall(errors.NO_ID_GIVEN)
    with vendor.state.lock:
        for form in vendor.state.forms:
            wanted = str(form.reference_id) if reference else form.verification_id
            if form.account == request.account and wanted == (reference or verification_id):
                return ApiReply(200, described_form(form))
    raise RefusedCall(errors.NO_SUCH_FORM)
