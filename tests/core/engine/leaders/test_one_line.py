"""Two leaders in one instrument: each has a line of his own, and the account nets them."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Mode, Place
from copytrade.core.ledger.sizing import SizingPolicy, Strategy
from copytrade.core.model.copies import Stage
from copytrade.core.model.orders import OrderType, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.engine.leaders.two_leaders import ACCOUNT, LOT, POLICY, Account, line_of

BUY, SELL = Side.BUY, Side.SELL


def test_a_leader_who_is_flat_leaves_the_copies_of_him_flat_and_touches_no_others() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 4)
    account.trades("dev", BUY, 2)
    assert (account.held("asha"), account.held("dev"), account.net()) == (4 * LOT, 2 * LOT, 6 * LOT)

    account.trades("asha", SELL, 4)

    assert (account.held("asha"), account.held("dev"), account.net()) == (0, 2 * LOT, 2 * LOT)


def test_opposite_wishes_are_both_honoured_and_an_exit_takes_the_net_past_zero() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 4)
    account.trades("dev", SELL, 3)
    assert (account.held("asha"), account.held("dev"), account.net()) == (4 * LOT, -3 * LOT, LOT)

    account.trades("asha", SELL, 4)

    assert (account.held("asha"), account.held("dev"), account.net()) == (0, -3 * LOT, -3 * LOT)
    account.trades("dev", BUY, 3)
    assert (account.held("dev"), account.net()) == (0, 0)
    assert all(copy.reason is None for copy, _ in account.engine.everything())


@pytest.mark.parametrize("is_read", [False, True])
@pytest.mark.parametrize(("first", "second"), [("asha", "dev"), ("dev", "asha")])
def test_what_other_hands_close_is_taken_from_the_line_of_that_side_that_was_opened_first(
    first: str, second: str, is_read: bool
) -> None:
    account = Account("asha", "dev", "emil")
    account.trades(first, BUY, 2)
    account.trades(second, BUY, 3)
    account.trades("emil", SELL, 1)

    account.trades_by_hand(-3 * LOT)
    if is_read:
        account.positions_are_read()
    for leader, lots in ((second, 3), (first, 2)):
        account.trades(leader, SELL, lots)

    exits = dict.fromkeys(account.leaders, 0)
    for order_id, action in account.sent:
        order = account.placed[order_id]
        if isinstance(action, Place) and order.side is SELL and order.leader != "emil":
            exits[order.leader] += action.desired.quantity
    assert (exits[first], exits[second]) == (0, 2 * LOT)
    assert account.engine.positions.ledger.line(line_of(first)).lost == 2 * LOT
    assert account.engine.positions.ledger.line(line_of(second)).lost == LOT
    reasons = [
        copy.reason for copy, order in account.engine.everything() if order.leader == first and order.side is SELL
    ]
    assert reasons == [Reason.EXTERNAL_CLOSE]
    assert account.held("emil") == -LOT
    account.trades("emil", BUY, 1)
    assert account.net() == 0


def test_what_other_hands_hold_on_a_side_takes_nothing_from_a_line_of_that_side() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 2)
    account.trades("dev", SELL, 2)
    account.trades_by_hand(-LOT)

    account.trades("dev", BUY, 2)
    assert account.held("dev") == 0, "an exit of a short line is not held back by hands that are short as well"
    account.trades("asha", SELL, 2)
    assert account.engine.positions.ledger.line(line_of("asha")).lost == LOT
    assert account.net() == 0


def test_the_number_that_says_which_line_is_older_outlives_a_restart_and_a_line_that_was_flat_is_the_youngest() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 1)
    account.trades("dev", BUY, 1)
    account.trades("asha", SELL, 1)
    account.trades("asha", BUY, 1)
    account = account.restarted()

    account.trades_by_hand(-LOT)
    account.trades("asha", SELL, 1)
    account.trades("dev", SELL, 1)

    lost = {leader: account.engine.positions.ledger.line(line_of(leader)).lost for leader in ("asha", "dev")}
    assert lost == {"asha": 0, "dev": LOT}
    assert account.net() == 0


def test_a_closed_gate_holds_back_entries_of_its_leader_alone_and_no_exit() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 2)
    account.engine.set_gate(is_open=False, leader="asha")

    account.trades("dev", BUY, 1)
    held_back = account.trades("asha", BUY, 1)
    account.trades("asha", SELL, 3)
    assert (account.held("asha"), account.held("dev")) == (0, LOT)
    assert not account.engine.copies.is_sent(held_back.id)


def test_each_leader_is_copied_by_his_own_policy_and_the_account_is_limited_once() -> None:
    twice = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(2)))
    account = Account("asha", "dev", policies={"dev": twice})
    account.trades("asha", BUY, 1)
    account.trades("dev", BUY, 1)
    assert (account.held("asha"), account.held("dev")) == (LOT, 2 * LOT)

    account.engine.switch_entries(enabled=False, pause="paused")
    account.trades("asha", BUY, 1)
    account.trades("dev", SELL, 1)
    assert (account.held("asha"), account.held("dev")) == (LOT, 0)
    account.engine.switch_entries(enabled=True)
    account.engine.change_policy(POLICY, {"dev": replace(twice, enabled=False)})
    account.trades("asha", BUY, 1)
    account.trades("dev", BUY, 1)
    assert (account.held("asha"), account.held("dev")) == (2 * LOT, 0)


def test_what_a_leader_has_by_copying_another_is_not_his_and_nothing_is_decided_about_it() -> None:
    account = Account("asha", "dev", follows=["dev"])
    copied = account.trades("dev", BUY, 3, correlation_id="ct-900-1")
    assert account.engine.copies.of(copied.id) == ()
    assert account.net() == 0

    own = account.trades("dev", SELL, 1)
    assert (account.held("dev"), account.net()) == (-LOT, -LOT), "it opens a short position of his own"
    account.trades("dev", BUY, 1)
    assert account.net() == 0
    account.engine.leader_positions_read({ACCOUNT: 3 * LOT}, account.moment, account.moment.date(), "dev")
    assert not account.engine.positions.of("dev").reads.suspected
    assert account.engine.orders.count_before(account.moment, "dev") == 2
    assert own.leader == "dev"


def test_closing_everything_closes_each_leaders_line() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 4)
    account.trades("dev", SELL, 1)
    resting = account.places("dev", SELL, 1, price=Decimal(120))
    account.engine.close_all()
    account.goes_on()
    account.goes_on()

    assert (account.held("asha"), account.held("dev"), account.net()) == (0, 0, 0)
    assert any(order_id == resting.id and isinstance(action, Cancel) for order_id, action in account.sent)
    closed = account.engine.take_closed(account.moment)
    assert closed is not None
    assert not closed.left
    leaders = {copy.leader for copy, _ in account.engine.everything() if copy.leader_order_id.startswith("flat")}
    assert leaders == {"asha", "dev"}


def test_an_exit_that_nothing_shows_is_judged_by_the_account_less_what_other_leaders_hold() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 2)
    account.trades("dev", SELL, 2)
    order = account.places("asha", SELL, 2, order_type=OrderType.LIMIT, price=Decimal(90))
    (exit_,) = [own for own in account.broker.values() if own.correlation_id == f"ct-{order.id}-1"]
    assert exit_.quantity == 2 * LOT
    assert account.engine.positions.holdings.of_other_leaders(line_of("asha")) == -2 * LOT
    account.copy_fills(exit_)
    assert account.net() == -2 * LOT
    account.fills(order)
    assert account.held("asha") == 0


def test_a_restart_goes_on_with_each_leaders_line() -> None:
    account = Account("asha", "dev")
    account.trades("asha", BUY, 4)
    account.trades("dev", SELL, 3)
    resting = account.places("dev", BUY, 3, price=Decimal(90))
    account = account.restarted()

    assert (account.held("asha"), account.held("dev")) == (4 * LOT, -3 * LOT)
    account.tells(replace(resting, status=Status.CANCELLED))
    account.trades("asha", SELL, 4)
    account.trades("dev", BUY, 3)
    assert account.net() == 0
    assert all(copy.stage is not Stage.UNKNOWN for copy, _ in account.engine.everything())


def test_one_leader_may_be_copied_by_his_fills_and_another_by_his_orders() -> None:
    account = Account("asha", "dev", policies={"dev": replace(POLICY, mode=Mode.FILLS)})
    mirrored = account.places("asha", BUY, 2, price=Decimal(90))
    followed = account.places("dev", BUY, 2, price=Decimal(90))
    assert [order_id for order_id, _ in account.sent] == [mirrored.id]
    account.fills(followed)
    account.moment += timedelta(seconds=1)
    account.engine.wake(followed.id)
    account.goes_on()
    assert {order_id for order_id, _ in account.sent} == {mirrored.id, followed.id}
