"""The app's counters, for Prometheus, over all web processes of one command.

Labels are words of ours: no id, no address, nothing that a stranger wrote. Gauges that are read
from Redis are in `callbacks.operations.ledger_collector`.
"""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The counters; every label must be a word of ours.

    `folder` is where several processes count together; None: one process.
    `collector` reads further values for each response to Prometheus.
    """

    def __init__(self, folder: Path | None = None, collector: Collector | None = None) -> None:
        self._folder = folder
        self._collected = CollectorRegistry()
        if collector is not None:
            self._collected.register(collector)
        self._own = CollectorRegistry()
        self.webhooks = Counter(
            "satyapan_webhooks",
            "Received webhooks, by outcome.",
            ["vendor", "outcome"],
            registry=self._own,
        )
        self.returns = Counter(
            "satyapan_returns", "Shown return pages and redirects.", ["page"], registry=self._own
        )
        self.status_checks = Counter(
            "satyapan_status_checks",
            "Visits to an open verification, by whether they requested a status check.",
            ["requested"],
            registry=self._own,
        )
        self.store_seconds = Histogram(
            "satyapan_webhook_store_seconds",
            "Time to store a webhook durably.",
            buckets=_BUCKETS_S,
            registry=self._own,
        )

    def render(self) -> bytes:
        """Return everything in Prometheus' text format, for all processes."""
        return generate_latest(self._counted()) + generate_latest(self._collected)

    def _counted(self) -> CollectorRegistry:
        if self._folder is None:
            return self._own
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=str(self._folder))  # type: ignore[no-untyped-call] # theirs
        return everybody


def count_into(folder: Path) -> None:
    """Let this process and its children count into files of a folder that nobody else uses.

    Call it before the first `Metrics` is created.
    """
    # The library reads this variable whenever a child opens its file, but it chooses between files
    # and memory at import, which is too early for us.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call] # theirs
