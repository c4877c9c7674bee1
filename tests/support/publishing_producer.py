"""A producer that ends or forks while its wake-ups are published: `publishing_producer HOW COUNT`.

exit: submit and end at once. late: submit while the process ends. kill: submit and be killed.
fork: submit in a thread all the time, fork COUNT children meanwhile, each of which submits once.
"""

import atexit
import itertools
import os
import signal
import sys
import threading

from satyapan import Verifications

PASSPORT = {"file_number": "PA1079341954215", "dob": "2007-03-01"}


def submit(producer: Verifications, name: str) -> None:
    """Submit a passport."""
    producer.submit("passport", PASSPORT, verification_id=name)


def fork_many(producer: Verifications, count: int) -> None:
    """Fork while another thread submits; end when all children have."""
    done = threading.Event()

    def submit_until_done() -> None:
        for number in itertools.count():
            submit(producer, f"parent-{number}")
            if done.wait(0.001):
                return

    busy = threading.Thread(target=submit_until_done)
    busy.start()
    children = []
    for number in range(count):
        child = os.fork()
        if not child:
            submit(producer, f"child-{number}")
            if number % 2:
                sys.exit()
            producer.close()
            os._exit(0)
        children.append(child)
    ends = [os.waitpid(child, 0)[1] for child in children]
    done.set()
    busy.join()
    assert not any(ends), ends


def main(how: str, count: int) -> None:
    """Do one of the four."""
    producer = Verifications.from_env()
    if how == "fork":
        submit(producer, "first")
        fork_many(producer, count)
    elif how == "late":
        atexit.register(submit, producer, "late-0")
    else:
        for number in range(count):
            submit(producer, f"{how}-{number}")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
