"""One installation with every kind: those of this project, and the toys; each operation of each.

Nothing here names a kind. The persons of journeys do what the sandbox's operations say.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

import redis
import requests

from demo.local_stack import LocalStack
from sandbox.definitions.loading import load_operations
from sandbox.definitions.model import Operations
from sandbox.python_answers import PYTHON_ANSWERS
from satyapan import State, Verification, Verifications, linked
from satyapan.kinds import Kind, Registry
from satyapan.kinds.model import Mode, Operation, Route, operation_name
from tests.support.fresh_examples import fresh_example
from tests.support.toy_stack import OPERATIONS, PLACES, Toys
from tests.web.callbacks_app import signed

VENDOR: Final = "cashfree"
KINDS: Final = tuple(Registry.with_plugins(PLACES))
ROUTES: Final = tuple(route.name for route in Registry.with_plugins(PLACES).routes())
PLENTY: Final = 100_000
QUOTA: Final = ",".join(f"{name}={PLENTY}" for name in ROUTES)
KEYS: Final = {"x-client-id": "sandbox-client", "x-client-secret": "sandbox-secret"}
WITHIN_S: Final = 60.0

Charge = Mapping[str, Any]


@dataclass(frozen=True)
class Service:
    """A kind, and the key of the operation that serves it."""

    kind: Kind
    key: str

    @property
    def operation(self) -> Operation:
        """Return the operation."""
        return self.kind.operation(self.key)

    @property
    def name(self) -> str:
        """Return the kind's name, with that of the operation if it is not the usual one."""
        return "-".join(filter(None, (self.kind.name, operation_name(self.key))))


SERVICES: Final = tuple(Service(kind, key) for kind in KINDS for key in kind.operations)
Begun = Callable[[Service, str], None]


def every_kind_stack(folder: Path, worker_env: Mapping[str, str] | None = None) -> LocalStack:
    """Build the installation; its waits are short, and no quota or breaker is in the way."""
    return LocalStack(
        folder,
        env={
            "SATYAPAN_KINDS": ",".join(PLACES),
            "SATYAPAN_QUOTA_PER_MINUTE": QUOTA,
            "SATYAPAN_LOG_LEVEL": "DEBUG",
            "SATYAPAN_CALLBACKS_OPS_BIND": "public",
        },
        worker_env={
            "SATYAPAN_WORKER_BACKOFF_BASE_S": "0.05",
            "SATYAPAN_WORKER_POLL_MIN_S": "0.5",
            "SATYAPAN_BREAKER_CALLS": str(PLENTY),
            "SATYAPAN_BREAKER_IN_A_ROW": str(PLENTY),
            **(worker_env or {}),
        },
        sandbox_args=[*OPERATIONS, *(f"--quota={name}={PLENTY}" for name in ROUTES)],
    )


@cache
def vendor_operations() -> Operations:
    """Load what the sandbox loads."""
    return load_operations(PYTHON_ANSWERS, [Path(OPERATIONS[1])])


def decision(service: Service) -> str:
    """Return what the person of a journey has to decide, so that it ends as DONE."""
    operation = service.operation
    stages = vendor_operations()[operation.create.name].stages
    route = operation.status or operation.create
    for stage in stages.values():
        for name, button in (stage.page.buttons if stage.page else {}).items():
            status = route.status_of(stages[button.stage].reply.body or {})
            if operation.status_map.get(status) is State.DONE:
                return name
    return "allow"  # a journey whose answers are programmed, not data


@dataclass(frozen=True)
class Run:
    """A verification of a kind, as it ended, and what the vendor charged for it."""

    service: Service
    ended: Verification
    charges: Sequence[Charge]
    changes: Sequence[str]

    @property
    def vendor_ids(self) -> list[str]:
        """List the ids by which the vendor knows it, one for each generation."""
        operation, last = self.service.operation, self.ended.generation
        return [operation.vendor_id(self.ended.id, number + 1) for number in range(last)]


@dataclass(frozen=True)
class EveryKind:
    """The running installation, and short words for what tests do with it."""

    stack: LocalStack

    @cached_property
    def producer(self) -> Verifications:
        """Return the producer's client."""
        return self.stack.verifications()

    def audit(self) -> list[Charge]:
        """List the charges so far."""
        entries: list[Charge] = self.stack.control("audit")["audit"]
        return entries

    def fault(self, route: Route, **fault: Any) -> None:
        """Let the vendor fail at the next call of a route."""
        self.stack.control("faults", {"route": route.name, **fault})

    def submit(self, service: Service, name: str, request: Mapping[str, Any] | None) -> str:
        """Submit a request, the kind's example if it is None; return the id."""
        kind, one = service.kind, f"{name}-{service.name}"
        self.producer.submit(
            kind.name,
            request or fresh_example(kind),
            verification_id=one,
            operation=operation_name(service.key),
        )
        return one

    def act(self, service: Service, one: str) -> None:
        """Let the person of a journey act, if its link is there."""
        found = self.producer.wait(one, timeout=WITHIN_S, until=linked)
        if not found.settled:
            vendor_id = service.operation.vendor_id(one, found.generation)
            self.stack.control(f"journeys/{vendor_id}", {"decision": decision(service)})

    def end(self, one: str) -> Verification:
        """Wait until a verification is settled."""
        found = self.producer.wait(one, timeout=WITHIN_S)
        assert found.settled, f"not settled: {found}"
        return found

    def run(
        self,
        name: str,
        services: Iterable[Service] = SERVICES,
        *,
        requests: Mapping[str, Mapping[str, Any]] | None = None,
        begun: Begun = lambda _service, _one: None,
    ) -> dict[str, Run]:
        """Run kinds at the same time to their ends; return them by the name of the service.

        `requests` are by kind, instead of the examples. `begun` is called with each service and id
        before the persons of journeys act.
        """
        services, before, given = list(services), len(self.audit()), requests or {}
        self.forget_shared()
        ids = {each.name: self.submit(each, name, given.get(each.kind.name)) for each in services}
        for each in services:
            begun(each, ids[each.name])
        for each in services:
            if each.operation.mode is Mode.JOURNEY:
                self.act(each, ids[each.name])
        ended = {each: self.end(one) for each, one in ids.items()}
        charges, changes = self.audit()[before:], self.changes(name)
        return {
            each.name: Run(
                each,
                ended[each.name],
                [one for one in charges if one["route"] == each.operation.create.name],
                changes.get(ids[each.name], []),
            )
            for each in services
        }

    def deliver(self, event: Mapping[str, Any], secret: str = KEYS["x-client-secret"]) -> int:
        """Send a webhook to the callbacks app, signed now; return the status."""
        body = json.dumps(event).encode()
        url = f"{self.stack.callbacks_url}/webhooks/{VENDOR}"
        headers = signed(body, secret=secret)
        return requests.post(url, data=body, headers=headers, timeout=10).status_code

    def inbox(self, one: str) -> list[str]:
        """List the states of the stored webhooks about a verification."""
        return Toys(self.stack).inbox(one)

    def changes(self, group: str) -> dict[str, list[str]]:
        """List the names of the new events of a group, by id."""
        found: dict[str, list[str]] = {}
        for event in self.producer.events(group, block=0.05):
            found.setdefault(event.verification_id, []).append(event.name)
        return found

    def forget_shared(self) -> None:
        """Forget all shared links: the next request for one makes a call again."""
        with redis.Redis.from_url(self.stack.server.url) as client:
            for key in client.scan_iter("*:resource:*"):
                client.delete(key)

    def ask(self, route: Route, charge: Charge, *, item: str = "", **request: Any) -> Any:
        """Call the vendor directly, about what was charged; return its reply."""
        own_id, reference = charge["verification_id"], charge["reference_id"]
        path = route.path.format(item=item, reference=reference)
        if route.id_param:
            request[route.id_param] = own_id
        elif route.reference_param:
            request[route.reference_param] = reference
        sent: dict[str, Any] = {"json" if route.method == "POST" else "params": request}
        url = f"{self.stack.sandbox_url}/verification{path}"
        answer = requests.request(route.method, url, headers=KEYS, timeout=10, **sent)
        answer.raise_for_status()
        return answer.json()


def claims(service: Service, one: str, **more: Any) -> Iterator[Mapping[str, Any]]:
    """Yield a webhook of each event of a kind, about a verification's first vendor-side id.

    `more` is further data of each.
    """
    operation = service.operation
    *outer, last = operation.webhook_id_field.split(".")
    for event, status in operation.events.items():
        data: dict[str, Any] = {last: operation.vendor_id(one, 1), "status": status}
        for each in reversed(outer):
            data = {each: data}
        time = datetime.now(UTC).isoformat(timespec="seconds")
        yield {"event_type": event, "event_time": time, "version": "v1", "data": {**more, **data}}
