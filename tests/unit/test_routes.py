"""How a route is asked and how its replies are read, beyond what the shipped kinds use."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from satyapan.ids import hashed_id, id_faults
from satyapan.kinds import Registry
from satyapan.kinds.model import (
    ANY_CODE,
    WORD_ID,
    AnswerMeaning,
    Meaning,
    Mode,
    Operation,
    Recovery,
    RefusedField,
    Result,
    Role,
    Route,
    Signature,
)
from satyapan.records import State
from tests.unit.test_cashfree_client import Recorder, client
from worker.rules.answer import Answer, Outcome
from worker.vendors.cashfree.replies import Asked, classify
from worker.vendors.cashfree.wire import Raw

ACCOUNT = Operation(
    mode=Mode.ASYNC,
    recovery=Recovery.READ,
    create=Route(
        "account",
        "POST",
        "/account",
        id_param="user_id",
        echo_field="user_id",
        status_field=("account_status", "account_status_code"),
        answers={
            (400, "user_id_already_exists"): AnswerMeaning.DUPLICATE,
            (422, "fraud_account"): Result("REJECTED/FRAUD_ACCOUNT"),
            (409, "verification_pending"): AnswerMeaning.WAIT,
            (400, "invalid_request"): RefusedField("bank_account"),
            (422, "not_an_account"): RefusedField("bank_account"),
            (403, "product_is_off"): AnswerMeaning.NOT_ENABLED,
        },
    ),
    status=Route(
        "account_status",
        "GET",
        "/account",
        id_param="user_id",
        echo_field="",
        echoes=("bank_account",),
        status_field=("account_status", "account_status_code"),
        answers={(404, "user_id_not_found"): AnswerMeaning.MISSING},
    ),
    status_map={"VALID/ACCOUNT_IS_VALID": State.DONE},
    id_pattern=WORD_ID,
    unmasked_fields=frozenset({"bank_account", "utr"}),
)
PAN = Operation(
    mode=Mode.SYNC,
    recovery=Recovery.REFERENCE,
    create=Route(
        "pan",
        "POST",
        "/pan",
        id_param="",
        echo_field="",
        status_field="valid",
        implied_status=("message", "NOT_FOUND"),
    ),
    status=Route("pan_read", "GET", "/pan/{reference}", id_param="", echo_field=""),
    status_map={"VALID": State.DONE, "INVALID": State.DONE, "NOT_FOUND": State.DONE},
)
LOOKS_LIKE_AADHAAR = "234123412346"


def judge(
    operation: Operation, role: Role, status: int, body: object, *, trailed: bool = False
) -> Answer:
    known = {"bank_account": LOOKS_LIKE_AADHAAR}
    asked = Asked(operation, role, "v_1", known)
    return classify(asked, Raw(status, {}, b"", trailed), body, now=1_700_000_000.0)


def error(code: str, **more: object) -> Mapping[str, object]:
    return {"type": "validation_error", "code": code, "message": "a text", **more}


def account(**more: object) -> dict[str, object]:
    status = {"account_status": "VALID", "account_status_code": "ACCOUNT_IS_VALID"}
    return {"user_id": "v_1", "reference_id": 34, **status, **more}


def sent(operation: Operation, role: Role, **parts: Any) -> tuple[Any, ...]:
    wire = Recorder()
    client(wire).call(operation, role, "v_1", {"bank_account": "026291800001191"}, **parts)
    return (*wire.sent[0], wire.fresh[0])


# ---- asking ----


def test_our_id_goes_under_the_name_that_the_route_has_for_it() -> None:
    *_, body, _params, _fresh = sent(ACCOUNT, Role.CREATE)
    *_, params, _fresh = sent(ACCOUNT, Role.STATUS)

    assert body == {"bank_account": "026291800001191", "user_id": "v_1"}
    assert params == {"user_id": "v_1"}


def test_a_read_by_the_vendors_reference_names_it_in_the_path_or_the_query() -> None:
    by_query = Route("pan_read", "GET", "/pan", id_param="", reference_param="reference_id")

    _, in_path, *_, no_params, _ = sent(PAN, Role.STATUS, reference="161")
    _, plain, *_, params, _ = sent(replace(PAN, status=by_query), Role.STATUS, reference="161")

    assert (in_path, no_params) == ("https://vendor.invalid/verification/pan/161", {})
    assert (plain, params) == ("https://vendor.invalid/verification/pan", {"reference_id": "161"})


def test_a_batch_of_pans_is_read_by_both_ids_once_both_are_known() -> None:
    operation = Registry()["pan_batch"].operation("cashfree")

    read = [sent(operation, Role.STATUS, reference=known)[-2] for known in ("612", "")]

    ours = {"bulk_verification_id": "v_1"}
    assert read == [{**ours, "reference_id": "612"}, ours]


@pytest.mark.parametrize("reference", ["", "..", "1/2", "1?a=b", "1%2F", "a" * 65])
def test_a_reference_cannot_change_the_path(reference: str) -> None:
    wire = Recorder()

    answer = client(wire).call(PAN, Role.STATUS, "v_1", {}, reference=reference)

    assert (answer.outcome, answer.code) == (Outcome.REFUSED, "reference_value_invalid")
    assert wire.sent == []


def test_a_call_that_may_not_be_repeated_goes_on_a_new_connection() -> None:
    assert sent(PAN, Role.CREATE)[-1] is True
    assert sent(ACCOUNT, Role.CREATE)[-1] is False


def test_an_id_that_the_vendor_refuses_is_derived_and_stays_the_same() -> None:
    ours = "v-abc.g2"

    derived = ACCOUNT.vendor_id("v-abc", 2)

    assert derived == hashed_id(ours) == ACCOUNT.vendor_id("v-abc", 2)
    assert re.fullmatch(WORD_ID, derived)
    assert ACCOUNT.vendor_id("abc", 1) == "abc"
    assert len({ACCOUNT.vendor_id("v-abc", number) for number in range(1, 50)}) == 49


def test_no_producer_may_choose_a_derived_id() -> None:
    assert [fault.code for fault in id_faults(hashed_id("v-abc"))] == [
        "verification_id_value_invalid"
    ]


# ---- reading ----


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"valid": True, "message": "PAN verified"}, "VALID"),
        ({"valid": False, "message": "Invalid PAN"}, "INVALID"),
        ({"message": "no such PAN"}, "NOT_FOUND"),
        ({"valid": None, "message": "no such PAN"}, "NOT_FOUND"),
        ({"valid": "E"}, "E"),
    ],
)
def test_a_status_is_a_word_a_truth_value_or_implied(body: dict[str, Any], status: str) -> None:
    answer = judge(PAN, Role.CREATE, 200, body)

    assert (answer.outcome, answer.status, answer.body) == (Outcome.OK, status, body)


def test_two_fields_make_one_status() -> None:
    assert judge(ACCOUNT, Role.CREATE, 200, account()).status == "VALID/ACCOUNT_IS_VALID"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (PAN, {}),
        (PAN, {"valid": None}),
        (PAN, {"valid": {"a": 1}}),
        (ACCOUNT, account(account_status_code=None)),
        (ACCOUNT, account(user_id=None)),
    ],
)
def test_a_200_without_its_status_or_our_id_is_garbled(
    operation: Operation, body: dict[str, Any]
) -> None:
    assert judge(operation, Role.CREATE, 200, body).code == "garbled"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"reference_id": 34}, "garbled"),
        (500, error("verification_failed", error={"refId": 34}), "verification_failed"),
    ],
)
@pytest.mark.parametrize(("trailed", "reference"), [(False, "34"), (True, "")])
def test_an_unclear_answer_may_name_the_reference_to_read_by_unless_another_may_follow(
    status: int, body: object, code: str, trailed: bool, reference: str
) -> None:
    answer = judge(PAN, Role.CREATE, status, body, trailed=trailed)

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, code)
    assert answer.reference == reference


def test_a_200_about_another_number_names_no_reference_of_ours() -> None:
    answer = judge(ACCOUNT, Role.STATUS, 200, account(bank_account="1"))

    assert (answer.code, answer.reference) == ("foreign_id", "")


def test_a_status_may_be_nested() -> None:
    route = replace(PAN.create, status_field="data.state")

    assert route.status_of({"data": {"state": "DONE"}}) == "DONE"
    assert route.status_of({"data": "DONE"}) == ""


def test_a_reply_without_our_id_is_judged_by_the_request_fields_that_it_repeats() -> None:
    ours = judge(ACCOUNT, Role.STATUS, 200, account(bank_account=LOOKS_LIKE_AADHAAR))
    other = judge(ACCOUNT, Role.STATUS, 200, account(bank_account="1"))

    assert ours.outcome is Outcome.OK
    assert (other.outcome, other.code) == (Outcome.UNKNOWN, "foreign_id")


@pytest.mark.parametrize(
    ("code", "outcome", "word"),
    [
        ("a_code_that_no_page_shows", Outcome.OK, "NOT_FOUND"),
        ("a code in words", Outcome.OK, "NOT_FOUND"),
        ("pan_not_found", Outcome.REFUSED, ""),
        (None, Outcome.NOT_ENABLED, ""),
        ("", Outcome.NOT_ENABLED, ""),
    ],
)
def test_an_answer_whose_code_is_not_published_is_recognised_by_its_http_status(
    code: str | None, outcome: Outcome, word: str
) -> None:
    answers: dict[Signature, Meaning] = {
        (404, ANY_CODE): Result("NOT_FOUND"),
        (404, "pan_not_found"): RefusedField("pan"),
    }
    operation = replace(PAN, create=replace(PAN.create, answers=answers))

    answer = judge(operation, Role.CREATE, 404, {"code": code, "message": "unable to find it"})

    assert (answer.outcome, answer.status) == (outcome, word)
    assert judge(operation, Role.CREATE, 404, "<html>").outcome is Outcome.NOT_ENABLED
    assert judge(operation, Role.CREATE, 422, error("failed")).outcome is Outcome.UNKNOWN


def test_account_and_payment_numbers_are_not_masked_as_aadhaar_numbers() -> None:
    body = account(utr=LOOKS_LIKE_AADHAAR, name_at_bank=f"JOHN {LOOKS_LIKE_AADHAAR}")

    answer = judge(ACCOUNT, Role.CREATE, 200, body)

    assert answer.body is not None
    assert answer.body["utr"] == LOOKS_LIKE_AADHAAR
    assert answer.body["name_at_bank"] == "JOHN XXXX XXXX 2346"


@pytest.mark.parametrize(
    ("status", "code", "outcome", "word", "field"),
    [
        (400, "user_id_already_exists", Outcome.DUPLICATE, "", ""),
        (422, "fraud_account", Outcome.OK, "REJECTED/FRAUD_ACCOUNT", ""),
        (409, "verification_pending", Outcome.WAIT, "", ""),
        (400, "invalid_request", Outcome.REFUSED, "", "bank_account"),
        (422, "not_an_account", Outcome.REFUSED, "", "bank_account"),
        # Not this route's: the common table decides.
        (404, "user_id_not_found", Outcome.MISSING, "", "user_id"),
        (422, "npci_unavailable", Outcome.UNKNOWN, "", ""),
        (422, "insufficient_balance", Outcome.STOPPED, "", ""),
        (409, "user_id_already_exists", Outcome.UNKNOWN, "", ""),
    ],
)
def test_a_route_says_what_its_errors_mean(
    status: int, code: str, outcome: Outcome, word: str, field: str
) -> None:
    answer = judge(ACCOUNT, Role.CREATE, status, error(code, error={"reference_id": 102}))

    assert (answer.outcome, answer.status, answer.refused_field) == (outcome, word, field)
    assert (answer.http, answer.code, answer.reference) == (status, code, "102")


def test_a_declared_product_that_is_not_enabled_has_the_code_that_checks_look_for() -> None:
    answer = judge(ACCOUNT, Role.CREATE, 403, error("product_is_off"))

    assert (answer.outcome, answer.code) == (Outcome.NOT_ENABLED, "not_enabled")


def test_an_error_that_is_an_answer_is_kept_whole() -> None:
    body = error("fraud_account", error={"reference_id": 102})

    assert judge(ACCOUNT, Role.CREATE, 422, body).body == body


def test_an_error_that_is_an_answer_is_not_believed_with_bytes_behind_it() -> None:
    """It repeats no id of ours: the answer to this call may be what follows."""
    answer = judge(ACCOUNT, Role.CREATE, 422, error("fraud_account"), trailed=True)

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "trailing_bytes")


def test_a_200_that_repeats_nothing_is_not_believed_with_bytes_behind_it() -> None:
    assert judge(PAN, Role.CREATE, 200, {"valid": True}, trailed=True).code == "trailing_bytes"
    assert judge(ACCOUNT, Role.CREATE, 200, account(), trailed=True).outcome is Outcome.OK


def test_with_bytes_behind_it_a_reply_must_name_what_was_asked_for() -> None:
    replies = [account(bank_account=LOOKS_LIKE_AADHAAR), account(bank_account=None), account()]

    answers = [judge(ACCOUNT, Role.STATUS, 200, each, trailed=True) for each in replies]

    assert [answer.code for answer in answers] == ["", "trailing_bytes", "trailing_bytes"]


@pytest.mark.parametrize("name", ["reference_id", "ref_id", "refId"])
def test_the_vendors_reference_is_not_masked_as_an_aadhaar_number(name: str) -> None:
    reply = {**account(), "reference_id": None, name: int(LOOKS_LIKE_AADHAAR)}
    reply = {key: value for key, value in reply.items() if value is not None}

    assert judge(ACCOUNT, Role.CREATE, 200, reply).reference == LOOKS_LIKE_AADHAAR


def test_every_meaning_is_an_outcome() -> None:
    assert {Outcome(meaning) for meaning in AnswerMeaning} < set(Outcome)


def test_a_field_without_a_name_is_masked() -> None:
    answer = judge(PAN, Role.CREATE, 200, {"": LOOKS_LIKE_AADHAAR, "valid": True})

    assert answer.body == {"": "XXXX XXXX 2346", "valid": True}


def test_a_reply_with_a_hostile_empty_name_is_read() -> None:
    body = json.loads('{"valid": true, "": "v_2"}')

    assert judge(PAN, Role.CREATE, 200, body).outcome is Outcome.OK
