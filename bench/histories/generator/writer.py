"""A history while it is being made: its steps so far, and the lines on which the leader trades."""

import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.histories.history import FOLLOWERS, LEADER, MORE_FOLLOWERS, Follower, Step

#: The last of the seeds whose histories have no later episodes and followers, and stay as they were.
FIRST_SEEDS = 300

#: Seconds in which the leader trades, but for what an episode adds.
LENGTH = 7.0


@dataclass
class Line:
    """A contract as the leader trades it. ``side`` is +1 if he is only ever long on it, -1 if only short, 0 if either.

    ``held`` is in lots, as it will be once what has been written down has filled. ``resting`` has the orders that rest,
    by name: signed lots, and ``entry`` or ``exit``. ``leader`` is who trades on it.
    """

    security_id: str
    lot: int
    price: Decimal
    side: int
    product: str = "MARGIN"
    segment: str = "NSE_FNO"
    leader: str = LEADER
    held: int = 0
    resting: dict[str, tuple[int, str]] = field(default_factory=dict)


class Writer:
    """Collects the steps of one history. ``now`` is the time in seconds at which the next step happens."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.3
        self.steps: list[Step] = []
        everybody = FOLLOWERS if seed <= FIRST_SEEDS else MORE_FOLLOWERS
        others = self.chance.sample(everybody[1:], 2)
        self.followers: tuple[Follower, ...] = (FOLLOWERS[0], *others)
        self.lines = [
            Line("45674", 65, Decimal(120), 1),
            Line("45675", 65, Decimal(120), 1),
            Line("51000", 30, Decimal(240), -1),
            Line("51002", 30, Decimal(250), 0),
        ]
        self.leaders: tuple[str, ...] = (LEADER,)
        self._orders = 0

    def add(self, what: str, at: float | None = None, **terms: Any) -> None:
        """Add a step, ``at`` a time in seconds or now."""
        self.steps.append(Step(round(self.now if at is None else at, 2), what, terms))

    def order(self, line: Line, lots: int, **terms: Any) -> str:
        """Add a leader order for signed lots, a market order unless ``terms`` say otherwise; return its name."""
        self._orders += 1
        name = f"o{self._orders}"
        whole: dict[str, Any] = {
            "name": name,
            "side": "BUY" if lots > 0 else "SELL",
            "security_id": line.security_id,
            "quantity": abs(lots) * line.lot,
            "product": line.product,
            "order_type": "MARKET",
        }
        if line.segment != "NSE_FNO":
            whole["segment"] = line.segment
        if line.leader != LEADER:
            whole["leader"] = line.leader
        self.add("place", **whole | terms)
        return name

    def some_account(self) -> str:
        """Return the client id of a leader or of a follower, at random."""
        return self.chance.choice([*self.leaders, *(follower.client_id for follower in self.followers)])

    def some_follower(self) -> Follower:
        """Return a follower at random."""
        return self.chance.choice(self.followers)


def step(at: float, what: str, **terms: Any) -> Step:
    """Return a step at a time that is rounded as ``Writer.add`` rounds it."""
    return Step(round(at, 2), what, terms)
