"""Closing everything: copies are cancelled, what is held by copying is closed, and nothing else is touched."""

from datetime import timedelta
from decimal import Decimal

import hypothesis
import pytest
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.ledger.closing_orders import Closed, is_closing
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.engine.closing_account import Account, entered
from tests.core.engine.policies import LOT, MARKET_RULES, policy
from tests.core.orders import NOW, an_order


@pytest.mark.parametrize("side", Side)
def test_copies_are_cancelled_first_and_then_what_is_held_is_closed(side: Side) -> None:
    account = Account()
    entered(account, 1, 2, side)
    account.leader(an_order(id="2", side=side, quantity=LOT))
    account.leader(an_order(id="3", side=side.opposite, quantity=2 * LOT, price=Decimal(130)))
    assert len(account.live()) == 2
    account.sent.clear()
    closed = account.closes()
    assert [type(action) for _, action in account.sent] == [Cancel, Cancel, Place]
    assert closed == Closed(2, ("130 NIFTY-Dec2026-26000-CE",), ())
    assert account.net() == 0
    assert not account.live()
    reasons = {copy.reason for copy, leader in account.engine.everything() if leader.id in ("2", "3")}
    assert reasons == {Reason.FLATTENED}
    assert account.engine.take_closed(NOW) is None


@pytest.mark.parametrize("fills", [0, 1, 2])
def test_a_line_is_closed_when_the_broker_has_said_how_its_copies_ended(fills: int) -> None:
    account = Account()
    entered(account, 1, 2)
    account.leader(an_order(id="2", side=Side.SELL, quantity=2 * LOT, price=Decimal(130)))
    (target,) = account.live()
    account.is_silent = True
    account.sent.clear()
    account.engine.close_all()
    account.goes_on()
    assert [type(action) for _, action in account.sent] == [Cancel]
    assert account.engine.take_closed(NOW) is None
    if fills:
        account.fills(target, fills * LOT)
    account.goes_on()
    if fills < 2:
        account.tells(account.orders[target.id], status=Status.CANCELLED)
    account.goes_on()
    for order in account.live():
        assert order.quantity == (2 - fills) * LOT
        account.fills(order)
    account.goes_on()
    assert account.engine.take_closed(NOW) is not None
    assert account.net() == 0


def test_what_closing_cancelled_is_not_entered_again_and_the_next_order_is() -> None:
    account = Account()
    resting = an_order(id="1", quantity=2 * LOT)
    account.leader(resting)
    account.closes()
    account.leader(replace(resting, status=Status.MODIFIED, price=Decimal(99)))
    assert not account.live()
    account.leader(an_order(id="2", quantity=LOT))
    assert [order.correlation_id for order in account.live()] == ["ct-2-1"]


def test_after_closing_the_leaders_exits_find_nothing_and_his_entries_begin_anew() -> None:
    account = Account()
    entered(account, 1, 4)
    account.closes()
    account.leader(an_order(id="2", side=Side.SELL, quantity=2 * LOT, status=Status.TRADED, filled_quantity=2 * LOT))
    assert not account.live()
    entered(account, 3, 2)
    assert account.net() == 2 * LOT
    leaving = an_order(id="4", side=Side.SELL, quantity=2 * LOT, status=Status.TRADED, filled_quantity=2 * LOT)
    account.leader(leaving)
    (exit_,) = account.live()
    assert exit_.quantity == LOT


@pytest.mark.parametrize("by_hand", [LOT, 10 * LOT, -LOT, -10 * LOT])
def test_what_is_held_by_hand_is_left_and_bounds_what_is_closed(by_hand: int) -> None:
    account = Account(by_hand=by_hand)
    entered(account, 1, 4)
    account.closes()
    assert account.net() == max(by_hand, min(0, by_hand + 4 * LOT))


def test_more_than_one_order_takes_is_closed_in_slices_and_late_fills_are_closed_too() -> None:
    account = Account()
    entered(account, 1, 7)
    resting = an_order(id="2", quantity=LOT)
    account.leader(resting)
    (mine,) = account.live()
    account.engine.close_all()
    account.engine.scheduler.consider(NOW)
    account.fills(mine)  # before its cancellation arrives
    account.goes_on()
    while live := account.live():
        assert all(order.side is Side.SELL and order.quantity <= 3 * LOT for order in live)
        account.fills(live[0])
        account.goes_on()
    assert account.net() == 0
    assert account.engine.take_closed(NOW) is not None


def test_while_it_closes_nothing_is_entered_and_the_leaders_exit_is_not_sent_as_well() -> None:
    account = Account()
    entered(account, 1, 2)
    account.engine.close_all()
    account.goes_on()
    (closing,) = account.live()
    account.leader(an_order(id="2", side=Side.SELL, quantity=2 * LOT, status=Status.TRADED, filled_quantity=2 * LOT))
    account.leader(an_order(id="3", quantity=LOT))
    assert account.live() == [closing]
    assert account.engine.take_closed(NOW) is None
    account.fills(closing)
    account.goes_on()
    assert account.engine.take_closed(NOW) is not None
    account.goes_on()
    assert [order.correlation_id for order in account.live()] == ["ct-3-1"]


def test_what_cannot_be_closed_is_said_and_not_tried_for_ever() -> None:
    account = Account()
    entered(account, 1, 2)
    account.refuses = True
    closed = account.closes()
    assert closed == Closed(0, (), ("130 NIFTY-Dec2026-26000-CE (broker_refused: other: refused)",))
    assert "left: 130" in str(closed)
    account.refuses = False
    account.goes_on()
    assert not account.live()
    assert account.closes() == Closed(0, ("130 NIFTY-Dec2026-26000-CE",), ())
    assert account.net() == 0


def test_an_order_that_closes_outlives_a_restart_and_nothing_is_closed_twice() -> None:
    account = Account()
    entered(account, 1, 2)
    account.engine.close_all()
    account.goes_on()
    (closing,) = account.live()
    account.restarts()
    account.goes_on()
    assert account.live() == [closing]
    account.engine.close_all()
    account.goes_on()
    assert account.live() == [closing]
    account.fills(closing)
    account.goes_on()
    assert account.net() == 0
    assert account.engine.take_closed(NOW) is not None
    account.restarts()
    account.goes_on()
    assert (account.live(), account.net()) == ([], 0)
    assert not account.engine.flattener.is_awaited


def begun_and_not_sent(account: Account) -> str:
    """Have closing begin with an order that certainly never left; return what it stands for."""
    account.engine.close_all()
    account.engine.scheduler.consider(NOW)
    leader, action = account.engine.scheduler.pick(NOW) or (None, None)
    assert leader is not None
    assert isinstance(action, Place)
    change = account.engine.begin(leader, action, NOW)
    account.engine.execution.settle((leader.id, action.n), transitions.not_sent(change.after), 1.0)
    return leader.id


def dispositions(account: Account, order_id: str) -> list[tuple[str, Reason | None]]:
    return [(copy.status, copy.reason) for copy, leader in account.engine.everything() if leader.id == order_id]


def test_what_another_order_has_closed_after_a_restart_is_recorded_as_overtaken() -> None:
    account = Account()
    entered(account, 1, 2)
    order_id = begun_and_not_sent(account)
    account.restarts()
    account.goes_on()
    assert dispositions(account, order_id) == [("skipped", Reason.OVERTAKEN)]
    assert account.closes() == Closed(0, ("130 NIFTY-Dec2026-26000-CE",), ())
    assert dispositions(account, order_id) == [("skipped", Reason.OVERTAKEN)]
    assert account.net() == 0
    account.restarts()
    account.goes_on()
    assert account.net() == 0
    assert not any(copy.status == "pending" for copy, _ in account.engine.everything())


def test_what_other_hands_have_closed_before_the_order_left_leaves_nothing_pending() -> None:
    account = Account()
    entered(account, 1, 2)
    order_id = begun_and_not_sent(account)
    account.by_hand = -2 * LOT
    account.tells(an_order(id="hand", side=Side.SELL, quantity=2 * LOT, status=Status.TRADED, filled_quantity=2 * LOT))
    account.by_hand = 0
    account.goes_on()
    account.engine.take_closed(NOW)
    account.goes_on()
    for order in account.live():
        account.fills(order)
    account.goes_on()
    assert not any(copy.status == "pending" for copy, _ in account.engine.everything())
    assert order_id


def test_what_was_begun_and_given_up_closes_nothing_later() -> None:
    account = Account()
    entered(account, 1, 7)
    account.engine.close_all()
    account.engine.scheduler.consider(NOW)
    leader, action = account.engine.scheduler.pick(NOW) or (None, None)
    assert leader is not None
    assert isinstance(action, Place)
    account.engine.begin(leader, action, NOW)
    account.carry_out((leader.id, action.n), action, leader)
    account.fills(account.live()[0])
    account.restarts()
    account.goes_on()
    assert (account.live(), account.net()) == ([], 4 * LOT)
    entered(account, 2, 1)
    assert account.net() == 5 * LOT
    account.engine.close_all()
    account.goes_on()
    assert sum(order.quantity for order in account.live()) == 5 * LOT
    for order in account.live():
        account.fills(order)
    account.goes_on()
    assert (account.live(), account.net()) == ([], 0)


@pytest.mark.parametrize("only_closes", [False, True])
def test_an_order_of_an_earlier_day_that_nobody_tells_of_holds_nothing_up(only_closes: bool) -> None:
    account = Account()
    entered(account, 1, 2)
    account.leader(an_order(id="2", quantity=LOT))
    written = account.engine.everything()
    assert any(copy.stage is Stage.LIVE for copy, _ in written)
    lines = [one for one in account.engine.positions.ledger.everything() if hasattr(one, "held")]
    yesterday = NOW.date() - timedelta(days=1)
    account.engine = CopyEngine("alice", policy(Decimal(1)), Capitals(), MARKET_RULES, only_closes=only_closes)
    copies = [replace(copy, trade_date=yesterday, created_at=NOW - timedelta(days=1)) for copy, _ in written]
    account.engine.load(copies, lines, (), NOW - timedelta(hours=1), 0.0)  # type: ignore[arg-type]
    account.by_hand = 2 * LOT
    account.orders.clear()
    account.learns()
    assert account.closes() == Closed(0, ("130 NIFTY-Dec2026-26000-CE",), ())


def test_what_only_closes_copies_nothing_and_does_without_the_leader() -> None:
    account = Account()
    entered(account, 1, 2)
    account.leader(an_order(id="2", quantity=LOT))
    account.only_closes = True
    account.restarts()
    account.goes_on()
    account.leader(an_order(id="3", quantity=LOT))
    assert len(account.live()) == 1
    account.closes()
    assert (account.live(), account.net()) == ([], 0)
    account.leader(an_order(id="4", quantity=LOT))
    assert not account.live()


@hypothesis.settings(deadline=None, max_examples=300)
@hypothesis.given(
    steps=st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=6),
    by_hand=st.integers(-3, 3),
    restarts=st.booleans(),
)
def test_whatever_was_copied_closing_ends_flat_and_leaves_what_was_there(
    steps: list[tuple[Side, int, int]], by_hand: int, restarts: bool
) -> None:
    """Leader orders of any side, filled in part on both sides, with anything held by hand on the same line."""
    account = Account(by_hand=by_hand * LOT)
    for number, (side, lots, filled) in enumerate(steps, 1):
        order = an_order(id=f"{number}", side=side, quantity=lots * LOT)
        account.leader(order)
        done = min(filled, lots) * LOT
        if done:
            status = Status.TRADED if done == order.quantity else Status.PART_TRADED
            account.leader(replace(order, status=status, filled_quantity=done))
        for mine in account.live():
            if filled:
                account.fills(mine, done or None)
                account.goes_on()
    before = account.net()
    if restarts:
        account.restarts()
        for order in account.leaders.values():
            account.leader(order)
        before = account.net()
    assert account.closes() is not None
    closers = [order for order in account.orders.values() if is_closing(order.correlation_id.removeprefix("ct-"))]
    assert not account.live()
    assert not any(line.held for line in account.engine.positions.holdings.lines_held())
    closed = sum(order.filled_quantity * order.side.sign for order in closers)
    assert abs(account.net()) <= abs(before) or closed == 0
    assert all(order.side.sign * before < 0 for order in closers)
    copies = [copy for copy, _ in account.engine.everything()]
    assert {copy.part for copy in copies if is_closing(copy.leader_order_id)} <= {Part.CLOSE}
    assert not any(copy.stage is Stage.UNKNOWN for copy in copies)
