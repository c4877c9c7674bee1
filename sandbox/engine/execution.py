"""Execute a call: check its fields, find its answer, record its charge."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.cases import Case, case_values, with_milliseconds
from sandbox.definitions.field_paths import values_at
from sandbox.definitions.field_rules import Circumstances, check_request
from sandbox.definitions.model import CannedReply, InputAnswer, VendorOperation
from sandbox.definitions.templates import fill, names_in
from sandbox.engine.progress import advance, press_planned
from sandbox.errors import RefusedCall
from sandbox.python_answers import PYTHON_ANSWERS
from sandbox.qr_codes import qr_png
from sandbox.records import Execution
from sandbox.vendor import ApiReply, ApiRequest, EmulatedVendor, PythonReply


@dataclass(frozen=True)
class _CallOutcome:
    """What a call gives, and what its charge is recorded with."""

    reply: ApiReply
    executed: bool
    own_id: str | None = None
    reference_id: int | None = None
    detail: str | None = None


def execute(vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest) -> ApiReply:
    """Return the answer to an admitted call."""
    circumstances = Circumstances(vendor.clock.now(), vendor.config.loopback_redirects)
    check_request(operation, request.fields, circumstances)
    with vendor.state.lock:
        answered = _answer(vendor, operation, request)
    if not (answered.executed and operation.charge):
        return answered.reply
    return answered.reply.charged(_record(vendor, operation, request, answered))


def _answer(
    vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest
) -> _CallOutcome:
    if operation.read:
        return _CallOutcome(_read(vendor, operation, request), executed=True)
    own_id = _own_id(operation, request)
    if own_id is not None and operation.own_id and operation.own_id.repeated:
        repeated = operation.own_id.repeated
        vendor.state.refuse_used(operation.name, request.account, own_id, repeated)
    if operation.python:
        made = PYTHON_ANSWERS[operation.python](vendor, request)
        answered = _from_python(made, own_id)
    else:
        answered = _by_input(vendor, operation, request, own_id)
    if own_id is not None and answered.executed:
        vendor.state.use(operation.name, request.account, own_id)
    return answered


def _own_id(operation: VendorOperation, request: ApiRequest) -> str | None:
    value = request.fields.get(operation.own_id.field) if operation.own_id else None
    return None if value is None else str(value)


def _from_python(made: PythonReply, own_id: str | None) -> _CallOutcome:
    return _CallOutcome(
        ApiReply(200, made.body),
        made.charged,
        made.own_id or own_id,
        made.reference_id,
        made.detail,
    )


def _by_input(
    vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest, own_id: str | None
) -> _CallOutcome:
    answer = matching_answer(operation.answers, request.fields)
    if not answer.executed:
        return _CallOutcome(_reply(answer.reply, {}), executed=False)
    case = _new_case(vendor, operation, request, own_id, answer)
    if operation.name in vendor.operations.readable:
        vendor.state.cases.add(case)
    reply = _reply(answer.reply, case.values, operation.error_reference)
    press_planned(vendor, case)
    detail = None if own_id is not None else _digest(request.fields)
    return _CallOutcome(reply, answer.executed, own_id, case.reference_id, detail)


def matching_answer(answers: Sequence[InputAnswer], fields: Mapping[str, Any]) -> InputAnswer:
    """Return the first answer whose conditions the fields meet; the last one has none."""
    for answer in answers[:-1]:
        if all(_fits(fields, name, wanted) for name, wanted in answer.when.items()):
            return answer
    return answers[-1]


def _fits(fields: Mapping[str, Any], name: str, wanted: object) -> bool:
    value = next(values_at(name, fields)).value
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and bool(wanted.fullmatch(value))
    return bool(value == wanted)


def _new_case(
    vendor: EmulatedVendor,
    operation: VendorOperation,
    request: ApiRequest,
    own_id: str | None,
    answer: InputAnswer,
) -> Case:
    now, reference_id = vendor.clock.now(), vendor.ids.reference_id()
    stage = operation.first_stage if answer.starts_stages else None
    code = vendor.ids.code() if operation.stages else str(reference_id)
    values = case_values(request.fields, reference_id, code, request.base, now)
    values |= _entry_values(vendor, operation, request)
    values |= fill(answer.sets, values)
    if stage and stage.after_s is not None:
        values["valid_until"] = with_milliseconds(now + stage.after_s)
    return Case(operation, request.account, own_id, reference_id, code, answer, values, stage, now)


def _entry_values(
    vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest
) -> dict[str, Any]:
    """Return the answers to the entries of a batch, what is said until then, and their number."""
    if operation.entries is None:
        return {}
    answers, waiting = [], []
    for sequence, given in enumerate(request.fields[operation.entries.field], 1):
        entry = given if isinstance(given, dict) else {}
        values = {**entry, "reference_id": vendor.ids.reference_id(), "sequence": sequence}
        answer = matching_answer(operation.entries.answers, entry)
        answers.append(fill(answer.reply.body, {**values, **fill(answer.sets, values)}))
        waiting.append(fill(operation.entries.waiting, values))
    return {
        "entry_answers": answers,
        "waiting_entries": waiting,
        "entry_count": len(answers),
    }


def _reply(
    reply: CannedReply, values: Mapping[str, Any], error_reference: str | None = None
) -> ApiReply:
    if reply.error is None:
        return ApiReply(reply.status, _filled(reply.body, values), cut=reply.cut)
    body: dict[str, Any] = {**reply.error.body()}
    if error_reference and values:
        body["error"] = {error_reference: values["reference_id"]}
    return ApiReply(reply.status, body, cut=reply.cut)


def _filled(body: object, values: Mapping[str, Any]) -> dict[str, Any]:
    if "page_qr" in set(names_in(body)):
        values = {**values, "page_qr": qr_png(str(values["page"]))}
    return dict(fill(body, values))


def _digest(fields: Mapping[str, Any]) -> str:
    """Return what stands for a request without an id in the audit: a digest of its fields."""
    text = json.dumps(fields, sort_keys=True)
    return f"request {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _read(vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest) -> ApiReply:
    case = _wanted_case(vendor, operation, request)
    advance(vendor, case)
    reply = case.stage.reply if case.stage else case.answer.read or case.answer.reply
    return _reply(reply, case.values)


def _wanted_case(vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest) -> Case:
    if operation.read is None:
        raise LookupError(f"{operation.name} reads nothing")
    read = operation.read
    for parameter in read.parameters:
        value = request.fields.get(parameter.name)
        if value:
            for name in read.operations:
                find = vendor.state.cases.find
                if found := find(name, request.account, parameter.finds, str(value)):
                    return found
            raise RefusedCall(parameter.unknown)
    raise RefusedCall(read.nothing_given)


def _record(
    vendor: EmulatedVendor, operation: VendorOperation, request: ApiRequest, answered: _CallOutcome
) -> Execution:
    return vendor.records.execution(
        vendor.clock.now(),
        str(operation.charge),
        account=request.account,
        route=operation.name,
        verification_id=answered.own_id,
        reference_id=answered.reference_id,
        detail=answered.detail,
    )
