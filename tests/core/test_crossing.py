"""An order that crosses zero is an exit and an entry, each with its own end."""

from datetime import timedelta
from decimal import Decimal

from copytrade.core.decide.decisions import Place
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.account import Account


def test_an_entry_that_crossed_zero_while_entries_were_off_is_final_and_on_record() -> None:
    """Its exit was copied; what happens to the line later is not to bring back an entry that the leader has left."""
    account = Account(lambda _: "accepted")

    def trades(order_id: str, side: Side, lots: int) -> None:
        account.now += timedelta(seconds=1)
        terms = {"id": order_id, "side": side, "quantity": 65 * lots, "created_at": account.now, "price": Decimal(100)}
        account.leader(**terms)
        for order in [order for order in account.orders.values() if not order.is_terminal]:
            account.fills(order.id, order.quantity)
        account.leader(**terms, status=Status.TRADED, filled_quantity=65 * lots, average_price=Decimal(100))

    trades("1", Side.SELL, 2)
    account.desk.switch_entries(enabled=False)
    trades("2", Side.BUY, 4)
    assert account.copy("2").part is Part.EXIT
    assert account.copy("2", 0).reason is Reason.COPYING_DISABLED
    trades("3", Side.SELL, 2)
    account.desk.switch_entries(enabled=True)
    account.passes(100)
    assert [leader for _, leader, action in account.sent if isinstance(action, Place)] == ["1", "2"]
