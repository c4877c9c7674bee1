"""Room for more ids: shared by the loop, the tasks' threads and Celery's consumer."""

import threading
from collections.abc import Callable


class Room:
    """Counts the ids that were brought and don't run yet; there is room below `calls` of them."""

    def __init__(self, calls: int) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._waiting = 0
        self._refused = False
        self.on_room: Callable[[], object] = lambda: None
        """Called when there is room again, if `there_is` has returned False since."""

    def there_is(self) -> bool:
        """Return True if fewer ids wait for a call than could be called at once."""
        with self._lock:
            self._refused = self._waiting >= self._calls
            return not self._refused

    def take(self, count: int) -> None:
        """Count ids that a message brought."""
        with self._lock:
            self._waiting += count

    def free(self, count: int) -> None:
        """Count ids that run now, or went back to the queue."""
        with self._lock:
            self._waiting -= count
            again = self._refused and self._waiting < self._calls
            self._refused = self._refused and not again
        if again:
            self.on_room()
