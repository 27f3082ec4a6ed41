"""An order of ours that was over turns out to have filled, and the leader has left since."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side, Status
from tests.core.account import LINE, Account
from tests.core.orders import an_order

LOT = 65


def trades(account: Account, order_id: str, side: Side, lots: int) -> None:
    """Let the leader trade twice so many lots: the follower's ratio is a half."""
    account.now += timedelta(seconds=1)
    terms = {"id": order_id, "side": side, "quantity": 2 * LOT * lots, "created_at": account.now, "price": Decimal(100)}
    account.leader(**terms)
    account.leader(**terms, status=Status.TRADED, filled_quantity=2 * LOT * lots, average_price=Decimal(100))


def fill_whatever_is_live(account: Account) -> None:
    for _ in range(3):
        for order in [order for order in account.orders.values() if not order.is_terminal]:
            account.fills(order.id, order.quantity)
        account.passes(2)


@pytest.mark.parametrize(("leaves", "stays"), [(4, 0), (2, 2), (1, 3)])
def test_what_fills_late_of_an_entry_stays_as_far_as_the_leader_still_holds(leaves: int, stays: int) -> None:
    account = Account(lambda _: "accepted")
    trades(account, "1", Side.BUY, 4)
    first = account.orders[account.copy("1").order_id]
    account.shows(replace(first, status=Status.CANCELLED))
    account.goes_on()
    trades(account, "2", Side.SELL, leaves)
    account.passes(10)
    account.net = 4 * LOT
    account.fills(first.id, 4 * LOT)
    fill_whatever_is_live(account)
    line = account.engine.positions.ledger.line(LINE)
    assert (line.held, line.level) == (stays * LOT, stays * LOT)
    exits = [action for _, _, action in account.sent if isinstance(action, Place) and action.part is Part.EXIT]
    assert sum(exit_.desired.quantity for exit_ in exits) == (4 - stays) * LOT


def test_what_fills_late_stays_where_the_leader_has_not_left() -> None:
    account = Account(lambda _: "accepted")
    trades(account, "1", Side.BUY, 4)
    first = account.orders[account.copy("1").order_id]
    account.shows(replace(first, status=Status.CANCELLED))
    account.passes(10)
    account.fills(first.id, 4 * LOT)
    fill_whatever_is_live(account)
    line = account.engine.positions.ledger.line(LINE)
    assert (line.held, line.level) == (4 * LOT, 4 * LOT)


def test_what_fills_late_on_the_other_side_is_left() -> None:
    """The leader is short by now. The account nets: the fill has closed the short, and only the rest can be left."""
    account = Account(lambda _: "accepted")
    trades(account, "1", Side.BUY, 4)
    first = account.orders[account.copy("1").order_id]
    account.shows(replace(first, status=Status.CANCELLED))
    trades(account, "2", Side.SELL, 6)
    fill_whatever_is_live(account)
    account.fills(first.id, 4 * LOT)
    fill_whatever_is_live(account)
    assert account.engine.positions.ledger.line(LINE).held == 0
    trades(account, "3", Side.BUY, 2)
    fill_whatever_is_live(account)
    assert account.engine.positions.ledger.line(LINE).held == 0


def test_an_exit_that_the_brokers_clock_puts_before_a_read_is_not_late() -> None:
    """The broker's clock has been set back: a fill of now seems older than the last read of the positions."""
    account = Account(lambda _: "accepted")
    trades(account, "1", Side.BUY, 4)
    fill_whatever_is_live(account)
    by_hand = an_order(id="H1", side=Side.SELL, quantity=LOT, status=Status.TRADED, filled_quantity=LOT)
    account.shows(replace(by_hand, correlation_id="", average_price=Decimal(100)))
    account.passes(5)
    account.engine.own_positions_read({LINE: 3 * LOT}, account.now)
    account.passes(1)
    trades(account, "2", Side.SELL, 4)
    (exit_,) = [order for order in account.orders.values() if not order.is_terminal]
    past = account.now - timedelta(seconds=30)
    account.shows(replace(exit_, created_at=past, updated_at=past, exchange_at=past))
    account.fills(exit_.id, exit_.quantity)
    fill_whatever_is_live(account)
    exits = [action for _, _, action in account.sent if isinstance(action, Place) and action.part is Part.EXIT]
    assert sum(one.desired.quantity for one in exits) == 3 * LOT
