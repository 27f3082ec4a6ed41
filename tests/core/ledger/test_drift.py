"""What a follower's position differs by, and why: every unit is due to something."""

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.decide.decisions import Skip
from copytrade.core.engine.copies import transitions
from copytrade.core.ledger.drift.apart import Apart, all_apart, apart
from copytrade.core.ledger.drift.causes import Cause, Drift, Fill, LeaderOrder
from copytrade.core.ledger.drift.explanation import explained
from copytrade.core.ledger.drift.proposals import proposals
from copytrade.core.ledger.sizing import SizingPolicy, Strategy
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import LineKey, Part
from copytrade.core.model.orders import Order, Product, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.ledger.account import LINE, LOT, Account
from tests.core.orders import NOW, OPTION, an_order

DAY = NOW.date()


@dataclass
class Story:
    """A leader and one follower of his, and what a database would remember of them."""

    account: Account
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    copies: dict[str, list[Copy]] = field(default_factory=dict)
    filled: dict[tuple[str, Part], int] = field(default_factory=dict)

    @classmethod
    def of(cls, ratio: str | SizingPolicy, leader: int = 0) -> "Story":
        return cls(Account.sized(ratio, leader))

    def leader(self, order_id: str, side: Side, lots: int, filled: int | None = None) -> Order:
        filled = lots if filled is None else filled
        order = self.account.leader_does(order_id, side, lots, filled)
        before = self.orders[order_id].filled_quantity if order_id in self.orders else 0
        if filled * LOT > before:
            self.fills.append(Fill(order_id, filled * LOT - before))
        self.orders[order_id] = order
        return order

    def got(self, order: Order, part: Part, units: int) -> None:
        """Let the follower fill so many units more of a part."""
        before = self.filled.get((order.id, part), 0)
        self.account.fills(order, part, before, before + units)
        self.filled[order.id, part] = before + units
        if part is Part.ENTRY:
            self.fills.append(Fill(order.id, units, by_copying=True))

    def enters(self, order: Order, units: int | None = None) -> int:
        """Let the follower fill an entry's whole size, or only so many units of it."""
        works = any(not other.is_terminal for other in self.orders.values() if other.id != order.id)
        size = self.account.entry(order, is_opening=not works).quantity
        self.got(order, Part.ENTRY, size if units is None else min(size, units))
        return size

    def says(self, order: Order, stage: Stage, reason: Reason | None = None, part: Part = Part.ENTRY) -> None:
        """Write down how a copy of an order stands, or why there is none."""
        copy = Copy(order.id, "alice", DAY, NOW, part=part)
        if stage is Stage.NONE:
            copy = transitions.skipped(copy, Skip(reason or Reason.ZERO_LOTS, "because"))
        else:
            status = Status.REJECTED if reason is Reason.BROKER_REJECTED else Status.CANCELLED
            own = an_order(id="F1", status=status) if stage is Stage.ENDED else None
            copy = replace(copy, n=1, stage=stage, reason=reason, order=own)
        self.copies.setdefault(order.id, []).append(copy)

    def drift(self, apart: int = 0, by_hand: tuple[str, ...] = ()) -> Drift:
        positions = self.account.positions
        line = positions.ledger.line(LINE)
        orders = []
        for order_id in self.orders:
            allocation = positions.ledger.allocation(order_id)
            assert allocation is not None
            orders.append(LeaderOrder(allocation, self.copies.get(order_id, ())))
        found = explained(line, orders, self.fills, line.held + apart, by_hand)
        assert sum(share.units for share in found.shares) == found.difference
        return found


def shares(drift: Drift) -> dict[str, Fraction | int]:
    return {f"{share.cause} {share.detail}".strip(): share.units for share in drift.shares}


def test_what_is_copied_in_whole_has_no_drift() -> None:
    story = Story.of("0.5")
    story.enters(story.leader("1", Side.BUY, 4))
    assert story.drift().shares == ()
    assert (story.drift().expected, story.drift().net) == (2 * LOT, 2 * LOT)


def test_rounding_is_told_in_parts_of_a_unit_and_shrinks_with_the_leaders_position() -> None:
    story = Story.of("0.5")
    story.enters(story.leader("1", Side.BUY, 1))
    assert shares(story.drift()) == {"rounding": Fraction(-65, 2)}
    story.enters(story.leader("2", Side.BUY, 2))
    assert shares(story.drift()) == {"rounding": Fraction(-65, 2)}
    out = story.leader("3", Side.SELL, 3)
    story.got(out, Part.EXIT, LOT)
    assert story.drift().shares == ()


@pytest.mark.parametrize(
    ("stage", "reason", "share"),
    [
        (Stage.NONE, Reason.COPYING_DISABLED, "skipped copying_disabled"),
        (Stage.ENDED, Reason.BROKER_REJECTED, "refused broker_rejected"),
        (Stage.LIVE, None, "unfilled rests"),
        (Stage.ENDED, Reason.UNFILLED, "unfilled unfilled"),
        (Stage.ENDED, Reason.ENDED_EXTERNALLY, "unfilled ended_externally"),
    ],
)
def test_an_entry_that_was_not_copied_is_explained_by_its_reason_until_the_leader_has_left(
    stage: Stage, reason: Reason | None, share: str
) -> None:
    story = Story.of("1")
    story.enters(story.leader("1", Side.BUY, 2))
    missed = story.leader("2", Side.BUY, 4)
    story.enters(missed, LOT)
    story.says(missed, stage, reason)
    assert shares(story.drift()) == {share: -3 * LOT}
    assert [one.leader_order_id for one in story.drift().shares] == ["2"]
    out = story.leader("3", Side.SELL, 3)
    story.got(out, Part.EXIT, story.account.exit(out))
    assert sum(units for name, units in shares(story.drift()).items() if name != "rounding") == Fraction(-3 * LOT, 2)
    assert Cause.UNEXPLAINED not in {one.cause for one in story.drift().shares}


def test_fixed_lots_are_what_is_expected_of_each_order_and_a_proportion_of_them_after_an_exit() -> None:
    story = Story.of(SizingPolicy(Strategy.FIXED_LOTS, lots=2, max_lots=1))
    story.enters(story.leader("1", Side.BUY, 1))
    missed = story.leader("2", Side.BUY, 10)
    story.says(missed, Stage.NONE, Reason.COPYING_DISABLED)
    story.account.entry(missed)
    drift = story.drift()
    assert (drift.expected, drift.net) == (4 * LOT, LOT)
    assert [(one.leader_order_id, one.cause, one.units) for one in drift.shares] == [
        ("1", Cause.LIMIT, -LOT),
        ("2", Cause.LIMIT, -LOT),
        ("2", Cause.SKIPPED, -LOT),
    ]
    assert [(one.leader_order_id, one.units) for one in proposals(drift)] == [("2", LOT)]
    out = story.leader("3", Side.SELL, 1)
    story.got(out, Part.EXIT, story.account.exit(out))
    drift = story.drift()
    assert drift.expected == Fraction(4 * LOT * 10, 11)
    assert Cause.UNEXPLAINED not in {share.cause for share in drift.shares}
    last = story.leader("4", Side.SELL, 10)
    story.got(last, Part.EXIT, story.account.exit(last))
    assert (story.drift().expected, story.drift().shares) == (0, ())


def test_an_exit_that_does_not_fill_is_what_is_held_too_much() -> None:
    story = Story.of("1")
    story.enters(story.leader("1", Side.SELL, 4))
    out = story.leader("2", Side.BUY, 3)
    story.says(out, Stage.LIVE, part=Part.EXIT)
    assert shares(story.drift()) == {"unfilled rests": -3 * LOT}


def test_what_the_follower_has_before_the_leader_is_ahead() -> None:
    story = Story.of("1")
    entry = story.leader("1", Side.BUY, 4, filled=1)
    story.enters(entry)
    assert shares(story.drift()) == {"ahead": 3 * LOT}
    story.leader("1", Side.BUY, 4)
    assert story.drift().shares == ()


def test_what_the_leader_held_before_is_told_apart() -> None:
    story = Story.of("1", leader=6 * LOT)
    story.enters(story.leader("1", Side.BUY, 2))
    assert shares(story.drift()) == {"before_start": -6 * LOT}


def test_other_hands_are_named_whether_they_add_or_close() -> None:
    story = Story.of("1")
    story.enters(story.leader("1", Side.BUY, 4))
    assert shares(story.drift(apart=LOT, by_hand=("F7",))) == {"manual F7": LOT}
    assert shares(story.drift(apart=-LOT)) == {"external_close no order of it is known": -LOT}
    turned = {"external_close F8, F9": -4 * LOT, "manual F8, F9": -2 * LOT}
    assert shares(story.drift(apart=-6 * LOT, by_hand=("F8", "F9"))) == turned


def test_what_was_closed_elsewhere_stays_named_once_it_is_written_off() -> None:
    story = Story.of("1")
    story.enters(story.leader("1", Side.BUY, 4))
    story.account.positions.holdings.account.seen(
        an_order(id="by hand", side=Side.SELL, filled_quantity=3 * LOT), is_copy=False, at=NOW
    )
    out = story.leader("2", Side.SELL, 1, filled=0)
    story.account.exit(out)
    assert story.account.held == LOT
    assert shares(story.drift()) == {"external_close written off": -3 * LOT}


def test_nothing_is_expected_where_nothing_was_ever_sized() -> None:
    story = Story.of("1")
    story.says(story.leader("1", Side.BUY, 4), Stage.NONE, Reason.FILTERED_INSTRUMENT)
    drift = story.drift()
    assert (drift.expected, drift.shares, drift.uncopied) == (0, (), ("filtered_instrument",))


STEPS = st.lists(
    st.tuples(st.sampled_from([Side.BUY, Side.SELL]), st.integers(1, 5), st.integers(0, 5), st.integers(0, 5)),
    min_size=1,
    max_size=12,
)


POLICIES = [
    *("0.5", "1", "0.3", "2"),
    *(SizingPolicy(Strategy.FIXED_LOTS, lots=lots) for lots in (1, 3)),
    SizingPolicy(Strategy.FIXED_LOTS, lots=3, max_lots=2),
]


@settings(deadline=None, max_examples=300)
@given(steps=STEPS, sizing=st.sampled_from(POLICIES))
def test_every_unit_is_explained_whatever_fills_and_whatever_does_not(
    steps: list[tuple[Side, int, int, int]], sizing: str | SizingPolicy
) -> None:
    story = Story.of(sizing)
    for number, (side, lots, filled, got) in enumerate(steps):
        order = story.leader(str(number), side, lots, min(lots, filled))
        allocation = story.account.positions.ledger.allocation(order.id)
        assert allocation is not None
        if allocation.exit_of(order.quantity):
            story.got(order, Part.EXIT, min(story.account.exit(order), got * LOT))
        if allocation.entry_of(order.quantity):
            story.enters(order, got * LOT)
    assert Cause.UNEXPLAINED not in {share.cause for share in story.drift().shares}


@pytest.mark.parametrize(
    ("net", "held", "known", "manual", "closed", "unseen"),
    [
        (130, 130, 130, 0, 0, 0),
        (195, 130, 195, 65, 0, 0),
        (65, 130, 65, 0, -65, 0),
        (-65, 130, -65, -65, -130, 0),
        (-65, -130, -65, 0, 65, 0),
        (0, 130, 130, 0, -130, -130),
        (65, 0, 65, 65, 0, 0),
    ],
)
def test_what_is_apart_is_closed_as_far_as_it_is_against_what_is_held(
    net: int, held: int, known: int, manual: int, closed: int, unseen: int
) -> None:
    assert apart(LINE, net, held, known) == Apart(LINE, net, held, manual, closed, unseen)


def test_only_lines_with_something_apart_are_told_of() -> None:
    other = LineKey(OPTION, Product.INTRADAY)
    assert all_apart({LINE: 130, other: 65}, {LINE: 130}, {LINE: 130, other: 65}) == [Apart(other, 65, 0, 65, 0)]
    assert all_apart({}, {LINE: 130}, {LINE: 130}) == [Apart(LINE, 0, 130, 0, -130, -130)]
