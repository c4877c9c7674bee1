"""Quotas: a sliding window for each account and route, and the recorded peaks."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import requests
from hypothesis import given
from hypothesis import strategies as st

from sandbox.quota import Quota
from tests.contract.conftest import KEYS, OPERATIONS, FixedClock, Vendor

ROUTE = "static_link"


def call(vendor: Vendor, headers: Mapping[str, str] = KEYS) -> requests.Response:
    body = {"template_name": "Aadhaar_verification"}
    return vendor.call("POST", "/form/static-link", json=body, headers=headers)


def standing(answer: requests.Response) -> tuple[int, str, str, str]:
    names = ("Limit", "Remaining", "Reset")
    limit, remaining, reset = (answer.headers[f"X-RateLimit-{name}"] for name in names)
    return answer.status_code, limit, remaining, reset


def test_the_default_tiers_are_the_vendors() -> None:
    quotas = OPERATIONS.quotas()

    assert (quotas["passport"], quotas["digilocker"], quotas["static_link"]) == (100, 200, 100)


def test_the_window_slides(start: Callable[..., Vendor]) -> None:
    vendor = start(quotas={ROUTE: 2})

    seen = [standing(call(vendor))]
    vendor.clock.at += 20
    seen += [standing(call(vendor)), standing(call(vendor))]
    vendor.clock.at += 40
    seen += [standing(call(vendor)), standing(call(vendor))]

    assert seen == [
        (200, "2", "1", "60"),
        (200, "2", "0", "40"),
        (429, "2", "0", "40"),
        (200, "2", "0", "20"),
        (429, "2", "0", "20"),
    ]


def test_errors_have_the_headers_too(vendor: Vendor) -> None:
    answer = vendor.call("POST", "/form/static-link", json={})

    assert standing(answer) == (400, "100", "99", "60")


def test_accounts_and_routes_do_not_share(start: Callable[..., Vendor]) -> None:
    pairs = {"sandbox-client": "sandbox-secret", "other": "o"}
    vendor = start(accounts=pairs, quotas={ROUTE: 1})
    call(vendor)
    assert call(vendor).status_code == 429

    other = call(vendor, headers={"x-client-id": "other", "x-client-secret": "o"})
    deleted = vendor.call(
        "DELETE", "/form/static-link", params={"template_name": "Aadhaar_verification"}
    )

    assert (other.status_code, deleted.status_code) == (200, 200)


def test_the_limit_can_be_changed_and_the_peak_is_kept(vendor: Vendor) -> None:
    vendor.control("quota", route=ROUTE, per_minute=1)
    for _ in range(3):
        call(vendor)
    vendor.clock.at += 61
    call(vendor)

    (row,) = vendor.read("quota")

    assert row == {
        "account": "sandbox-client",
        "route": ROUTE,
        "limit": 1,
        "window_s": 60.0,
        "calls": 4,
        "refused": 2,
        "peak": 3,
    }


def test_advancing_the_clock_moves_no_window(vendor: Vendor) -> None:
    vendor.control("quota", route=ROUTE, per_minute=1)
    call(vendor)

    vendor.control("clock", advance_s=3600)

    assert call(vendor).status_code == 429


def test_concurrent_calls_get_exactly_the_limit(start: Callable[..., Vendor]) -> None:
    vendor = start(quotas={ROUTE: 7})

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: call(vendor).status_code, range(24)))

    assert (statuses.count(200), statuses.count(429)) == (7, 17)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(0, 5))
def test_no_window_ever_has_more_than_the_limit(gaps: list[float], limit: int) -> None:
    clock = FixedClock(0)
    quota = Quota({ROUTE: limit}, 60, clock)
    arrived, granted = [], []
    for gap in gaps:
        clock.at += gap
        arrived.append(clock.at)
        if quota.take("a", ROUTE).granted:
            granted.append(clock.at)

    def busiest(times: list[float]) -> int:
        return max((sum(end - 60 < at <= end for at in times) for end in times), default=0)

    assert busiest(granted) <= limit
    assert quota.report() == [] or quota.report()[0]["peak"] == busiest(arrived)
