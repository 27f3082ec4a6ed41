"""Random groups of legs: no more of a sold leg is ever asked for than its least filled hedge covers."""

import os
from datetime import timedelta
from fractions import Fraction

import hypothesis
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Place
from copytrade.core.decide.legs.group import GroupAction
from copytrade.core.model.copies import Stage
from copytrade.core.model.orders import Order, Status
from tests.core.engine.legs import HEDGE, OTHER_HEDGE, OTHER_SOLD, SOLD, Legs
from tests.core.engine.policies import LOT

BOUGHT, SHORT = (HEDGE, OTHER_HEDGE), (SOLD, OTHER_SOLD)

#: What is sent is half of what the leader does.
SHARE = 2

#: Seconds within which legs are one group.
WITHIN = 5.0

Step = tuple[str, str, int]


class History:
    """One follower that takes whatever comes: refusals, fills in pieces, rejections, the leader's own changes."""

    def __init__(self, action: GroupAction) -> None:
        self.refuses = False
        self.legs = Legs(self.verdict, action, within=WITHIN)
        self.lots: dict[str, int] = {}
        self.is_over: set[str] = set()
        self.action = action
        self.asked_before: dict[str, int] = {}

    def verdict(self, action: Action) -> str:
        return "refused" if self.refuses and isinstance(action, Place) else "accepted"

    def happens(self, what: str, leg: str, number: int) -> None:
        if what == "place" and leg not in self.lots:
            self.lots[leg] = 2 * number
            self.legs.places(leg, lots=2 * number)
        elif what == "refuse":
            self.refuses = not self.refuses
        elif what == "pass":
            self.legs.passes(number / 2)
        elif leg in self.lots and leg not in self.is_over:
            self.changes(what, leg, number)
        self.holds()

    def changes(self, what: str, leg: str, number: int) -> None:
        leader = self.legs.leaders[leg]
        if what == "cancel":
            self.is_over.add(leg)
            self.legs.changes(leg, status=Status.CANCELLED)
        elif what == "fill":
            self.is_over.add(leg)
            self.legs.changes(leg, status=Status.TRADED, filled_quantity=leader.quantity)
        elif live := self.live(leg):
            filled = min(live.quantity, live.filled_quantity + number * LOT)
            if what == "reject":
                self.legs.shows(replace(live, status=Status.REJECTED, reason="RMS: no"))
                self.legs.goes_on()
            else:
                self.legs.fills(live.id, filled)

    def live(self, leg: str) -> Order | None:
        return next((order for order in self.legs.own(leg) if not order.is_terminal), None)

    def filled(self, leg: str) -> int:
        return sum(order.filled_quantity for order in self.legs.own(leg))

    def asked(self, leg: str) -> int:
        """Return how many units are sold, or may yet be."""
        orders = self.legs.own(leg)
        return sum(order.filled_quantity if order.is_terminal else order.quantity for order in orders)

    def share(self) -> Fraction:
        """Return how much of the least filled hedge the follower has."""
        wanted = {leg: self.lots[leg] * LOT // SHARE for leg in BOUGHT if leg in self.lots}
        gone = {leg for leg in wanted if self.legs.leaders[leg].status is Status.CANCELLED}
        counted = wanted.keys() - gone
        return min((Fraction(self.filled(leg), wanted[leg]) for leg in counted), default=Fraction(0 if wanted else 1))

    def holds(self) -> None:
        """Check that no more of a sold leg was asked for just now than its hedges cover."""
        for leg in SHORT:
            before, self.asked_before[leg] = self.asked_before.get(leg, 0), self.asked(leg)
            if self.asked(leg) > before and self.action is GroupAction.SKIP and not self.is_late():
                whole = self.lots[leg] * LOT // SHARE
                assert self.asked(leg) <= whole * self.share(), f"{self.asked(leg)} of {whole} at {self.share()}"

    def is_late(self) -> bool:
        """Whether legs were placed too far from each other to be surely of one group."""
        placed = [self.legs.leaders[leg].created_at for leg in self.lots]
        return bool(placed) and max(placed) - min(placed) > timedelta(seconds=WITHIN)


LEGS = st.permutations([*BOUGHT, *SHORT]).flatmap(lambda legs: st.integers(2, 4).map(lambda count: legs[:count]))

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["own", "own", "own", "own", "fill", "cancel", "reject", "refuse", "pass", "pass", "place"]),
        st.sampled_from([*BOUGHT, *BOUGHT, *SHORT]),
        st.integers(1, 3),
    ),
    min_size=4,
    max_size=30,
)


@hypothesis.settings(
    max_examples=int(os.environ.get("COPYTRADE_HISTORIES", "300")),
    derandomize="COPYTRADE_HISTORIES" not in os.environ,
    deadline=None,
)
@hypothesis.given(LEGS, STEPS, st.data(), st.sampled_from(GroupAction))
def test_no_more_is_sold_than_the_hedges_cover(
    legs: list[str], steps: list[Step], data: st.DataObject, action: GroupAction
) -> None:
    history = History(action)
    for leg in legs:
        at = data.draw(st.integers(0, len(steps) // 2))
        steps.insert(at, ("place", leg, data.draw(st.integers(1, 3))))
    for step in steps:
        history.happens(*step)
    history.refuses = False
    history.legs.passes(120)
    for leg in history.lots.keys() & set(SHORT):
        copies = history.legs.engine.copies.of(leg)
        assert copies, "it is on record what became of it"
        assert all(copy.stage is not Stage.NONE or copy.reason is not None for copy in copies)
