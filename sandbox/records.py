"""Records of all calls, and of all executions that the vendor would charge for.

They contain ids and codes only; no request or answer is kept.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class CallRecord:
    """One HTTP call; status None means that no status was sent."""

    n: int
    at: float
    route: str
    account: str | None = None
    verification_id: str | None = None
    status: int | None = None
    code: str | None = None
    fault: str | None = None


@dataclass
class Execution:
    """One chargeable execution; ``answered``: its own answer was sent, intact."""

    n: int
    at: float
    charge: str
    account: str
    route: str
    verification_id: str | None
    reference_id: int | None
    detail: str | None
    executed: bool = True
    answered: bool = False


class Records:
    """Keeps calls in memory, and executions also in a file if one is configured."""

    def __init__(self, audit_file: str | None) -> None:
        """Set the file that gets one JSON line for each execution, before it is answered."""
        self._file = Path(audit_file) if audit_file else None
        self._lock = threading.Lock()
        self._calls: list[CallRecord] = []
        self._executions: list[Execution] = []

    def call(self, at: float, route: str) -> CallRecord:
        """Create the record of a call."""
        with self._lock:
            call = CallRecord(len(self._calls) + 1, at, route)
            self._calls.append(call)
            return call

    def execution(
        self,
        at: float,
        charge: str,
        *,
        account: str,
        route: str,
        verification_id: str | None = None,
        reference_id: int | None = None,
        detail: str | None = None,
    ) -> Execution:
        """Record a chargeable execution, and append it to the file if there is one."""
        with self._lock:
            n = len(self._executions) + 1
            row = Execution(n, at, charge, account, route, verification_id, reference_id, detail)
            self._executions.append(row)
            if self._file:
                self._append(self._file, row)
            return row

    @staticmethod
    def _append(path: Path, row: Execution) -> None:
        line = {key: value for key, value in asdict(row).items() if key != "answered"}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def calls(self) -> list[dict[str, object]]:
        """Return all calls, oldest first."""
        with self._lock:
            return [asdict(call) for call in self._calls]

    def executions(self) -> list[dict[str, object]]:
        """Return all chargeable executions, oldest first."""
        with self._lock:
            return [asdict(row) for row in self._executions]

    def reset(self) -> None:
        """Remove all records; the file is not changed."""
        with self._lock:
            self._calls.clear()
            self._executions.clear()
