"""Static KYC links: create and deactivate them, and the forms of the people who use them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox import errors
from sandbox.errors import RefusedCall
from sandbox.qr_codes import qr_png
from sandbox.state import Form, StaticLink
from sandbox.vendor import ApiRequest, EmulatedVendor, PythonReply

LINK_DAYS = 30


def create(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Return a static link for a template, with its QR code."""
    name = _known_template(vendor, request)
    active = _active(vendor, request.account, name)
    if active and not vendor.config.repeat_link_is_new:
        return PythonReply(_described(active[-1]))
    code = vendor.ids.code()
    link = StaticLink(request.account, name, code, f"{request.base}/forms/{code}")
    vendor.state.links[code] = link
    return PythonReply(_described(link), charged=True, detail=name)


def _known_template(vendor: EmulatedVendor, request: ApiRequest) -> str:
    name = str(request.fields["template_name"])
    if name not in vendor.state.templates:
        raise RefusedCall(errors.TEMPLATE_UNKNOWN)
    return name


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


def deactivate(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Deactivate every active link of a template; return the newest."""
    name = _known_template(vendor, request)
    links = _active(vendor, request.account, name)
    if not links:
        raise RefusedCall(errors.LINK_NOT_LINKED)
    for link in links:
        link.active = False
    body = {
        "message": "Successfully Deactivated",
        "static_link": links[-1].url,
        "template_name": name,
        "status": "INACTIVE",
    }
    return PythonReply(body)


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


def read_form(vendor: EmulatedVendor, request: ApiRequest) -> PythonReply:
    """Return one person's form; the query keys of this route are camel case."""
    reference = request.fields.get("referenceID")
    verification_id = request.fields.get("verificationID")
    if not (reference or verification_id):
        raise RefusedCall(errors.NO_FORM_ID_GIVEN)
    for form in vendor.state.forms:
        wanted = str(form.reference_id) if reference else form.verification_id
        if form.account == request.account and wanted == (reference or verification_id):
            return PythonReply(described_form(form))
    raise RefusedCall(errors.NO_SUCH_FORM)
