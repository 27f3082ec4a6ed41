"""The leader converts a position and leaves it in the new product before his conversion is known."""

from datetime import timedelta
from decimal import Decimal

import pytest

from copytrade.core.decide.decisions import Place
from copytrade.core.model.ledger import LineKey, Part
from copytrade.core.model.orders import IST, Product, Side, Status
from tests.core.account import LINE, Account
from tests.core.orders import OPTION

INTRADAY = LineKey(OPTION, Product.INTRADAY)


def trades(account: Account, order_id: str, side: Side, product: Product, quantity: int) -> None:
    account.now += timedelta(seconds=1)
    terms = {"id": order_id, "side": side, "product": product, "quantity": quantity, "created_at": account.now}
    account.leader(**terms)
    account.leader(**terms, status=Status.TRADED, filled_quantity=quantity, average_price=Decimal(100))


def fill_all(account: Account) -> None:
    for order in [order for order in account.orders.values() if not order.is_terminal]:
        account.fills(order.id, order.quantity)


def is_read(account: Account, net: dict[LineKey, int]) -> None:
    account.engine.leader_positions_read(net, account.now, account.now.astimezone(IST).date())
    account.goes_on()


@pytest.mark.parametrize("is_seen_before", [True, False])
@pytest.mark.parametrize(("sold", "held"), [(260, 0), (130, 65)])
def test_what_he_sold_in_the_new_product_is_left_once_his_conversion_is_known(
    is_seen_before: bool, sold: int, held: int
) -> None:
    account = Account(lambda _: "accepted")
    trades(account, "1", Side.BUY, Product.INTRADAY, 260)
    fill_all(account)
    account.passes(10)
    if is_seen_before:
        is_read(account, {LINE: 260, INTRADAY: 0})
        account.passes(10)
    trades(account, "2", Side.SELL, Product.MARGIN, sold)
    fill_all(account)
    for _ in range(2):
        account.passes(10)
        is_read(account, {LINE: 260 - sold, INTRADAY: 0})
    account.passes(5)
    assert account.engine.leader_book_read(account.now)
    account.goes_on()
    for _ in range(3):
        fill_all(account)
        account.passes(10)
    ledger = account.engine.positions.ledger
    assert ledger.line(INTRADAY).held + ledger.line(LINE).held == held
    sent = [action for _, _, action in account.sent if isinstance(action, Place)]
    if is_seen_before:
        assert [action.part for action in sent] == [Part.ENTRY, Part.EXIT]
