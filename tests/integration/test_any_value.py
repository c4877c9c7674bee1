"""Every entry point answers an unusable Python value with one of our errors, of bounded size."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from enum import StrEnum
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from demo.server import EmbeddedServer
from satyapan import (
    Conflict,
    InvalidRequest,
    NotFound,
    SatyapanError,
    State,
    StillOpen,
    Verification,
    Verifications,
)
from satyapan.events import write_event
from satyapan.names import Keys
from satyapan.records import Row
from satyapan.testing import FakeVerifications
from tests.support.hostile_values import (
    CANARY,
    Hostile,
    HostileMapping,
    HostileNumber,
    HostileText,
    LyingType,
)
from tests.support.worker_harness import environment

PERSON = {"file_number": "PA1079341954215", "dob": "2007-03-01"}
PAPERS = {"document_requested": ["AADHAAR"]}
TEMPLATE = {"template_name": "Aadhaar_verification"}
MOST = 20_000
"""Characters; no error text is longer."""


class Endless(HostileMapping):
    """A mapping without an end."""

    def __iter__(self) -> Iterator[str]:
        while True:
            yield "a"

    def __getitem__(self, _: object) -> Any:
        return self


def nested(levels: int, of: type = list) -> Any:
    inner: Any = CANARY
    for _ in range(levels):
        inner = {"a": inner} if of is dict else [inner]
    return inner


def circular() -> list[Any]:
    found: list[Any] = []
    found.append({"a": found})
    return found


ODD = [
    *(HostileText("passport"), HostileText("normal"), HostileText("DONE"), HostileNumber(0.0)),
    *map(LyingType, [None, str, int, float, bytes, list, dict, Mapping]),
    *(Hostile(), HostileMapping(), HostileMapping("request"), Endless(), object(), object, len),
    *([], {}, (), set(), {CANARY}, frozenset(), bytearray(), b"x", b"\xff", CANARY.encode()),
    *(nested(30), nested(100_000), nested(100_000, dict), circular(), [[[]] * 200] * 200),
    *(0, 5, -1, True, 10**5000, 2**63, 1e400, -1e400, math.nan, 0.5, 1j, date(2026, 1, 1)),
    *(
        None,
        "",
        "\ud800",
        "\x00",
        "a\nb",
        " ",
        "क",
        CANARY,
        CANARY * 200_000,
        "v" * 51,
        "..",
        "x.g2",
    ),
    *({5: 1}, {None: 1}, {"\ud800": CANARY}, {"a" * 1_000_000: CANARY}, {("a",): 1}, [PERSON]),
    *(dict.fromkeys(map(str, range(100_000))), dict.fromkeys(map(str, range(5_000)))),
]
# By number: Hypothesis would print every value.
LEAVES = (
    st.integers(0, len(ODD) - 1).map(lambda number: ODD[number])
    | st.integers()
    | st.floats()
    | st.binary(max_size=50)
)
LEAVES |= st.text(st.characters(), max_size=60).map(lambda text: CANARY + text)
NAMES = st.text(max_size=5) | st.sampled_from(
    [
        "request",
        "key",
        "verification_id",
        "priority",
        "operation",
        *PERSON,
        *PAPERS,
        "return_url",
        "a" * 10_000,
    ]
)
ANY = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.integers() | st.none() | st.binary(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)
Call = Callable[[Verifications, Any], object]
CALLS: dict[str, Call] = {
    "kind": lambda client, any_: client.submit(any_, PERSON, key="a"),
    "request": lambda client, any_: client.submit("passport", any_, key="a"),
    "file_number": lambda client, any_: client.submit(
        "passport", {**PERSON, "file_number": any_}, key="a"
    ),
    "documents": lambda client, any_: client.submit(
        "digilocker", {"document_requested": any_}, key="a"
    ),
    "document": lambda client, any_: client.submit(
        "digilocker", {"document_requested": [any_]}, key="a"
    ),
    "return_url": lambda client, any_: client.submit(
        "digilocker", {**PAPERS, "return_url": any_}, key="a"
    ),
    "more": lambda client, any_: client.submit("static_kyc_link", {"more": any_}, key="a"),
    "id": lambda client, any_: client.submit("passport", PERSON, verification_id=any_),
    "key": lambda client, any_: client.submit("passport", PERSON, key=any_),
    "priority": lambda client, any_: client.submit("passport", PERSON, key="a", priority=any_),
    "operation": lambda client, any_: client.submit("passport", PERSON, key="a", operation=any_),
    "bulk's kind": lambda client, any_: client.submit_many(any_, [{"request": PERSON, "key": "a"}]),
    "item": lambda client, any_: client.submit_many("passport", [any_, any_]),
    "item's request": lambda client, any_: client.submit_many(
        "passport", [{"request": any_, "key": "a"}]
    ),
    "item's key": lambda client, any_: client.submit_many(
        "passport", [{"request": PERSON, "key": any_}]
    ),
    "item's id": lambda client, any_: client.submit_many(
        "passport", [{"request": PERSON, "verification_id": any_}]
    ),
    "item's priority": lambda client, any_: client.submit_many(
        "passport", [{"request": PERSON, "key": "a", "priority": any_}]
    ),
    "item's operation": lambda client, any_: client.submit_many(
        "passport", [{"request": PERSON, "key": "a", "operation": any_}]
    ),
    "items": lambda client, any_: client.submit_many("passport", any_),
    "get": lambda client, any_: client.get(any_),
    "wait": lambda client, any_: client.wait(any_, 0),
    "timeout": lambda client, any_: client.wait("nobody", any_),
    "until": lambda client, any_: client.wait("nobody", 0, until=any_),
    "group": lambda client, any_: list(client.events(any_, block=0)),
    "reader": lambda client, any_: list(client.events("g", reader=any_, block=0)),
    "block": lambda client, any_: client.events("g", block=any_),
    "watched group": lambda client, any_: first_event(client, group=any_),
    "watched reader": lambda client, any_: first_event(client, group="w", reader=any_),
    "state": lambda client, any_: client.newest(any_),
    "limit": lambda client, any_: client.newest(State.PARKED, any_),
}


def first_event(client: Verifications, **named: Any) -> object:
    """Read the one event that there is; a watch has no end."""
    return next(client.watch(block=0, **named))


@pytest.fixture(scope="module", params=["real", "fake"])
def client(request: pytest.FixtureRequest, redis_server: EmbeddedServer) -> Verifications:
    if request.param == "fake":
        fake = FakeVerifications(return_hosts=["shop.example"])
        fake.park(fake.submit("passport", PERSON, key="event").id)
        return fake
    return Verifications.from_env(environment(redis_server.url, "http://127.0.0.1:1"))


def refusals(call: Call, client: Verifications, value: Any) -> list[SatyapanError]:
    """Make a call, and list the errors that it raises or returns."""
    try:
        returned = call(client, value)
    except SatyapanError as error:
        return [error]
    listed = returned if isinstance(returned, list) else []
    return [one for one in listed if isinstance(one, SatyapanError)]


def check_error(error: SatyapanError) -> None:
    """Fail if an error has a wrong class, is too long, or repeats what was sent."""
    assert isinstance(error, InvalidRequest | NotFound | Conflict | StillOpen), repr(error)
    text = str(error) + repr(vars(error)) + repr(error.args)
    assert len(text) < 3 * MOST
    assert CANARY not in text
    str(error).encode()  # half of a surrogate pair could not be printed


@pytest.fixture(autouse=True)
def an_event(client: Verifications, redis_server: EmbeddedServer) -> None:
    """Write one event for the watchers; the fake already has one."""
    if isinstance(client, FakeVerifications):
        return
    row = Row(id="order-1", kind="passport", state=State.PARKED, seq=1)
    with redis.Redis.from_url(redis_server.url) as store:
        store.xadd(Keys().events("default"), {"event": write_event(row, "parked", 1)})


@pytest.mark.parametrize("number", range(len(ODD)))  # pytest would format the values
def test_each_entry_point_answers_an_odd_value(client: Verifications, number: int) -> None:
    value = ODD[number]
    for name, call in CALLS.items():
        if name.startswith("watched") and issubclass(type(value), str):
            continue  # a valid name, whose group has already read the event
        for error in refusals(call, client, value):
            check_error(error)


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("watched")])
@given(value=ANY)
def test_each_entry_point_answers_any_value(client: Verifications, name: str, value: Any) -> None:
    for error in refusals(CALLS[name], client, value):
        check_error(error)


# ---- single cases ----


@pytest.mark.parametrize("junk", [{"key": 5}, b"x", None, 7, [], Hostile(), HostileMapping("key")])
def test_a_bad_item_is_refused_in_its_place_and_the_others_are_stored(
    client: Verifications, junk: Any
) -> None:
    good = [{"request": PERSON, "key": f"good-{number}"} for number in range(2)]

    found = client.submit_many("passport", [good[0], junk, good[1]])

    assert [type(one) for one in found] == [Verification, InvalidRequest, Verification]
    for one in found:
        if isinstance(one, Verification):
            assert client.get(one.id) is not None


@pytest.mark.parametrize(
    "items", [None, 5, "ab", b"ab", {"request": PERSON, "key": "a"}, Hostile()]
)
def test_items_that_are_not_a_list_are_refused(client: Verifications, items: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.submit_many("passport", items)

    assert [fault.field for fault in caught.value.faults] == ["items"]


def test_an_iterators_error_is_raised_and_nothing_is_stored(
    client: Verifications,
) -> None:
    def items() -> Iterator[dict[str, Any]]:
        yield {"request": PERSON, "verification_id": "before-the-error"}
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        client.submit_many("passport", items())

    assert client.get("before-the-error") is None


@pytest.mark.parametrize(
    ("kind", "more", "field"),
    [
        ("passport", {"key": 5}, "key"),
        ("passport", {"key": "k" * 1001}, "key"),
        ([], {"key": "a"}, "kind"),
        (None, {"key": "a"}, "kind"),
        ("passport", {"verification_id": 5}, "verification_id"),
        ("passport", {"key": "a", "priority": []}, "priority"),
    ],
)
def test_the_error_names_an_invalid_argument(
    client: Verifications, kind: Any, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        client.submit(kind, PERSON, **more)

    assert [fault.field for fault in caught.value.faults] == [field]


def test_an_impossible_id_is_none_for_get_and_not_found_for_wait(client: Verifications) -> None:
    odds: list[Any] = ["\ud800", "", "a b", "x" * 51, 5, None, []]
    for odd in odds:
        assert client.get(odd) is None
        with pytest.raises(NotFound) as caught:
            client.wait(odd, 60)
        assert caught.value.verification_id == ""


def test_a_hundred_thousand_unknown_fields_make_a_short_error(client: Verifications) -> None:
    many = {f"{CANARY}-{number}": 1 for number in range(100_000)}

    with pytest.raises(InvalidRequest) as caught:
        client.submit("passport", many, key="a")
    (found,) = client.submit_many("passport", [many])

    assert len(str(caught.value)) < 200
    assert len(str(found)) < 200


def test_an_error_lists_the_first_of_many_faults_and_counts_the_rest(client: Verifications) -> None:
    unknown = {f"field_{number}": 1 for number in range(5_000)}

    with pytest.raises(InvalidRequest, match=r"; and 4980 more\Z") as caught:
        client.submit("passport", {**PERSON, **unknown}, key="a")

    assert (len(caught.value.faults), caught.value.more) == (20, 4980)
    assert len(str(caught.value)) < MOST


def test_the_name_of_an_unknown_field_is_cut_and_printable(client: Verifications) -> None:
    odd = "line\nend\ud800\x1b" + "x" * 900_000

    with pytest.raises(InvalidRequest) as caught:
        client.submit("passport", {**PERSON, odd: 1}, key="a")

    (fault,) = caught.value.faults
    assert fault.field.startswith("line?end??xxx")
    assert len(fault.field) < 150
    assert str(caught.value).isprintable()


def test_the_nearest_kind_is_suggested_for_a_misspelled_one(client: Verifications) -> None:
    with pytest.raises(InvalidRequest, match=r"digilocker, .*did you mean passport\?"):
        client.submit("pasport", PERSON, key="a")


def test_a_large_request_is_refused_before_it_is_checked(client: Verifications) -> None:
    with pytest.raises(InvalidRequest, match="request can have at most 1000000 characters"):
        client.submit("passport", {**PERSON, "name": "x" * 1_000_001}, key="a")


class Document(StrEnum):
    """A producer's own enum."""

    PAN = "PAN"


def test_tuples_enums_and_other_mappings_are_accepted_for_lists_texts_and_dicts(
    client: Verifications,
) -> None:
    class Mine(dict[str, Any]):
        """A producer's own mapping."""

    one = client.submit("digilocker", {"document_requested": ["PAN"]}, key="same")
    two = client.submit("digilocker", Mine(document_requested=(Document.PAN,)), key="same")

    assert one.id == two.id


def test_a_set_of_documents_has_no_order_and_is_refused(client: Verifications) -> None:
    """Its order may differ in another process, where a repeat would then be a conflict."""
    with pytest.raises(InvalidRequest, match="document_requested"):
        client.submit("digilocker", {"document_requested": {"PAN", "AADHAAR"}}, key="set")


def test_states_may_be_named_and_limits_are_whole_numbers(client: Verifications) -> None:
    assert client.newest("PARKED") == client.newest(State.PARKED)  # type: ignore[arg-type]
    for limit in (0, -1, 10**30, "5", None):
        with pytest.raises(InvalidRequest, match="limit"):
            client.newest(State.DONE, limit)  # type: ignore[arg-type]
