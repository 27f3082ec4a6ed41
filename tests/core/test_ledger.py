"""The ledger against leaders and followers whose orders fill at any time, in any order."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.instruments import Instrument
from copytrade.ledger import Allotment, Baseline, Line, LineKey, Part, Role, Working, corrected, exit_shares
from copytrade.orders import Order, Product, Side, Status
from copytrade.positions import Positions
from copytrade.reasons import Reason
from copytrade.sizing import Capitals, Size, SizingPolicy, Strategy
from tests.core.asking import NOTHING
from tests.core.orders import NOW, OPTION, an_order

LOT = 65
INSTRUMENT = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", LOT, Decimal("0.05"))
LINE = LineKey(OPTION, Product.MARGIN)
TOMORROW = NOW.date() + timedelta(days=1)


def ratio_policy(ratio: str | Decimal) -> SizingPolicy:
    return SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(ratio))


@dataclass
class Account:
    """A follower whose every order fills when the test says so."""

    policy: SizingPolicy
    positions: Positions

    @classmethod
    def sized(cls, ratio: str, leader: int = 0) -> "Account":
        positions = Positions()
        positions.know_leader(Baseline({LINE: leader}, frozenset(), NOW.date()))
        positions.know_own(NOTHING)
        return cls(ratio_policy(ratio), positions)

    def leader_does(self, order_id: str, side: Side, lots: int, filled: int | None = None, days: int = 0) -> Order:
        """Take a leader order of so many lots, all of it filled if not said otherwise, ``days`` from now."""
        filled = lots if filled is None else filled
        status = Status.TRADED if filled == lots else Status.PENDING
        order = an_order(
            id=order_id,
            side=side,
            quantity=lots * LOT,
            filled_quantity=filled * LOT,
            status=status,
            created_at=NOW + timedelta(days=days),
        )
        self.positions.leader_seen(order)
        return order

    def entry(self, order: Order) -> Size:
        found = self.positions.size_entry(order, INSTRUMENT, self.policy, Capitals(), is_opening=True)
        assert found is not None
        return found[0]

    def exit(self, order: Order) -> int:
        left = 0 if order.is_terminal else order.quantity - order.filled_quantity
        exits = [Working(order.id, order.side, False, left, order.filled_quantity > 0, 0, False)]
        return self.positions.exit_of(order, exits)

    def fills(self, order: Order, part: Part, before: int, after: int) -> None:
        own = an_order(id=f"own-{order.id}-{part}", side=order.side, filled_quantity=after)
        self.positions.own_seen(own)
        self.positions.copy_filled(order.id, part, before, after)

    @property
    def held(self) -> int:
        return self.positions.line(LINE).held


def test_four_lots_in_and_four_exits_of_one_lot_leave_a_half_size_follower_flat() -> None:
    account = Account.sized("0.5")
    entry = account.leader_does("1", Side.BUY, 4)
    assert account.entry(entry).quantity == 2 * LOT
    account.fills(entry, Part.ENTRY, 0, 2 * LOT)
    sold = []
    for number in range(4):
        order = account.leader_does(f"{10 + number}", Side.SELL, 1)
        share = account.exit(order)
        account.fills(order, Part.EXIT, 0, share)
        sold.append(share // LOT)
    assert sold == [1, 0, 1, 0]
    assert account.held == 0


def test_entries_of_one_lot_add_up_where_each_alone_would_be_too_small() -> None:
    account = Account.sized("0.5")
    sizes = []
    for number in range(4):
        order = account.leader_does(f"{number}", Side.BUY, 1)
        size = account.entry(order)
        sizes.append((size.quantity // LOT, size.reason))
        account.fills(order, Part.ENTRY, 0, size.quantity)
    assert sizes == [(0, Reason.ZERO_LOTS), (1, None), (0, Reason.ZERO_LOTS), (1, None)]


def test_an_order_that_crosses_zero_is_an_exit_to_flat_and_an_entry() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 2)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    crossing = account.leader_does("2", Side.SELL, 5, filled=0)
    allotment = account.positions.allotment("2")
    assert allotment is not None
    assert allotment.role is Role.EXIT
    assert account.exit(crossing) >= 2 * LOT
    assert account.entry(crossing).quantity == 3 * LOT


def test_what_was_held_before_copying_began_is_not_exited_by_the_follower() -> None:
    account = Account.sized("1", leader=10 * LOT)
    exit_ = account.leader_does("1", Side.SELL, 4)
    assert account.exit(exit_) == 0
    added = account.leader_does("2", Side.BUY, 2)
    assert account.entry(added).quantity == 2 * LOT


def test_the_ratio_stays_while_a_position_is_open() -> None:
    account = Account.sized("1")
    account.policy = SizingPolicy(Strategy.FIXED_LOTS, lots=1)
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    second = account.leader_does("2", Side.BUY, 6)
    assert account.entry(second).quantity == 3 * LOT


def test_a_new_position_gets_a_new_ratio_even_if_it_is_first_seen_filled() -> None:
    account = Account.sized("1")
    account.policy = SizingPolicy(Strategy.FIXED_LOTS, lots=1)
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    out = account.leader_does("2", Side.SELL, 2)
    account.fills(out, Part.EXIT, 0, account.exit(out))
    assert account.entry(account.leader_does("3", Side.BUY, 6)).quantity == LOT


def test_what_was_squared_off_by_others_does_not_burden_the_next_position() -> None:
    account = Account.sized("1")
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    account.leader_does("2", Side.SELL, 2)
    account.positions.own_seen(an_order(id="square-off", side=Side.SELL, filled_quantity=2 * LOT))
    assert account.entry(account.leader_does("3", Side.BUY, 3)).quantity == 3 * LOT
    assert account.held == 0


def written_down(lots: int) -> Positions:
    """Return what the database has of a half-size follower's position, with which tomorrow begins."""
    account = Account.sized("0.5")
    entry = account.leader_does("1", Side.BUY, lots)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    held = account.positions.everything()
    positions = Positions()
    positions.load([one for one in held if isinstance(one, Line)], [one for one in held if isinstance(one, Allotment)])
    return positions


def test_a_position_outlives_a_night() -> None:
    positions = written_down(4)
    assert positions.know_leader(Baseline({LINE: 4 * LOT}, frozenset(), TOMORROW)) == []
    positions.know_own(Baseline({LINE: 2 * LOT}, frozenset(), TOMORROW))
    morning = Account(ratio_policy("0.5"), positions)
    assert morning.exit(morning.leader_does("2", Side.SELL, 2, days=1)) == LOT


def test_a_position_that_expired_in_the_night_is_gone() -> None:
    ((before, after),) = written_down(4).know_leader(replace(NOTHING, day=TOMORROW))
    assert (before.leader_position, after.leader_position, after.level) == (4 * LOT, 0, 0)


def test_yesterdays_orders_are_in_todays_positions_already() -> None:
    """A follower that comes back after midnight is told of them again, by a feed that has been running since."""
    tomorrow = replace(NOTHING, positions={LINE: 2 * LOT}, day=TOMORROW)
    positions = Positions()
    positions.own_seen(an_order(id="own", filled_quantity=2 * LOT))
    positions.know_own(tomorrow)
    positions.know_leader(tomorrow)
    positions.leader_seen(an_order(id="1", filled_quantity=2 * LOT))
    assert positions.line(LINE).leader_position == 2 * LOT
    exit_ = an_order(id="2", side=Side.SELL, quantity=2 * LOT, created_at=NOW + timedelta(days=1))
    positions.leader_seen(exit_)
    allotment = positions.allotment("2")
    assert allotment is not None
    assert allotment.role is Role.EXIT


def test_an_exit_is_bounded_by_what_the_account_really_holds() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 4)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    account.positions.own_seen(an_order(id="by hand", side=Side.SELL, filled_quantity=3 * LOT))
    assert account.exit(account.leader_does("2", Side.SELL, 4)) == LOT
    assert account.positions.line(LINE).lost == 3 * LOT


def test_an_unfilled_entry_that_the_leader_has_left_is_forgone() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 4)
    assert account.entry(entry).quantity == 4 * LOT
    account.leader_does("2", Side.SELL, 3)
    assert account.entry(entry).quantity == LOT
    account.leader_does("3", Side.SELL, 1)
    assert account.entry(entry).reason is Reason.LEADER_EXITED
    account.fills(entry, Part.ENTRY, 0, 2 * LOT)  # too late to be cancelled
    last = account.leader_does("3", Side.SELL, 1)
    assert account.exit(last) == 2 * LOT


def test_a_target_and_a_stop_rest_side_by_side_for_all_that_is_held() -> None:
    line = Line(LINE, leader_position=4, held=2, level=2)
    target = Working("target", Side.SELL, False, 4, False, 0, False)
    stop = Working("stop", Side.SELL, True, 4, False, 0, False)
    assert exit_shares(line, [target, stop], 2) == {"target": 2, "stop": 2}
    filled = Line(LINE, leader_position=0, held=2, level=0)
    target = replace(target, leader_open=0, has_filled=True, open=2)
    assert exit_shares(filled, [target, stop], 2) == {"target": 2, "stop": 2}
    assert exit_shares(replace(filled, held=0), [target, stop], 0) == {}


def test_what_two_exits_take_beyond_what_is_held_is_to_be_taken_back() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 2)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    for order_id in ("target", "stop"):
        order = account.leader_does(order_id, Side.SELL, 2, filled=0)
        account.fills(order, Part.EXIT, 0, 2 * LOT)
    assert account.held == -2 * LOT
    allotment = account.positions.allotment("stop")
    assert allotment is not None
    assert allotment.excess == 2 * LOT
    account.positions.copy_filled("stop", Part.FLATTEN, 0, 2 * LOT)
    assert account.held == 0


def test_a_position_that_shrank_while_nobody_looked_brings_the_level_down() -> None:
    line = Line(LINE, leader_position=4 * LOT, held=2 * LOT, level=2 * LOT, lot_size=LOT)
    assert corrected(line, 2 * LOT).level == LOT
    assert corrected(line, 0).level == 0
    assert corrected(line, -LOT).level == 0
    assert corrected(line, 6 * LOT) == replace(line, leader_position=6 * LOT)


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, int, list[tuple[Side, int]]]:
    ratio = draw(st.integers(1, 1000)) / Decimal(100)
    lot = draw(st.sampled_from([1, 15, 65, 120]))
    orders = draw(st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 12)), min_size=1, max_size=12))
    return str(ratio), lot, orders


@settings(max_examples=500, deadline=None)
@given(histories())
def test_at_every_step_a_follower_without_delay_holds_the_scaled_position(
    history: tuple[str, int, list[tuple[Side, int]]],
) -> None:
    """A leader who only ever adds or reduces: the follower's level is what the ratio makes of his position."""
    ratio, lot, orders = history
    instrument = replace(INSTRUMENT, lot_size=lot)
    positions = Positions()
    positions.know_leader(NOTHING)
    positions.know_own(NOTHING)
    position = 0
    for number, (side, lots) in enumerate(orders):
        quantity = lots * lot
        order = an_order(id=str(number), side=side, quantity=quantity, filled_quantity=quantity, status=Status.TRADED)
        positions.leader_seen(order)
        allotment = positions.allotment(order.id)
        assert allotment is not None
        if allotment.exit_of(quantity):
            working = [Working(order.id, side, False, 0, True, 0, False)]
            share = positions.exit_of(order, working)
            positions.own_seen(an_order(id=f"x{number}", side=side, filled_quantity=share))
            positions.copy_filled(order.id, Part.EXIT, 0, share)
        if allotment.entry_of(quantity):
            found = positions.size_entry(order, instrument, ratio_policy(ratio), Capitals(), is_opening=True)
            assert found is not None
            positions.own_seen(an_order(id=f"e{number}", side=side, filled_quantity=found[0].quantity))
            positions.copy_filled(order.id, Part.ENTRY, 0, found[0].quantity)
        position += side.sign * quantity
        held = positions.line(LINE).held
        assert held * position >= 0, "never on the opposite side"
        exact = Fraction(Decimal(ratio)) * abs(position)
        assert abs(held) <= exact
        assert exact - abs(held) < 2 * lot
        if position == 0:
            assert held == 0


def test_an_entry_that_is_taken_up_again_is_for_no_more_than_the_leader_still_holds() -> None:
    account = Account.sized("1")
    missed = account.leader_does("1", Side.BUY, 4)
    assert account.entry(missed).quantity == 4 * LOT
    account.positions.retire("1")
    account.leader_does("2", Side.SELL, 3)
    assert account.positions.take_up_again("1", 4 * LOT)
    assert account.entry(missed).quantity == LOT
    assert not account.positions.take_up_again("nobody's", 4 * LOT)
