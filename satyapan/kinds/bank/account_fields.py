"""A bank account as the vendor's account operations take it, and the words of their answers."""

from typing import Final

from satyapan.kinds.fields import at_least, matches, text
from satyapan.records import State

BANK_ACCOUNT: Final = text(
    at_least(6),
    matches("[A-Za-z0-9]+", "{name} should be alphanumeric."),
    length=40,
    rule="6 to 40 letters and digits",
)
IFSC: Final = text(
    matches(
        "[A-Za-z0-9]{4}0[A-Za-z0-9]{6}",
        "{name} should be of 11 characters and 5th character should be 0.",
    ),
    rule="11 letters and digits, the fifth is 0",
)
# The vendor lists the signs that it accepts besides letters: space, dot, hyphen, slash, ampersand.
NAME: Final = text(
    matches("[^!-%'-,:-@[-`{-~]*", "{name} should not include special characters."),
    required=False,
    length=100,
)
PHONE: Final = text(
    at_least(8),
    matches("[0-9]+", "{name} should be numeric."),
    required=False,
    length=13,
    rule="8 to 13 digits",
)

STATUS_FIELD: Final = ("account_status", "account_status_code")
WAITING: Final = {"RECEIVED/VALIDATION_IN_PROGRESS": "the vendor is verifying the account"}
ANSWERS: Final = {
    "VALID/ACCOUNT_IS_VALID": "the account exists",
    "INVALID/INVALID_ACCOUNT_FAIL": "no such account",
    "INVALID/INVALID_IFSC_FAIL": "no such IFSC",
    "INVALID/NRE_ACCOUNT_FAIL": "the account of a non-resident, which can't be verified",
    "INVALID/ACCOUNT_BLOCKED": "the account is blocked",
    "REJECTED/FRAUD_ACCOUNT": "the vendor has blocked the account for signs of fraud",
}
"""Answers about the account."""
NOT_FOUND_OUT: Final = {
    "REJECTED/INSUFFICIENT_BALANCE": "not found out: your balance at the vendor was used up",
    "REJECTED/BAV_BLOCKED": "not found out: the vendor has blocked the verification",
    "REJECTED/VERIFICATION_ALREADY_UNDER_PROCESS": "not found out: another verification of the "
    "same account was under way",
    "FAILED/FAILED_AT_BANK": "not found out: the bank failed",
    "FAILED/IMPS_MODE_FAIL": "not found out: the bank can't be asked by IMPS",
    "FAILED/BENE_BANK_DECLINED": "not found out: the account's bank declined",
    "FAILED/SOURCE_BANK_DECLINED": "not found out: the vendor's bank declined",
    "FAILED/CONNECTION_TIMEOUT": "not found out: the bank didn't answer in time",
    "FAILED/NPCI_UNAVAILABLE": "not found out: the payment network (NPCI) was unavailable",
    "FAILED/BENEFICIARY_BANK_OFFLINE": "not found out: the account's bank was offline",
}
"""Answers that say nothing about the account: the vendor, its balance or a bank was the cause."""
STATUS_MAP: Final = {
    **dict.fromkeys(WAITING, State.PENDING),
    **dict.fromkeys(ANSWERS, State.DONE),
    **dict.fromkeys(NOT_FOUND_OUT, State.FAILED),
}
LABELS: Final = WAITING | ANSWERS | NOT_FOUND_OUT
UNMASKED: Final = frozenset({"bank_account", "utr"})
"""Numbers of accounts and payments; one in ten of twelve digits looks like an Aadhaar number."""
