"""An order that crosses zero is an exit and an entry, each with its own end."""

from datetime import timedelta
from decimal import Decimal

from copytrade.core.decide.decisions import Place
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.account import LINE, Account


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
    account.engine.switch_entries(enabled=False)
    trades("2", Side.BUY, 4)
    assert account.copy("2").part is Part.EXIT
    assert account.copy("2", 0).reason is Reason.COPYING_DISABLED
    trades("3", Side.SELL, 2)
    account.engine.switch_entries(enabled=True)
    account.passes(100)
    assert [leader for _, leader, action in account.sent if isinstance(action, Place)] == ["1", "2"]


def test_an_entry_waits_for_the_exits_of_what_is_held_against_it() -> None:
    """It would fill out of what they are to leave, and they would find nothing to leave."""
    account = Account(lambda action: "not sent" if is_exit(action) and account.elapsed < 10 else "accepted")

    def trades(order_id: str, side: Side, lots: int) -> None:
        account.now += timedelta(seconds=0.1)
        terms = {"id": order_id, "side": side, "quantity": 65 * lots, "created_at": account.now, "price": Decimal(100)}
        account.leader(**terms)
        account.leader(**terms, status=Status.TRADED, filled_quantity=65 * lots, average_price=Decimal(100))

    def fill_all() -> None:
        for order in [order for order in account.orders.values() if not order.is_terminal]:
            account.fills(order.id, order.quantity)

    trades("1", Side.SELL, 2)
    fill_all()
    trades("2", Side.BUY, 4)
    trades("3", Side.BUY, 2)
    assert sides(account, "3") == []
    assert account.copy("3", 0).reason is Reason.EXIT_FIRST
    account.passes(60)
    fill_all()
    account.passes(60)
    fill_all()
    assert [sides(account, order_id) for order_id in ("2", "3")] == [[Part.EXIT, Part.ENTRY], [Part.ENTRY]]
    assert account.engine.positions.ledger.line(LINE).held == 2 * 65


def is_exit(action: object) -> bool:
    return isinstance(action, Place) and action.part is Part.EXIT


def sides(account: Account, order_id: str) -> list[Part]:
    """Return what was placed for an order and taken."""
    return [one.part for one in account.engine.copies.of(order_id) if one.order_id]


def test_an_entry_waits_while_it_is_not_known_whether_the_exit_of_what_is_held_was_taken() -> None:
    """The exit may have to be sent again: an entry that had filled by then would have left nothing for it to take."""
    outcomes = {"answer": "no answer"}
    account = Account(lambda action: outcomes["answer"] if is_exit(action) else "accepted")

    def trades(order_id: str, side: Side, lots: int) -> None:
        account.now += timedelta(seconds=0.1)
        terms = {"id": order_id, "side": side, "quantity": 65 * lots, "created_at": account.now, "price": Decimal(100)}
        account.leader(**terms)
        account.leader(**terms, status=Status.TRADED, filled_quantity=65 * lots, average_price=Decimal(100))

    def fill_all() -> None:
        for order in [order for order in account.orders.values() if not order.is_terminal]:
            account.fills(order.id, order.quantity)

    trades("1", Side.SELL, 2)
    fill_all()
    trades("2", Side.BUY, 4)
    trades("3", Side.BUY, 2)
    assert account.copy("3", 0).reason is Reason.EXIT_FIRST
    outcomes["answer"] = "accepted"
    for _ in range(6):
        account.passes(20)
        fill_all()
    assert account.engine.positions.ledger.line(LINE).held == 2 * 65
    assert account.engine.positions.ledger.line(LINE).level == 2 * 65
