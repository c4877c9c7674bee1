"""The pages on which people decide, of the operations whose stages have one."""

from http import HTTPStatus

from flask import Blueprint, abort, redirect, request
from werkzeug.wrappers import Response

from sandbox import pages
from sandbox.cases import Case
from sandbox.engine.progress import advance, press
from sandbox.redirects import redirect_target
from sandbox.vendor import EmulatedVendor

PageResponse = tuple[str, HTTPStatus]


def person_pages(vendor: EmulatedVendor) -> Blueprint:
    """Return the blueprint of the pages; a GET changes nothing."""
    routes = Blueprint("person_pages", __name__)

    @routes.get("/pages/<code>")
    def show(code: str) -> PageResponse:
        return _page(vendor, _case(vendor, code))

    @routes.post("/pages/<code>")
    def decide(code: str) -> PageResponse | Response:
        case = _case(vendor, code)
        if not press(vendor, case, request.form.get("decision", "")):
            return _page(vendor, case, HTTPStatus.BAD_REQUEST)
        target = _target(case)
        if target is not None:
            return redirect(target)
        return pages.message_page("Thank you", "You can close this page."), HTTPStatus.OK

    return routes


def _case(vendor: EmulatedVendor, code: str) -> Case:
    case = vendor.state.cases.by_code(code)
    if case is None or not any(stage.page for stage in case.operation.stages.values()):
        abort(HTTPStatus.NOT_FOUND)
    return case


def _page(vendor: EmulatedVendor, case: Case, status: HTTPStatus = HTTPStatus.OK) -> PageResponse:
    """Return the page of the case's stage, or say that there is nothing to decide any more."""
    with vendor.state.lock:
        advance(vendor, case)
    page = case.stage.page if case.stage else None
    if page is None:
        message = "There is nothing to do here any more. You can close this page."
        return pages.message_page("Already over", message), HTTPStatus.GONE
    return pages.buttons_page(page.title, page.text, page.buttons), status


def _target(case: Case) -> str | None:
    own = case.operation.own_id
    if own is None or case.own_id is None:
        return None
    return redirect_target(case.values.get("redirect_url"), own.field, case.own_id)
