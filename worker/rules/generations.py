"""The record of each further vendor-side id of a verification."""

from satyapan.records import MAYBE_PAID, UNPAID, Row


def generation_record(row: Row, number: int, why: str, now: int, vendor_id: str) -> str:
    """Record a further id: number, reason, time (ms), whether the id before was paid, the id."""
    executed = row.attempts or row.ambiguous or row.link or row.draft or row.status
    earlier = MAYBE_PAID if executed else UNPAID
    return f"{number} {why} {now} {earlier} {vendor_id}"


def earlier_id(record: str) -> str:
    """Return MAYBE_PAID or UNPAID of a record: what is known of the id before."""
    return record.rsplit(maxsplit=2)[1]
