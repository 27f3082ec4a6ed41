"""The ledger against leaders and followers whose orders fill at any time, in any order."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.ledger.arithmetic.corrections import corrected, left_alone
from copytrade.core.ledger.arithmetic.entries import sized_alone
from copytrade.core.ledger.arithmetic.exit_shares import exit_shares
from copytrade.core.ledger.arithmetic.fills import leader_filled
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, Strategy
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part, Ratio, Role, Working
from copytrade.core.model.orders import OrderType, Product, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.ledger.account import INSTRUMENT, LINE, LOT, NO_CAPITALS, Account, ratio_policy, taken
from tests.core.orders import NOW, OPTION, an_order

TOMORROW = NOW.date() + timedelta(days=1)
MORNING = NOW + timedelta(days=1)


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


@pytest.mark.parametrize("is_sized", [False, True])
def test_what_reads_show_the_leader_to_have_left_is_not_entered_later(is_sized: bool) -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 4)
    if is_sized:
        assert account.entry(entry).quantity == 4 * LOT
    for units, reason in ((2 * LOT, None), (0, Reason.LEADER_EXITED)):
        for seconds in (10, 20):
            began = NOW + timedelta(seconds=seconds + (100 if reason else 0))
            account.positions.of("").read({LINE: units}, began, NOW.date(), ())
        assert account.positions.of("").confirm(began + timedelta(seconds=1), ())
        assert account.entry(entry) == account.entry(entry)
        assert (account.entry(entry).quantity, account.entry(entry).reason) == (units, reason)


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
    allocation = account.positions.ledger.allocation("2")
    assert allocation is not None
    assert allocation.role is Role.EXIT
    assert account.exit(crossing) >= 2 * LOT
    assert account.entry(crossing).quantity == 3 * LOT


def test_an_order_that_is_told_otherwise_after_a_restart_stays_on_the_line_on_which_it_was_judged() -> None:
    positions = Positions()
    positions.of("").read({}, NOW, NOW.date(), ())
    positions.leader_seen(an_order(id="1"), NOW)
    positions.leader_seen(an_order(id="1", product=Product.INTRADAY, filled_quantity=LOT), NOW)
    positions.forget("1")
    other = LineKey(LINE.key, Product.INTRADAY)
    positions.leader_seen(an_order(id="2", product=Product.INTRADAY, side=Side.SELL, filled_quantity=LOT), NOW)
    assert positions.ledger.line(LINE).leader_position == LOT
    assert positions.ledger.line(other).leader_position == -LOT


def test_what_was_held_before_copying_began_is_not_exited_by_the_follower() -> None:
    account = Account.sized("1", leader=10 * LOT)
    exit_ = account.leader_does("1", Side.SELL, 4)
    assert account.exit(exit_) == 0
    added = account.leader_does("2", Side.BUY, 2)
    assert account.entry(added).quantity == 2 * LOT


def test_the_ratio_stays_while_a_position_is_open() -> None:
    account = Account.sized("0.5")
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    account.policy = ratio_policy("2")
    second = account.leader_does("2", Side.BUY, 6)
    assert account.entry(second).quantity == 3 * LOT


def test_a_new_position_gets_a_new_ratio_even_if_it_is_first_seen_filled() -> None:
    account = Account.sized("0.5")
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    out = account.leader_does("2", Side.SELL, 2)
    account.fills(out, Part.EXIT, 0, account.exit(out))
    account.policy = ratio_policy("2")
    assert account.entry(account.leader_does("3", Side.BUY, 6)).quantity == 12 * LOT


def of_lots(lots: int, **limits: Any) -> Account:
    return Account.sized(SizingPolicy(Strategy.FIXED_LOTS, lots=lots, **limits))


def by_risk() -> Account:
    """Return a follower who may spend 10,000 rupees on an order, and has as much capital as the leader."""
    account = Account.sized(SizingPolicy(Strategy.RISK_BASED, risk_percent=Decimal(1)))
    account.capitals = Capitals(Decimal(1_000_000), Decimal(1_000_000))
    return account


@pytest.mark.parametrize("leaders", [(1, 10), (10, 1), (10,), (1, 1, 1)])
def test_each_entry_has_its_fixed_lots_whatever_the_leader_entered_before(leaders: tuple[int, ...]) -> None:
    account = of_lots(1)
    for number, lots in enumerate(leaders):
        order = account.leader_does(str(number), Side.BUY, lots, created_at=NOW + timedelta(seconds=5 * number))
        assert account.entry(order).quantity == LOT
        account.fills(order, Part.ENTRY, 0, LOT)
    assert account.held == len(leaders) * LOT


def test_each_entry_costs_no_more_than_the_risk_allows_whatever_was_entered_before() -> None:
    account = by_risk()
    sizes = []
    for number, (lots, price) in enumerate([(1, 20), (20, 100), (20, 20), (4, 200)]):
        order = account.leader_does(str(number), Side.BUY, lots, price=Decimal(price))
        size = account.entry(order)
        assert size.quantity * price <= 10_000
        sizes.append(size.quantity // LOT)
        account.fills(order, Part.ENTRY, 0, size.quantity)
    assert sizes == [1, 1, 7, 0]


def test_an_entry_is_sized_again_up_and_down_as_the_leader_changes_its_price() -> None:
    account, sizes = by_risk(), []
    for price in (50, 100, 200, 30):
        order = account.leader_does("1", Side.BUY, 4, filled=0, price=Decimal(price))
        sizes.append(account.entry(order).quantity // LOT)
    assert sizes == [3, 1, 0, 4]


def test_what_the_market_does_resizes_no_order_that_has_no_limit() -> None:
    account = by_risk()
    for last_price in (50, 100, 30):
        order = account.leader_does(
            "1", Side.BUY, 4, 0, order_type=OrderType.MARKET, price=Decimal(0), last_price=Decimal(last_price)
        )
        assert account.entry(order).quantity == 3 * LOT
    filled = account.leader_does("1", Side.BUY, 4, price=Decimal(0), average_price=Decimal(101))
    assert account.entry(filled).quantity == 3 * LOT


@pytest.mark.parametrize(("lots", "changed"), [(10, 1), (1, 10), (4, 3)])
def test_fixed_lots_stay_what_they_are_whatever_quantity_the_leader_makes_of_his_order(lots: int, changed: int) -> None:
    account = of_lots(2)
    assert account.entry(account.leader_does("1", Side.BUY, lots, filled=0)).quantity == 2 * LOT
    assert account.entry(account.leader_does("1", Side.BUY, changed, filled=0)).quantity == 2 * LOT


def test_an_order_that_crosses_zero_enters_its_fixed_lots_on_the_other_side() -> None:
    account = of_lots(2)
    entry = account.leader_does("1", Side.BUY, 5)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    crossing = account.leader_does("2", Side.SELL, 9)
    assert account.exit(crossing) == 2 * LOT
    assert account.entry(crossing).quantity == 2 * LOT
    assert account.entry(account.leader_does("3", Side.BUY, 4)).quantity == 0


def test_exits_bring_a_follower_down_in_proportion_to_all_that_each_entry_gave_him() -> None:
    """11 lots of the leader's are 4 of the follower's: 1 and 3 by two strategies of the same day."""
    account = of_lots(1)
    first = account.leader_does("1", Side.BUY, 1)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    account.policy = SizingPolicy(Strategy.FIXED_LOTS, lots=3)
    second = account.leader_does("2", Side.BUY, 10)
    account.fills(second, Part.ENTRY, 0, account.entry(second).quantity)
    sold = []
    for number, lots in enumerate(
        [1, 2, 2, 1, 4, 1]
    ):  # he comes to 10, 8, 6, 5, 1 and none: 3.6, 2.9, 2.2, 1.8, 0.4, 0
        out = account.leader_does(f"{10 + number}", Side.SELL, lots)
        share = account.exit(out)
        account.fills(out, Part.EXIT, 0, share)
        sold.append(share // LOT)
    assert sold == [1, 1, 0, 1, 1, 0]
    assert account.held == 0


def test_what_exits_leave_over_is_not_entered_but_kept_in_the_level() -> None:
    account = of_lots(1)
    for number in range(3):
        order = account.leader_does(str(number), Side.BUY, 2)
        account.fills(order, Part.ENTRY, 0, account.entry(order).quantity)
    out = account.leader_does("out", Side.SELL, 1)  # 2.5 lots belong
    account.fills(out, Part.EXIT, 0, account.exit(out))
    again = account.leader_does("again", Side.BUY, 1)
    assert account.entry(again).quantity == LOT
    account.fills(again, Part.ENTRY, 0, LOT)
    half = account.leader_does("half", Side.SELL, 3)  # 1.75 of 3.5
    account.fills(half, Part.EXIT, 0, account.exit(half))
    assert account.held == LOT
    rest = account.leader_does("rest", Side.SELL, 3)
    account.fills(rest, Part.EXIT, 0, account.exit(rest))
    assert account.held == 0


def test_fixed_lots_that_the_leader_has_left_again_are_forgone() -> None:
    account = of_lots(1)
    entry = account.leader_does("1", Side.BUY, 10)
    assert account.entry(entry).quantity == LOT
    account.leader_does("2", Side.SELL, 10)
    assert account.entry(entry).reason is Reason.LEADER_EXITED


def test_fixed_lots_of_an_order_that_ended_in_part_are_forgone_with_that_part() -> None:
    """All of it is told at once: the order was cut down, filled, and left again."""
    for end in ({"quantity": 4 * LOT, "status": Status.TRADED}, {"status": Status.CANCELLED}):
        account = of_lots(1)
        assert account.entry(account.leader_does("1", Side.BUY, 10, filled=0)).quantity == LOT
        ended = account.leader_does("1", Side.BUY, 10, filled=4)
        ended = replace(ended, **end)
        account.positions.leader_seen(ended, NOW)
        account.leader_does("2", Side.SELL, 4)
        assert account.entry(ended).reason is Reason.LEADER_EXITED


def slices(account: Account, *lots: int, apart: float = 0.0, **more: Any) -> list[int]:
    """Have the leader place orders of so many lots one after the other, and return what the follower enters of each."""
    entered = []
    for number, some in enumerate(lots):
        placed = NOW + timedelta(seconds=apart * number)
        order = account.leader_does(f"{account.held}-{number}", Side.BUY, some, created_at=placed, **more)
        size = account.entry(order)
        account.fills(order, Part.ENTRY, 0, size.quantity)
        entered.append(size.quantity // LOT)
    return entered


def test_the_slices_of_a_large_order_are_one_order_for_sizing() -> None:
    assert slices(of_lots(1), 27, 27, 6) == [1, 0, 0]
    assert slices(of_lots(1), 27, 27, 27, apart=0.4) == [1, 0, 0]
    assert slices(of_lots(1), 27, 6, order_type=OrderType.MARKET, price=Decimal(0)) == [1, 0]
    assert slices(of_lots(30, max_lots=20), 27, 27, 6) == [20, 0, 0]
    rich = by_risk()
    rich.capitals = Capitals(Decimal(20_000_000), Decimal(1_000_000))
    assert slices(rich, 27, 27, 6, price=Decimal(20)) == [1, 1, 1]


def test_what_are_no_slices_of_one_order_are_sized_each_by_itself() -> None:
    assert slices(of_lots(1), 27, 6, apart=2) == [1, 1], "they are too far apart"
    assert slices(of_lots(1), 27, 27, 27, 27, apart=0.6) == [1, 0, 1, 0], "they take too long"
    assert slices(of_lots(1), 26, 6) == [1, 1], "the first is not as large as it may be"
    assert slices(of_lots(1), 27, 6, 6) == [1, 0, 1], "only the last may be smaller"
    account = of_lots(1)
    assert slices(account, 27) + slices(account, 27, price=Decimal(99)) == [1, 1], "they have different prices"
    account = Account.sized("1")
    assert slices(account, 27, 6) == [27, 6], "a ratio is the same whatever the slices"


def test_the_next_slice_takes_the_place_of_one_that_was_rejected() -> None:
    account = of_lots(1)
    first = account.leader_does("1", Side.BUY, 27, filled=0)
    assert account.entry(first).quantity == LOT
    second = account.leader_does("2", Side.BUY, 27, filled=0)
    assert account.entry(second).reason is Reason.ZERO_LOTS
    rejected = account.leader_does("1", Side.BUY, 27, filled=0, status=Status.REJECTED)
    assert account.entry(rejected).quantity == 0
    assert account.entry(second).quantity == LOT


def test_a_slice_stays_one_although_the_leader_changes_it_and_the_follower_starts_again() -> None:
    account = of_lots(1)
    for number in (1, 2):
        account.entry(account.leader_does(str(number), Side.BUY, 27, filled=0))
    known = account.positions.ledger.everything()
    account.positions = Positions()
    account.positions.load(
        [one for one in known if isinstance(one, Line)], [one for one in known if isinstance(one, Allocation)]
    )
    account.positions.of("").read({}, NOW, NOW.date(), ())
    account.positions.holdings.read({}, NOW)
    first = account.leader_does("1", Side.BUY, 20, filled=0)
    second = account.leader_does("2", Side.BUY, 15, filled=0, price=Decimal(99))
    last = account.leader_does("3", Side.BUY, 6, filled=0)
    assert [account.entry(order).quantity for order in (first, second, last)] == [LOT, 0, LOT]


def test_what_was_squared_off_by_others_does_not_burden_the_next_position() -> None:
    account = Account.sized("1")
    first = account.leader_does("1", Side.BUY, 2)
    account.fills(first, Part.ENTRY, 0, account.entry(first).quantity)
    account.leader_does("2", Side.SELL, 2)
    account.positions.holdings.account.seen(
        an_order(id="square-off", side=Side.SELL, filled_quantity=2 * LOT), is_copy=False, at=NOW
    )
    assert account.entry(account.leader_does("3", Side.BUY, 3)).quantity == 3 * LOT
    assert account.held == 0


def written_down(lots: int) -> Positions:
    """Return what the database has of a half-size follower's position, with which tomorrow begins."""
    account = Account.sized("0.5")
    entry = account.leader_does("1", Side.BUY, lots)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    held = account.positions.ledger.everything()
    positions = Positions()
    positions.load([one for one in held if isinstance(one, Line)], [one for one in held if isinstance(one, Allocation)])
    return positions


def test_a_position_outlives_a_night() -> None:
    positions = written_down(4)
    assert positions.of("").read({LINE: 4 * LOT}, MORNING, TOMORROW, ()) == []
    positions.holdings.read({LINE: 2 * LOT}, MORNING)
    morning = Account(ratio_policy("0.5"), positions)
    assert morning.exit(morning.leader_does("2", Side.SELL, 2, days=1)) == LOT


def test_a_position_that_expired_in_the_night_is_gone() -> None:
    ((before, after, _),) = written_down(4).of("").read({}, MORNING, TOMORROW, ())
    assert (before.leader_position, after.leader_position, after.level) == (4 * LOT, 0, 0)


@pytest.mark.parametrize("leader_is_read_at", [0, 1, 7])
def test_what_expired_is_held_no_more_whichever_account_is_read_first(leader_is_read_at: int) -> None:
    positions, told = written_down(4), list[tuple[Line, Line]]()
    for second in (0, 3, 6, 9):
        at = MORNING + timedelta(seconds=second)
        positions.holdings.read({}, at)
        if second >= leader_is_read_at:
            positions.of("").read({}, at, TOMORROW, ())
        told += positions.confirm_own(at + timedelta(seconds=1))
    ((before, after),) = told
    assert (before.held, after.held, positions.ledger.line(LINE).held) == (2 * LOT, 0, 0)


def test_yesterdays_orders_are_in_todays_positions_already() -> None:
    """A follower that comes back after midnight is told of them again, by a feed that has been running since."""
    held = {LINE: 2 * LOT}
    positions = Positions()
    positions.holdings.account.seen(an_order(id="own", filled_quantity=2 * LOT), is_copy=True, at=NOW)
    positions.holdings.read(held, MORNING)
    positions.of("").read(held, MORNING, TOMORROW, ())
    positions.leader_seen(an_order(id="1", filled_quantity=2 * LOT), NOW)
    assert positions.ledger.line(LINE).leader_position == 2 * LOT
    exit_ = an_order(id="2", side=Side.SELL, quantity=2 * LOT, created_at=NOW + timedelta(days=1))
    positions.leader_seen(exit_, NOW)
    allocation = positions.ledger.allocation("2")
    assert allocation is not None
    assert allocation.role is Role.EXIT


@pytest.mark.parametrize("of_leader", [True, False])
def test_a_conversion_of_which_a_book_read_confirms_one_end_alone_waits_for_the_other(of_leader: bool) -> None:
    """Reads of the product that was left agree later than those of the other: it had a fill just before."""
    account, other = Account.sized("1"), LineKey(OPTION, Product.INTRADAY)
    entry = account.leader_does("1", Side.BUY, 4)
    account.entry(entry)
    account.fills(entry, Part.ENTRY, 0, 4 * LOT)
    positions = account.positions
    for second in (1.9, 4.0, 6.1):
        at = NOW + timedelta(seconds=second)
        positions.of("").read({other: 4 * LOT} if of_leader else {LINE: 4 * LOT}, at, NOW.date(), ())
        positions.holdings.read({LINE: 4 * LOT} if of_leader else {other: 4 * LOT}, at)
    confirm = positions.confirm_leader if of_leader else positions.confirm_own
    assert confirm(NOW + timedelta(seconds=5)) == []
    assert confirm(NOW + timedelta(seconds=7))
    if of_leader:
        assert (positions.ledger.line(LINE).leader_position, positions.ledger.line(other).leader_position) == (
            0,
            4 * LOT,
        )
    else:
        assert positions.ledger.line(LINE).held_in(Product.INTRADAY) == 4 * LOT
    assert positions.ledger.line(LINE).held == 0 if of_leader else 4 * LOT


def test_an_entry_that_fills_before_the_exit_of_the_other_side_is_no_excess_of_that_exit() -> None:
    account = Account.sized("1")
    short = account.leader_does("1", Side.SELL, 1)
    account.entry(short)
    account.fills(short, Part.ENTRY, 0, LOT)
    crossing = account.leader_does("2", Side.BUY, 2)
    more = account.leader_does("3", Side.BUY, 1)
    account.entry(more)
    account.fills(more, Part.ENTRY, 0, LOT)
    account.fills(crossing, Part.EXIT, 0, LOT)
    found = account.positions.ledger.allocation("2")
    assert found is not None
    assert (found.excess, account.held) == (0, LOT)
    account.fills(crossing, Part.EXIT, LOT, 2 * LOT)
    found = account.positions.ledger.allocation("2")
    assert found is not None
    assert found.excess == LOT


def test_an_exit_is_bounded_by_what_the_account_really_holds() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 4)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    account.positions.holdings.account.seen(
        an_order(id="by hand", side=Side.SELL, quantity=3 * LOT, filled_quantity=3 * LOT, status=Status.TRADED),
        is_copy=False,
        at=NOW,
    )
    assert account.exit(account.leader_does("2", Side.SELL, 4)) == LOT
    assert account.positions.ledger.line(LINE).lost == 3 * LOT


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
    allocation = account.positions.ledger.allocation("stop")
    assert allocation is not None
    assert allocation.excess == 2 * LOT
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
    positions.of("").read({}, NOW, NOW.date(), ())
    positions.holdings.read({}, NOW)
    position = 0
    for number, (side, lots) in enumerate(orders):
        quantity = lots * lot
        order = an_order(id=str(number), side=side, quantity=quantity, filled_quantity=quantity, status=Status.TRADED)
        positions.leader_seen(order, NOW)
        allocation = positions.ledger.allocation(order.id)
        assert allocation is not None
        if allocation.exit_of(quantity):
            working = [Working(order.id, side, False, 0, True, 0, False)]
            share = taken(positions, order, working)
            positions.holdings.account.seen(
                an_order(id=f"x{number}", side=side, filled_quantity=share), is_copy=True, at=NOW
            )
            positions.copy_filled(order.id, Part.EXIT, 0, share)
        if allocation.entry_of(quantity):
            found = positions.sizes.size(order, instrument, ratio_policy(ratio), Capitals(), is_opening=True)
            assert found is not None
            positions.holdings.account.seen(
                an_order(id=f"e{number}", side=side, filled_quantity=found[0].quantity), is_copy=True, at=NOW
            )
            positions.copy_filled(order.id, Part.ENTRY, 0, found[0].quantity)
        position += side.sign * quantity
        held = positions.ledger.line(LINE).held
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


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([SizingPolicy(Strategy.FIXED_LOTS, lots=lots) for lots in (1, 3)]),
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 12)), min_size=1, max_size=14),
)
def test_a_follower_holds_the_whole_lots_of_what_his_entries_and_the_leaders_exits_come_to_exactly(
    policy: SizingPolicy, orders: list[tuple[Side, int]]
) -> None:
    """Every entry adds its size, every exit leaves the same part of all of it as of the leader's position."""
    account = Account.sized(policy)
    position, exact = 0, Fraction(0)
    for number, (side, lots) in enumerate(orders):
        order = account.leader_does(str(number), side, lots, created_at=NOW + timedelta(seconds=5 * number))
        quantity = lots * side.sign
        leaves = min(lots, max(0, -position * side.sign))
        if leaves:
            account.fills(order, Part.EXIT, 0, account.exit(order))
            exact *= Fraction(abs(position) - leaves, abs(position))
        if lots > leaves:
            size = account.entry(order).quantity
            assert size == policy.lots * LOT
            account.fills(order, Part.ENTRY, 0, size)
            exact += size * side.sign
        position += quantity
        assert abs(account.held) == int(abs(exact) // LOT) * LOT
        assert account.held * position >= 0
        assert position or not account.held


def test_a_fill_that_the_first_read_showed_before_its_order_is_counted_once() -> None:
    """The leader has bought and sold; the positions have both fills, the orders until now the first one alone."""
    positions = Positions()
    bought = an_order(id="1", quantity=4 * LOT, filled_quantity=4 * LOT, status=Status.TRADED)
    long_ago, now = NOW - timedelta(seconds=20), NOW + timedelta(seconds=1)
    positions.of("").read({LINE: 0}, now, NOW.date(), [(bought, long_ago)])
    positions.leader_seen(bought, long_ago)
    assert positions.ledger.line(LINE).leader_position == 0
    sold = an_order(id="2", side=Side.SELL, quantity=4 * LOT, filled_quantity=4 * LOT, status=Status.TRADED)
    positions.leader_seen(sold, now + timedelta(seconds=0.1), now)
    assert positions.ledger.line(LINE).leader_position == 0


def test_a_fill_beside_the_first_read_leaves_open_what_was_there_before_until_another_read() -> None:
    """The leader was short before, and adds to it in the second of the first read."""
    positions = Positions()
    positions.of("").read({LINE: -LOT}, NOW, NOW.date(), ())
    sold = an_order(id="1", side=Side.SELL, quantity=LOT, filled_quantity=LOT, status=Status.TRADED)
    positions.leader_seen(sold, NOW + timedelta(seconds=0.9), NOW)
    assert positions.of("").may_be_exit(LINE, Side.BUY), "what he had may have been there before"
    positions.of("").read({LINE: -2 * LOT}, NOW + timedelta(seconds=3), NOW.date(), ())
    assert positions.of("").may_be_exit(LINE, Side.BUY)
    positions.of("").read({LINE: -2 * LOT}, NOW + timedelta(seconds=6), NOW.date(), ())
    positions.of("").confirm(NOW + timedelta(seconds=7), ())
    assert positions.ledger.line(LINE).leader_position == -2 * LOT


def test_a_first_read_that_recent_fills_explain_leaves_open_what_was_there_before_until_another_read() -> None:
    """The leader has left what he bought unseen; the first read lacks that sale, or there was something to leave."""
    sold = an_order(id="1", side=Side.SELL, quantity=LOT, filled_quantity=LOT, status=Status.TRADED)
    for position, had_it in ((0, True), (-LOT, False)):
        positions = Positions()
        positions.of("").read({}, NOW + timedelta(seconds=1), NOW.date(), [(sold, NOW)])
        positions.leader_seen(sold, NOW)
        assert positions.of("").may_be_exit(LINE, Side.SELL)
        assert positions.of("").reads.needs_another()
        for after in (4, 7):
            positions.of("").read({LINE: position}, NOW + timedelta(seconds=after), NOW.date(), ())
            assert positions.of("").may_be_exit(LINE, Side.SELL) is had_it
        positions.of("").confirm(NOW + timedelta(seconds=8), ())
        assert positions.ledger.line(LINE).leader_position == position


def test_a_ledger_that_was_loaded_is_not_believed_where_recent_fills_explain_that_the_first_read_differs() -> None:
    """Before the restart the leader was taken to have gone short; he only left what nobody had counted."""
    before = Positions()
    before.of("").read({}, NOW - timedelta(minutes=1), NOW.date(), ())
    sold = an_order(id="1", side=Side.SELL, quantity=LOT, filled_quantity=LOT, status=Status.TRADED)
    before.leader_seen(sold, NOW)
    again, written = Positions(), before.ledger.everything()
    allocations = [one for one in written if isinstance(one, Allocation)]
    again.load([one for one in written if isinstance(one, Line)], allocations, NOW.date())
    again.leader_seen(sold, NOW)
    again.of("").read({}, NOW + timedelta(seconds=2), NOW.date(), ())
    assert again.of("").may_be_exit(LINE, Side.SELL)


def test_a_leader_who_trades_on_and_on_is_entered_after_the_read_that_follows_the_first() -> None:
    positions = Positions()
    for second, lots in ((1, 2), (2, 3), (4, 5)):
        orders = [
            (an_order(id=str(n), quantity=LOT, filled_quantity=LOT, status=Status.TRADED), NOW + timedelta(seconds=n))
            for n in range(lots)
        ]
        lacking = {LINE: (lots - 1) * LOT}
        positions.of("").read(lacking, NOW + timedelta(seconds=second), NOW.date(), orders)
        assert positions.of("").may_be_exit(LINE, Side.BUY) is (second < 4)


def test_a_fill_that_the_first_read_has_is_known_to_be_in_it_after_another_read() -> None:
    positions = Positions()
    positions.of("").read({LINE: -LOT}, NOW, NOW.date(), ())
    sold = an_order(id="1", side=Side.SELL, quantity=LOT, filled_quantity=LOT, status=Status.TRADED)
    positions.leader_seen(sold, NOW + timedelta(seconds=0.9), NOW)
    positions.of("").read({LINE: -LOT}, NOW + timedelta(seconds=3), NOW.date(), ())
    assert not positions.of("").may_be_exit(LINE, Side.BUY)
    assert positions.ledger.line(LINE).leader_position == -LOT


def test_what_the_leader_does_after_the_first_read_is_no_part_of_it() -> None:
    positions = Positions()
    positions.of("").read({LINE: 4 * LOT}, NOW, NOW.date(), ())
    later = NOW + timedelta(seconds=5)
    positions.leader_seen(an_order(id="1", quantity=LOT, filled_quantity=LOT, status=Status.TRADED), later, later)
    assert positions.ledger.line(LINE).leader_position == 5 * LOT


def test_what_was_written_off_before_a_restart_is_not_written_off_again() -> None:
    account = Account.sized("1")
    entry = account.leader_does("1", Side.BUY, 4)
    account.fills(entry, Part.ENTRY, 0, account.entry(entry).quantity)
    by_hand = an_order(id="by hand", side=Side.SELL, quantity=LOT, filled_quantity=LOT, status=Status.TRADED)
    account.positions.holdings.account.seen(by_hand, is_copy=False, at=NOW)
    assert account.positions.holdings.reconciled(LINE).held == 3 * LOT

    written = account.positions.ledger.everything()
    again = Positions()
    lines = [one for one in written if isinstance(one, Line)]
    again.load(lines, [one for one in written if isinstance(one, Allocation)], NOW.date())
    own = an_order(id="own-1-entry", quantity=4 * LOT, filled_quantity=4 * LOT, status=Status.TRADED)
    again.holdings.account.seen(own, is_copy=True, at=NOW)
    again.holdings.account.seen(by_hand, is_copy=False, at=NOW)
    assert again.holdings.reconciled(LINE).held == 3 * LOT
    again.holdings.read({LINE: 3 * LOT}, NOW + timedelta(minutes=1))
    assert again.holdings.reconciled(LINE).held == 3 * LOT


def test_what_orders_with_ids_of_ours_filled_is_not_his_on_the_next_day_either() -> None:
    positions = Positions()
    positions.of("").read({}, NOW - timedelta(hours=1), NOW.date(), ())
    bought = an_order(id="1", quantity=2 * LOT, filled_quantity=2 * LOT, status=Status.TRADED)
    positions.leader_seen(bought, NOW)
    for number, lots in (("2", 1), ("3", 3)):
        ours = replace(bought, id=number, quantity=lots * LOT, filled_quantity=lots * LOT, correlation_id="ct-9-1")
        for _ in range(2):  # it is told of again and again
            positions.leader_seen(ours, NOW)
    assert (positions.ledger.line(LINE).leader_position, positions.ledger.line(LINE).leader_net) == (2 * LOT, 6 * LOT)
    after = Positions()
    after.load([positions.ledger.line(LINE)], [], TOMORROW)
    assert after.of("").read({LINE: 6 * LOT}, MORNING, TOMORROW, ()) == []
    assert after.ledger.line(LINE).leader_position == 2 * LOT
    assert len(after.ledger.line(LINE).not_his) == 1


def test_a_leg_that_is_beside_takes_from_nobody_elses_position_until_nothing_is_left() -> None:
    alice = Account.sized("1")
    alice.leader_does("1", Side.BUY, 4)
    alice.positions.sizes.size(
        an_order(id="1", quantity=4 * LOT), INSTRUMENT, alice.policy, NO_CAPITALS, is_opening=True
    )
    alice.positions.copy_filled("1", Part.ENTRY, 0, 4 * LOT)
    alice.leader_does("2", Side.BUY, 2)
    leg = an_order(id="3", side=Side.SELL, quantity=2 * LOT, filled_quantity=2 * LOT, status=Status.TRADED)
    alice.positions.leader_seen(leg, NOW, is_beside=True)
    line = alice.positions.ledger.line(LINE)
    assert (line.leader_position, line.level) == (4 * LOT, 4 * LOT)
    last = replace(leg, id="4", quantity=4 * LOT, filled_quantity=4 * LOT)
    alice.positions.leader_seen(last, NOW, is_beside=True)
    line = alice.positions.ledger.line(LINE)
    assert (line.leader_position, line.level) == (0, 0)


def test_an_entry_that_fills_before_the_leader_has_crossed_zero_stays_when_he_does() -> None:
    """His exit fills in pieces: what they bring down is the side that he leaves, and not what was entered ahead."""
    account = Account.sized("1")
    short = account.leader_does("1", Side.SELL, 3)
    account.entry(short)
    account.fills(short, Part.ENTRY, 0, 3 * LOT)
    crosses = account.leader_does("2", Side.BUY, 8, 0)
    account.entry(crosses)
    account.fills(crosses, Part.EXIT, 0, 3 * LOT)
    account.fills(crosses, Part.ENTRY, 0, 5 * LOT)
    for filled in range(1, 9):
        account.leader_does("2", Side.BUY, 8, filled)
    line = account.positions.ledger.line(LINE)
    assert (line.leader_position, line.held, line.level) == (5 * LOT, 5 * LOT, 5 * LOT)


def test_what_was_entered_ahead_by_an_order_that_died_is_left_with_his_next_exit() -> None:
    account = Account.sized("1")
    short = account.leader_does("1", Side.SELL, 3)
    account.entry(short)
    account.fills(short, Part.ENTRY, 0, 3 * LOT)
    crosses = account.leader_does("2", Side.BUY, 8, 0)
    account.entry(crosses)
    account.fills(crosses, Part.ENTRY, 0, 5 * LOT)
    assert account.positions.ledger.line(LINE).ahead == 5 * LOT
    account.positions.leader_seen(replace(crosses, status=Status.CANCELLED), NOW)
    account.leader_does("3", Side.BUY, 3)
    line = account.positions.ledger.line(LINE)
    assert (line.leader_position, line.held, line.level, line.ahead) == (0, 2 * LOT, 0, 0)


def test_of_what_was_left_in_the_account_nothing_comes_back_when_the_leader_crosses_zero() -> None:
    account = Account.sized("1")
    crosses = account.leader_does("2", Side.BUY, 8, 0)
    short = account.leader_does("1", Side.SELL, 3)
    account.entry(short)
    account.fills(short, Part.ENTRY, 0, 3 * LOT)
    account.entry(crosses)
    account.fills(crosses, Part.EXIT, 0, 3 * LOT)
    account.fills(crosses, Part.ENTRY, 0, 5 * LOT)
    line = left_alone(account.positions.ledger.line(LINE))
    assert (line.due(1), line.due(-1), line.left) == (0, 0, 5 * LOT)
    account.positions.ledger.keep(line)
    account.leader_does("2", Side.BUY, 8)
    assert account.positions.ledger.line(LINE).due(1) == 0, "an exit of his would leave so much of what is entered next"


def test_what_the_leader_has_left_of_an_entry_is_not_due_once_it_has_another_size() -> None:
    """Two lots for six of the leader's, less than one for the one he has got and left; then two for that one alone."""
    third = Ratio(Fraction(1, 3), "two lots for six")
    terms: dict[str, Any] = {"trade_date": NOW.date(), "created_at": NOW, "line": LINE, "role": Role.ENTRY, "base": 0}
    filled = {"leader_quantity": 455, "leader_filled": 130, "leader_exited": 65}
    entry = Allocation("1", side=Side.SELL, ratio=third, wanted=130, sized_alone=True, **filled, **terms)
    exit_ = Allocation("2", side=Side.BUY, reach=65, **terms)
    line, changed = leader_filled(Line(LINE, leader_position=-65, lot_size=65), exit_, 65, [entry])
    entry = replace(next(one for one in changed if one.leader_order_id == "1"), reach=325)  # the rest of it is an exit
    order = an_order(side=Side.SELL, quantity=455)
    _, entry = sized_alone(line, entry, order, Size(130, "two lots"), Decimal(100), 65)
    assert (entry.wanted, entry.due) == (130, 0)
