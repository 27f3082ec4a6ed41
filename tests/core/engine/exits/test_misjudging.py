"""An entry of the leader's of which nothing was heard, and its exit, which was taken for an entry."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from copytrade.core.engine.engine import Changed
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, OrderType, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.engine.closing_account import Account
from tests.core.engine.policies import LOT
from tests.core.orders import NOW, an_order

Q = 2 * LOT


def order(number: int, side: Side, quantity: int, filled: int, at: float = 0.0, **changes: Any) -> Order:
    """Make a leader order placed ``at`` so many seconds from now, and filled then as far as it is."""
    status = Status.TRADED if filled == quantity else Status.PART_TRADED if filled else Status.PENDING
    when = NOW + timedelta(seconds=at)
    price = Decimal(100) if filled else Decimal(0)
    return an_order(
        id=str(number),
        side=side,
        quantity=quantity,
        filled_quantity=filled,
        status=status,
        average_price=price,
        created_at=when,
        updated_at=when,
        **changes,
    )


def buy(number: int, quantity: int, filled: int, at: float = 0.0, **changes: Any) -> Order:
    return order(number, Side.BUY, quantity, filled, at, **changes)


def sell(number: int, quantity: int, filled: int, at: float = 0.0, **changes: Any) -> Order:
    return order(number, Side.SELL, quantity, filled, at, **changes)


def account(*, too_late: bool = False) -> Account:
    """Return one at ratio 1, for which every entry that is found comes too late if so said."""
    account = Account()
    if too_late:
        context = account.engine.context
        context.of("").policy = replace(context.of("").policy, late_after=0.0, max_missed_age=0.0)
    return account


def fill_all(account: Account) -> None:
    """Fill whatever rests, and what that leads to."""
    while account.live():
        for resting in account.live():
            account.fills(resting)
        account.goes_on()


def misjudged(account: Account) -> list[str]:
    """Return the leader orders whose copies are recorded as misjudged."""
    return [copy.leader_order_id for copy, _ in account.engine.everything() if copy.reason is Reason.MISJUDGED]


@pytest.mark.parametrize("too_late", [False, True], ids=["in time", "too late to enter"])
@pytest.mark.parametrize("bought", [Q, 2 * Q], ids=["all of it left", "half of it left"])
@pytest.mark.parametrize("got", [0, LOT, Q], ids=["nothing filled", "a part filled", "all filled"])
def test_what_the_exit_entered_is_closed_when_the_entry_is_found(too_late: bool, bought: int, got: int) -> None:
    alice = account(too_late=too_late)
    alice.leader(sell(2, Q, Q))
    if got:
        alice.fills(alice.live()[0], got)
        alice.goes_on()
    assert alice.net() == -got
    alice.sent.clear()
    alice.leader(buy(1, bought, bought, -10.0 if too_late else 0.0))
    assert misjudged(alice) == ["2"]
    assert all(resting.side is Side.BUY for resting in alice.live()), "what was live of it is cancelled"
    if got:
        closing = next(action for _, action in alice.sent if getattr(action, "part", None) is Part.EXIT)
        assert closing.desired.order_type is OrderType.MARKET  # type: ignore[union-attr]
    fill_all(alice)
    assert alice.net() == (0 if too_late else bought - Q)


@pytest.mark.parametrize("too_late", [False, True], ids=["in time", "too late to enter"])
def test_an_exit_that_rests_is_one_from_then_on(too_late: bool) -> None:
    alice = account(too_late=too_late)
    alice.leader(sell(2, Q, 0))
    alice.leader(buy(1, Q, Q, -10.0))
    assert misjudged(alice) == ["2"]
    fill_all(alice)
    alice.leader(sell(2, Q, Q))
    fill_all(alice)
    assert alice.net() == 0


def test_an_entry_that_was_seen_resting_and_whose_fill_was_lost_is_one_too() -> None:
    alice = account()
    alice.leader(buy(1, Q, 0, -20.0))
    alice.leader(sell(2, Q, Q))
    alice.fills(alice.live()[-1])
    alice.goes_on()
    assert alice.net() == -Q
    alice.leader(replace(buy(1, Q, Q, -20.0), updated_at=NOW - timedelta(seconds=10)))
    assert misjudged(alice) == ["2"]
    fill_all(alice)
    assert alice.net() == 0


def test_two_exits_of_one_entry_are_both_taken_back() -> None:
    alice = account()
    alice.leader(sell(2, Q, Q))
    alice.leader(sell(3, Q, Q))
    fill_all(alice)
    alice.leader(buy(1, 2 * Q, 2 * Q, -10.0))
    assert misjudged(alice) == ["2", "3"]
    fill_all(alice)
    assert alice.net() == 0


NOT_MISJUDGED = {
    "an exit that is found": [buy(1, Q, Q, -20.0), sell(2, Q, Q, -10.0)],
    "an exit of a short": [sell(1, Q, Q), buy(2, Q, Q)],
    "an entry on the same side": [sell(2, Q, Q), sell(1, Q, Q, -10.0)],
    "too small to change what the other was": [sell(1, 2 * Q, 2 * Q, -20.0), sell(3, Q, Q), buy(2, LOT, LOT, -10.0)],
    "filled after the other was placed": [sell(2, Q, Q, -10.0), buy(1, Q, Q)],
    "of another product": [sell(2, Q, Q), replace(buy(1, Q, Q, -10.0), product="INTRADAY")],
}


@pytest.mark.parametrize("history", NOT_MISJUDGED.values(), ids=NOT_MISJUDGED.keys())
def test_what_was_judged_rightly_is_left_alone(history: list[Order]) -> None:
    alice = account()
    for leader in history:
        alice.leader(leader)
        fill_all(alice)
    assert misjudged(alice) == []


def test_it_is_recorded_once() -> None:
    alice = account()
    alice.leader(sell(2, Q, Q))
    changed: list[Changed] = []
    for _ in range(2):
        changed += alice.engine.leader_changed(buy(1, Q, Q, -10.0), None)
    assert [one.after.reason for one in changed] == [Reason.MISJUDGED]
