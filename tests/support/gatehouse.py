"""A gatehouse: the gate on a real server, under a clock that the test moves.

Rows are as the gate sees them (due time and lease in their hash), calls are noted with their time.
`play` lets time pass as workers would: it deals now and then, and lets those come who are due.
"""

from dataclasses import dataclass, field
from typing import Any

from config.breakers import Shut, read_breaker
from satyapan.names import Keys
from satyapan.records import Row
from worker.admission.admission import Figures, Gate, Go, Pass, Wait
from worker.rules.lane import Lane

WINDOW, MARGIN, HORIZON = 1000, 100, 200
SPAN = WINDOW + MARGIN + 1
START = 1_700_000_000_000
FAR = 30_000
KEYS = Keys("test")
ROUTE = "passport"
FIGURES = Figures(
    window=WINDOW,
    margin=MARGIN,
    horizon=HORIZON,
    longest_call=500,
    probe=50,
    over=WINDOW,
    cool_down=300,
    cool_down_most=1000,
)


@dataclass
class Gatehouse:
    """A gate, its clock, those who wait, and the calls that went through."""

    client: Any
    limit: int = 3
    figures: Figures = FIGURES
    now: int = START
    rows: dict[str, Row] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    sent: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the gate."""
        self.gate = Gate(self.client, KEYS, self.figures, now_ms=lambda: self.now)

    def ask(self, name: str, producer: str = "shop", lane: Lane = Lane.NORMAL) -> Pass:
        """Let a row come to the gate; what it is told becomes its due time, as the engine does."""
        row = self.rows.setdefault(name, Row(id=name, kind="x", reply_to=producer))
        self.lanes[name] = lane
        answer = self.gate.entering(row, ROUTE, self.limit, lane).now()
        if isinstance(answer, Go):
            self.sent.append((self.now, name))
            self.due(name, 0)
        else:
            self.due(name, answer.until_ms)
        return answer

    def due(self, name: str, time: int) -> None:
        """Say when a row is due; 0 when it has ended."""
        self.client.hset(KEYS.row(name), "due", time)
        if time:
            self.client.zadd(KEYS.due, {name: time})
        else:
            self.client.zrem(KEYS.due, name)

    def fill(self) -> "Gatehouse":
        """Use up the window."""
        for n in range(self.limit):
            assert isinstance(self.ask(f"first-{n}"), Go)
        return self

    def state(self, route: str = "") -> Shut | None:
        """Show a breaker, the account's or a route's; None when it lets calls through."""
        key = KEYS.breaker("main", route) if route else KEYS.stop("main")
        return read_breaker(self.client, key)

    def slot(self, name: str) -> int:
        """Give the slot that a row holds; 0 for none."""
        return int(self.client.zscore(KEYS.tickets("main", ROUTE), name) or 0)

    def dealt(self) -> list[str]:
        """Deal, and list those who hold a slot by its time."""
        self.gate.deal()
        held = self.client.zrange(KEYS.tickets("main", ROUTE), 0, -1)
        return [raw.decode() for raw in held]

    def play(self, ms: int, late: int = 0) -> list[str]:
        """Let time pass; rows come when they are due or `late` ms after. Lists who called."""
        before, end = len(self.sent), self.now + ms
        next_deal = self.now
        while self.now < end:
            first = self.client.zrange(KEYS.due, 0, 0, withscores=True)
            comes = int(first[0][1]) + late if first else end
            self.now = min(end, max(next_deal, self.now), max(comes, self.now + 1))
            if self.now >= next_deal:
                self.gate.deal()
                next_deal = self.now + 50
            for raw in self.client.zrangebyscore(KEYS.due, 0, self.now - late):
                row = self.rows[raw.decode()]
                self.ask(row.id, row.reply_to, self.lanes[row.id])
        return [name for _, name in self.sent[before:]]

    def most_in_a_window(self) -> int:
        """Count the most calls in any sliding window, both its ends included."""
        times = [time for time, _ in self.sent]
        return max(len([t for t in times if start <= t <= start + WINDOW]) for start in times)


def wait(answer: Pass) -> Wait:
    """Take an answer that must be to wait."""
    assert isinstance(answer, Wait)
    return answer
