"""Tells an orchestrator whether the process is up, and whether it can do its work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify
from redis import Redis
from redis.exceptions import RedisError

from callbacks.metrics import CONTENT_TYPE, Metrics
from callbacks.operations import Operations
from callbacks.problems import problem
from config.findings import Finding
from satyapan.names import Keys
from satyapan.redis_time import now_ms


@dataclass(frozen=True)
class Pulse:
    """Check what webhooks need: a safe ledger. The broker and the workers are only reported."""

    check: Callable[[], Sequence[Finding]]
    ledger: Redis
    broker: Redis
    keys: Keys

    def fault(self) -> str:
        """Say why webhooks can't be stored safely now; "" if they can."""
        try:
            findings = self.check()
        except RedisError as error:
            return f"ledger: no answer ({type(error).__name__})"
        errors = [each for each in findings if each.level == "error"]
        return f"ledger: {errors[0].id} {errors[0].message} {errors[0].hint}" if errors else ""

    def broker_answers(self) -> bool:
        """Tell whether wake-ups get through; without them the sweepers find everything."""
        try:
            return bool(self.broker.ping())
        except RedisError:
            return False

    def worker_age_s(self) -> float | None:
        """Give the seconds since a worker last swept; None when none has for a long time."""
        redis: Any = self.ledger
        swept = redis.get(self.keys.swept)
        if swept is None:
            return None
        return max(0, now_ms(redis) - int(swept)) / 1000


def health(pulse: Pulse, metrics: Metrics, operations: Operations) -> Blueprint:
    """Make `/healthz` (up; asks no server), `/readyz` (can webhooks be stored?) and `/metrics`.

    The public address says whether it is ready, without the reasons.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def up() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/readyz")
    def ready() -> Response:
        fault = pulse.fault()
        if fault:
            return problem(503, fault if operations.here() else "")
        if not operations.here():
            return jsonify(status="ready")
        return jsonify(
            status="ready",
            ledger="ok",
            broker="ok" if pulse.broker_answers() else "no answer",
            worker_age_s=pulse.worker_age_s(),
        )

    @blueprint.errorhandler(RedisError)
    def gone(error: RedisError) -> Response:
        reason = f"ledger: no answer ({type(error).__name__})"
        return problem(503, reason if operations.here() else "")

    @blueprint.get("/metrics")
    def counted() -> Response:
        return Response(metrics.text(), content_type=CONTENT_TYPE)

    return blueprint
