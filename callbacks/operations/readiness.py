"""The probes: is the process up, can webhooks be stored; and the metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify
from redis import Redis
from redis.exceptions import RedisError

from callbacks.operations.access import OperatorAccess
from callbacks.operations.metrics import CONTENT_TYPE, Metrics
from callbacks.problems import problem
from config.findings import Finding
from satyapan.names import Keys
from satyapan.redis.server_time import now_ms


@dataclass(frozen=True)
class ReadinessHandler:
    """Answers `/healthz` and `/readyz`.

    Webhooks need a safe ledger, which `check` checks. The broker and the workers are only reported.
    """

    check: Callable[[], Sequence[Finding]]
    ledger: Redis
    broker: Redis
    keys: Keys
    access: OperatorAccess

    def live(self) -> Response:
        """Respond that the process is up; no server is asked."""
        return jsonify(status="ok")

    def ready(self) -> Response:
        """Respond whether webhooks can be stored; only operators get the reasons."""
        fault = self._fault()
        if fault:
            return self._not_ready(fault)
        if not self.access.allowed():
            return jsonify(status="ready")
        return jsonify(
            status="ready",
            ledger="ok",
            broker="ok" if self._broker_answers() else "no answer",
            worker_age_s=self._worker_age_s(),
        )

    def ledger_away(self, error: RedisError) -> Response:
        """Respond that the ledger can't be reached."""
        return self._not_ready(_no_answer(error))

    def _not_ready(self, fault: str) -> Response:
        return problem(503, fault if self.access.allowed() else "")

    def _fault(self) -> str:
        """Return why webhooks can't be stored safely now; "" if they can."""
        try:
            findings = self.check()
        except RedisError as error:
            return _no_answer(error)
        errors = [each for each in findings if each.level == "error"]
        return f"ledger: {errors[0].id} {errors[0].message} {errors[0].hint}" if errors else ""

    def _broker_answers(self) -> bool:
        """Return True if wake-ups can be sent; without them the sweepers find everything."""
        try:
            return bool(self.broker.ping())
        except RedisError:
            return False

    def _worker_age_s(self) -> float | None:
        """Return the seconds since a worker last swept; None if none has for a long time."""
        redis: Any = self.ledger
        swept = redis.get(self.keys.swept)
        if swept is None:
            return None
        return max(0, now_ms(redis) - int(swept)) / 1000


def _no_answer(error: RedisError) -> str:
    return f"ledger: no answer ({type(error).__name__})"


def operations(readiness: ReadinessHandler, metrics: Metrics) -> Blueprint:
    """Build the blueprint of `/healthz`, `/readyz` and `/metrics`."""
    blueprint = Blueprint("operations", __name__)
    blueprint.get("/healthz")(readiness.live)
    blueprint.get("/readyz")(readiness.ready)
    blueprint.register_error_handler(RedisError, readiness.ledger_away)

    @blueprint.get("/metrics", endpoint="metrics")
    def read_metrics() -> Response:
        return Response(metrics.render(), content_type=CONTENT_TYPE)

    return blueprint
