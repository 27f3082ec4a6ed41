"""A group of legs as one follower has it: what the leader entered or left in one underlying at about the same time."""

from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction

import msgspec

#: The broker tells in whole seconds when an order was placed.
RESOLUTION = timedelta(seconds=1)

#: How long the exit of a bought leg makes way at most for that of a sold leg.
MAKES_WAY = timedelta(seconds=3)

_NOTHING, _ALL = Fraction(0), Fraction(1)


class GroupAction(StrEnum):
    """What is done at last about what the hedges of a sold leg do not cover, if they are pending."""

    SKIP = "skip"
    SEND = "send"


class GroupPolicy(msgspec.Struct, frozen=True, gc=False):
    """Entries of one underlying that the leader places ``within`` seconds of each other are one group.

    A sold leg waits for its hedges for ``wait`` seconds; then comes the ``action``.
    """

    within: float
    wait: float = 30.0
    action: GroupAction = GroupAction.SKIP

    def __str__(self) -> str:
        """Return it as an operator reads it."""
        return f"legs within {self.within:g} s are one group, {self.action} after {self.wait:g} s"


class HedgeState(StrEnum):
    """How a bought leg stands at the follower.

    PENDING may still fill; HELD could not leave yet, for its account or the market; SKIPPED was not sent for another
    reason that may pass; MISSING was refused, or came to less than its size for good; GONE was ended unfilled, or left
    again, by the leader.
    """

    FILLED = "filled"
    PENDING = "pending"
    HELD = "held"
    SKIPPED = "skipped"
    MISSING = "missing"
    GONE = "gone"


class Hedge(msgspec.Struct, frozen=True, gc=False):
    """A bought leg: how many units the follower is to have of it, 0 while that is not known, and how many it has.

    ``since`` is when it was sent, or when it was first known where it was not.
    """

    leader_order_id: str
    state: HedgeState
    since: datetime
    filled: int = 0
    wanted: int = 0

    @property
    def share(self) -> Fraction:
        """How much of it the follower has."""
        if self.state is HedgeState.FILLED:
            return _ALL
        return min(_ALL, Fraction(self.filled, self.wanted)) if self.wanted else _NOTHING

    def __str__(self) -> str:
        size = f", {self.filled} of {self.wanted} units" if self.wanted else ""
        return f"{self.leader_order_id} ({self.state}{size})"


class Group(msgspec.Struct, frozen=True, gc=False):
    """The legs beside a sold one that is entered, or beside a bought one that is left.

    * ``hedges``: the bought legs. One that is gone counts only where there is no other.
    * ``placed_at``: when the leader placed the order; ``complete_at``: from when on no bought leg can join.
    * ``makes_way``: an exit of a sold leg is live at the leader and at the follower, or is about to be sent.
    """

    hedges: tuple[Hedge, ...]
    placed_at: datetime
    complete_at: datetime
    makes_way: bool = False

    @property
    def counted(self) -> tuple[Hedge, ...]:
        """The hedges that count."""
        alive = tuple(hedge for hedge in self.hedges if hedge.state is not HedgeState.GONE)
        return alive or self.hedges

    @property
    def share(self) -> Fraction:
        """How much of a sold leg its hedges cover: as much as the follower has of the least filled one."""
        return min((hedge.share for hedge in self.counted), default=_ALL)

    def ends_at(self, wait: float) -> datetime:
        """Return when waiting for the hedges ends: ``wait`` seconds after the last of them was sent."""
        begun = max((hedge.since for hedge in self.counted), default=self.placed_at)
        return max(self.placed_at, begun) + timedelta(seconds=wait)

    def are(self, *states: HedgeState) -> bool:
        """Whether a hedge that counts is in one of these states."""
        return any(hedge.state in states for hedge in self.counted)

    def __str__(self) -> str:
        return ", ".join(map(str, self.counted))
