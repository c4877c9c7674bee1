"""The routes for operators: liveness, readiness and metrics."""
