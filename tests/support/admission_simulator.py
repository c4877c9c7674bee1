"""Simulate admission on a real server, under a clock that the test moves.

Rows hold what admission reads (due time and lease); calls are recorded with their time. `run_for`
advances the clock as workers would: it deals slots and asks for every row that is due.
"""

from dataclasses import dataclass, field
from typing import Any

from config.breakers import Shut, read_breakers
from satyapan.names import Keys
from satyapan.records import Row
from worker.admission.breakers import BreakerConfig, Breakers
from worker.admission.limiter import Admitted, Limiter, LimiterConfig, NotYet, Verdict
from worker.rules.lane import Lane

WINDOW, MARGIN, HORIZON = 1000, 100, 200
SPAN = WINDOW + MARGIN + 1
START = 1_700_000_000_000
FAR = 30_000
KEYS = Keys("test")
ROUTE = "passport"
LIMITER = LimiterConfig(window=WINDOW, margin=MARGIN, horizon=HORIZON, longest_call=500)
BREAKERS = BreakerConfig(probe=50, over=WINDOW, cool_down=300, cool_down_most=1000)


@dataclass
class Simulator:
    """A limiter and breakers, their clock, the rows that wait, and the calls that were admitted."""

    client: Any
    limit: int = 3
    config: LimiterConfig = LIMITER
    now: int = START
    rows: dict[str, Row] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    sent: list[tuple[int, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Build the limiter and the breakers."""
        self.limiter = Limiter(self.client, KEYS, self.config, now_ms=lambda: self.now)
        self.breakers = Breakers(self.client, KEYS, BREAKERS, now_ms=lambda: self.now)

    def ask(self, name: str, producer: str = "shop", lane: Lane = Lane.NORMAL) -> Verdict:
        """Ask whether a row may call now; a refusal sets its due time, as the engine does."""
        row = self.rows.setdefault(name, Row(id=name, kind="x", reply_to=producer))
        self.lanes[name] = lane
        answer = self.limiter.admit(row, ROUTE, self.limit, lane).now()
        if isinstance(answer, Admitted):
            self.sent.append((self.now, name))
            self.set_due(name, 0)
        else:
            self.set_due(name, answer.until_ms)
        return answer

    def set_due(self, name: str, time: int) -> None:
        """Set when a row is due; 0 ends it."""
        self.client.hset(KEYS.row(name), "due", time)
        if time:
            self.client.zadd(KEYS.due, {name: time})
        else:
            self.client.zrem(KEYS.due, name)

    def fill_window(self) -> "Simulator":
        """Use up the window."""
        for n in range(self.limit):
            assert isinstance(self.ask(f"first-{n}"), Admitted)
        return self

    def breaker(self, route: str = "") -> Shut | None:
        """Read the breaker of a route, or of the account; None while it is closed."""
        key = KEYS.breaker("main", route) if route else KEYS.stop("main")
        return read_breakers(self.client, [key])[0]

    def slot(self, name: str) -> int:
        """Return the slot that a row holds; 0 for none."""
        return int(self.client.zscore(KEYS.reservations("main", ROUTE), name) or 0)

    def dealt(self) -> list[str]:
        """Deal slots, and list the rows that hold one, by its time."""
        self.limiter.deal()
        held = self.client.zrange(KEYS.reservations("main", ROUTE), 0, -1)
        return [raw.decode() for raw in held]

    def run_for(self, ms: int, late: int = 0) -> list[str]:
        """Advance the clock; rows ask when they are due or `late` ms after. Return who called."""
        before, end = len(self.sent), self.now + ms
        next_deal = self.now
        while self.now < end:
            first = self.client.zrange(KEYS.due, 0, 0, withscores=True)
            comes = int(first[0][1]) + late if first else end
            self.now = min(end, max(next_deal, self.now), max(comes, self.now + 1))
            if self.now >= next_deal:
                self.limiter.deal()
                next_deal = self.now + 50
            for raw in self.client.zrangebyscore(KEYS.due, 0, self.now - late):
                row = self.rows[raw.decode()]
                self.ask(row.id, row.reply_to, self.lanes[row.id])
        return [name for _, name in self.sent[before:]]

    def most_in_a_window(self) -> int:
        """Return the most calls in any sliding window, both ends included."""
        times = [time for time, _ in self.sent]
        return max(len([t for t in times if start <= t <= start + WINDOW]) for start in times)


def wait(answer: Verdict) -> NotYet:
    """Return an answer that must be to wait."""
    assert isinstance(answer, NotYet)
    return answer
