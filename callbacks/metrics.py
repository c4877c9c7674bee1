"""What the listening side counts: for Prometheus, over all web processes of one command.

Beside it, whatever is read anew for each answer: see `callbacks.census`.

Labels are words of ours; no id, no address, nothing that a stranger wrote.
"""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """Counts; `folder` is where processes share what they counted, None for one alone.

    `read_anew` is what each answer to Prometheus looks up.
    """

    def __init__(self, folder: Path | None = None, read_anew: Collector | None = None) -> None:
        self._folder = folder
        self._read_anew = CollectorRegistry()
        if read_anew is not None:
            self._read_anew.register(read_anew)
        self._own = CollectorRegistry()
        self._webhooks = Counter(
            "satyapan_webhooks",
            "Webhooks by what became of them.",
            ["vendor", "outcome"],
            registry=self._own,
        )
        self._returns = Counter(
            "satyapan_returns", "Pages that people got.", ["page"], registry=self._own
        )
        self._looks = Counter(
            "satyapan_looks",
            "Visits to an open verification by whether they brought about a look.",
            ["asked"],
            registry=self._own,
        )
        self._store = Histogram(
            "satyapan_webhook_store_seconds",
            "Time to make a webhook durable.",
            buckets=_SECONDS,
            registry=self._own,
        )

    def webhook(self, vendor: str, outcome: str) -> None:
        """Count a webhook; `outcome` is a code of ours."""
        self._webhooks.labels(vendor, outcome).inc()

    def returned(self, page: str) -> None:
        """Count a page, or `onward` for a person who was sent on."""
        self._returns.labels(page).inc()

    def looked(self, *, asked: bool) -> None:
        """Count a visit that may ask for a look."""
        self._looks.labels("yes" if asked else "no").inc()

    def stored(self, seconds: float) -> None:
        """Note how long a webhook took to become durable."""
        self._store.observe(seconds)

    def text(self) -> bytes:
        """Write everything that was counted, by all processes."""
        return generate_latest(self._counted()) + generate_latest(self._read_anew)

    def _counted(self) -> CollectorRegistry:
        if self._folder is None:
            return self._own
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=str(self._folder))  # type: ignore[no-untyped-call] # theirs
        return everybody


def share(folder: Path) -> None:
    """Let this process and its children count into files of a folder that nobody else uses.

    Call it before the first `Metrics` is made.
    """
    # The library looks here each time a child opens its file, and chooses files or memory by it
    # only once, at import: too early for us.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call] # theirs
