"""Tells an orchestrator whether the process is up, and whether it can do its work."""

from typing import Any

from flask import Blueprint, Response, jsonify
from redis import Redis
from redis.exceptions import RedisError

from callbacks.problems import problem


def health(redis: Redis) -> Blueprint:
    """Make `/healthz` (up; asks nobody) and `/readyz` (the ledger's Redis answers and is safe)."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def up() -> Response:
        return jsonify(status="ok")

    @blueprint.get("/readyz")
    def ready() -> Response:
        fault = redis_fault(redis)
        return problem(503, fault) if fault else jsonify(status="ready")

    return blueprint


def redis_fault(redis: Redis) -> str:
    """Say why webhooks can't be stored safely now; "" if they can."""
    try:
        redis.ping()
        memory: Any = redis.info("memory")
    except RedisError as error:
        return f"redis: no answer ({type(error).__name__})"
    policy = memory.get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        return f"redis: maxmemory-policy is {policy}; set it to noeviction"
    return ""
