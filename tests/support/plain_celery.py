"""The negative control: the same work as a plain Celery task, set up as its docs recommend.

Late acknowledgement, rejection when the worker is lost, a prefetch of one, a visibility timeout
well above the task's time, automatic retries with back-off. The task makes a new id for each call,
because it keeps no record. With a fixed id its second call would be refused as a duplicate, and the
answer would be lost.

Run as `plain_celery REDIS VENDOR`, it is a worker. Uses no code of Satyapan.
"""

import sys
import uuid
from typing import Any, Final

import redis
import requests
from celery import Celery

RAN: Final = "plain:ran"
DONE: Final = "plain:done"
QUEUE: Final = "celery"
UNACKED: Final = "unacked"
TASK: Final = "plain.verify"
_HEADERS: Final = {"x-client-id": "sandbox-client", "x-client-secret": "sandbox-secret"}
_BODY: Final = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


def create_app(url: str, vendor: str) -> Celery:
    """Build the app with its one task."""
    app = Celery("plain", broker=url, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Shorter than the recommended hour, so that redeliveries happen within the run.
        broker_transport_options={
            "visibility_timeout": 12,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
        },
    )
    session = requests.Session()
    store = redis.Redis.from_url(url)

    @app.task(
        name=TASK,
        autoretry_for=(requests.RequestException, redis.RedisError),
        retry_backoff=1,
        retry_backoff_max=5,
        max_retries=10,
    )
    def verify(one: str) -> None:
        store.hincrby(RAN, one, 1)
        body = {**_BODY, "verification_id": f"{one}.{uuid.uuid4().hex[:8]}"}
        answer = session.post(f"{vendor}/passport", json=body, headers=_HEADERS, timeout=5)
        answer.raise_for_status()
        store.hset(DONE, one, answer.json()["status"])

    return app


class PlainCeleryProducer:
    """The producer's side, and the figures of the run."""

    def __init__(self, url: str, vendor: str) -> None:
        self._app = create_app(url, vendor)
        self._redis: Any = redis.Redis.from_url(url)
        self.submitted: set[str] = set()

    def submit(self, one: str) -> None:
        """Send a task as an application would, with Celery's own retries."""
        self._app.send_task(TASK, args=[one])
        self.submitted.add(one)

    def done(self) -> int:
        """Count the answers."""
        return int(self._redis.hlen(DONE))

    def drained(self) -> bool:
        """Return True if no message is queued or unacknowledged."""
        return not self._redis.llen(QUEUE) and not self._redis.hlen(UNACKED)

    def figures(self, audit: Any) -> dict[str, int]:
        """Count the jobs that were lost, run twice and paid for twice."""
        answers = {raw.decode() for raw in self._redis.hkeys(DONE)}
        runs = {raw.decode(): int(times) for raw, times in self._redis.hgetall(RAN).items()}
        paid: dict[str, int] = {}
        for entry in audit:
            one = str(entry["verification_id"]).rpartition(".")[0]
            paid[one] = paid.get(one, 0) + 1
        return {
            "accepted": len(self.submitted),
            "done": len(answers & self.submitted),
            "lost": len(self.submitted - answers),
            "run_twice": sum(1 for times in runs.values() if times > 1),
            "paid_twice": sum(1 for one, times in paid.items() if times > 1 and one in runs),
        }


def main(url: str, vendor: str) -> None:
    """Run the worker."""
    options = ["--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING"]
    lean = ["--without-gossip", "--without-mingle"]
    create_app(url, vendor).worker_main(["worker", *options, *lean])


if __name__ == "__main__":
    main(*sys.argv[1:])
