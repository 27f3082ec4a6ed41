"""What is not over is not forgotten, however many days have passed since; nor lost when a fill comes to light late."""

from datetime import timedelta

from msgspec.structs import replace

from copytrade.core.decide.decisions import Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.retention import LOOK_BACK
from copytrade.core.model.copies import Stage
from copytrade.core.model.ledger import Allocation, Line, Part
from copytrade.core.model.orders import Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.engine.closing_account import Account, entered
from tests.core.engine.policies import LOT
from tests.core.orders import NOW, an_order

TOMORROW = NOW.date() + timedelta(days=1)

#: When nothing of today may be entered any more, whatever the settings say.
LATER = NOW.date() + LOOK_BACK + timedelta(days=2)


def test_what_has_been_copied_is_forgotten_and_its_line_is_not() -> None:
    account = Account()
    entered(account, 1, 4)
    assert account.engine.forget_before(LATER) == 1
    assert "1" not in account.engine.orders
    assert [line.held for line in account.engine.positions.holdings.lines_held()] == [4 * LOT]


def test_what_may_yet_be_entered_is_kept() -> None:
    account = Account()
    entered(account, 1, 4)
    assert account.engine.forget_before(TOMORROW) == 0
    assert "1" in account.engine.orders


def test_an_order_in_doubt_is_kept_with_its_leader_order() -> None:
    account = Account()
    leader = an_order(id="1", quantity=4 * LOT)
    account.engine.leader_changed(leader, None)
    account.engine.scheduler.consider(NOW)
    picked = account.engine.scheduler.pick(NOW)
    assert picked is not None
    copy = account.engine.begin(*picked, NOW).after
    account.engine.execution.settle(("1", 1), transitions.in_doubt(copy, "no answer"), 1.0)
    account.leader(replace(leader, status=Status.CANCELLED))
    assert account.engine.forget_before(LATER) == 0
    assert "1" in account.engine.orders
    assert len(account.engine.copies.in_doubt) == 1


def test_the_exit_that_is_asked_for_what_an_entry_gets_late_is_kept() -> None:
    account = Account()
    account.is_silent = True
    entry, leaves = an_order(id="1", quantity=2 * LOT), an_order(id="2", side=Side.SELL, quantity=2 * LOT)
    for order in (entry, leaves):
        account.leader(order)
        account.leader(replace(order, status=Status.TRADED, filled_quantity=order.quantity))
    assert account.engine.forget_before(LATER) == 0
    assert "1" in account.engine.orders
    assert "2" in account.engine.orders
    (rests,) = account.live()
    account.fills(rests)
    account.goes_on()
    (exit_,) = account.live()
    assert (exit_.side, exit_.quantity) == (Side.SELL, 2 * LOT)


def test_an_order_of_which_the_broker_tells_no_time_is_kept() -> None:
    """Each read shows it as of now: forgotten, it would be an order that is new."""
    account = Account()
    timeless = an_order(id="1", quantity=2 * LOT, created_at=None, updated_at=None)
    account.leader(timeless)
    account.leader(replace(timeless, status=Status.CANCELLED))
    assert account.engine.forget_before(LATER) == 0
    assert "1" in account.engine.orders


def test_a_fill_that_comes_to_light_when_all_was_over_is_counted_once() -> None:
    account = Account()
    rests = an_order(id="1", quantity=3 * LOT)
    account.leader(rests)
    (copy,) = account.live()
    account.leader(replace(rests, status=Status.CANCELLED))
    account.engine.look_again()
    account.goes_on()
    late = replace(rests, status=Status.CANCELLED, filled_quantity=2 * LOT)
    for _ in range(2):
        account.leader(late)
        account.tells(account.orders[copy.id], filled_quantity=2 * LOT)
    (line,) = account.engine.positions.holdings.lines_held()
    assert (line.leader_position, line.held, line.level) == (2 * LOT, 2 * LOT, 2 * LOT)
    leaves = an_order(id="2", side=Side.SELL, quantity=2 * LOT)
    account.leader(leaves)
    (exit_,) = account.live()
    assert (exit_.side, exit_.quantity) == (Side.SELL, 2 * LOT)


def test_what_waits_for_the_gate_is_sent_when_it_opens() -> None:
    """An order that crosses zero: its exit is sent and filled while the gate is closed, its entry waits."""
    account = Account()
    entered(account, 1, 2)
    account.engine.set_gate(is_open=False)
    crosses = an_order(id="2", side=Side.SELL, quantity=4 * LOT)
    account.leader(crosses)
    for mine in account.live():
        account.fills(mine)
    account.leader(replace(crosses, status=Status.TRADED, filled_quantity=4 * LOT))
    account.goes_on()
    assert account.net() == 0
    account.engine.look_again()
    account.goes_on()
    account.sent.clear()
    account.engine.set_gate(is_open=True)
    account.goes_on()
    ((order_id, action),) = account.sent
    assert isinstance(action, Place)
    assert (order_id, action.part, action.desired.quantity) == ("2", Part.ENTRY, 2 * LOT)


def test_an_exit_that_found_nothing_is_looked_at_again_after_a_restart_that_shows_more() -> None:
    """While the positions are not read yet nothing shows that it has anything to leave: that is no last word."""
    account = Account()
    account.is_silent = True
    entry, leaves = an_order(id="1", quantity=2 * LOT), an_order(id="2", side=Side.SELL, quantity=2 * LOT)
    account.leader(entry)
    (rests,) = account.live()
    for order in (entry, leaves):
        account.leader(replace(order, status=Status.TRADED, filled_quantity=2 * LOT))
    assert [copy.reason for copy, _ in account.engine.everything() if not copy.n] == [Reason.NOTHING_HELD]

    account.orders[rests.id] = replace(rests, status=Status.CANCELLED, filled_quantity=2 * LOT)
    account.restarts(told_first=account.leaders.values())
    account.goes_on()
    (exit_,) = account.live()
    assert (exit_.side, exit_.quantity) == (Side.SELL, 2 * LOT)


def test_what_is_in_doubt_ends_with_its_day_when_its_leader_order_is_known_no_more() -> None:
    account = Account()
    leader = an_order(id="1", quantity=4 * LOT)
    account.engine.leader_changed(leader, None)
    account.engine.scheduler.consider(NOW)
    picked = account.engine.scheduler.pick(NOW)
    assert picked is not None
    copy = account.engine.begin(*picked, NOW).after
    in_doubt = transitions.in_doubt(copy, "no answer")
    ledger = account.engine.positions.ledger.everything()
    allocations = [one for one in ledger if isinstance(one, Allocation)]
    for days, status in ((0, Stage.UNKNOWN), (1, Stage.NONE)):
        again = Account().engine
        again.load([in_doubt], [one for one in ledger if isinstance(one, Line)], allocations, NOW, 1.0)
        later = NOW + timedelta(days=days)
        for began in (100.0, 200.0, 300.0):
            again.own_orders.book_read(began, later, frozenset())
            again.scheduler.consider(later)
        (left,) = again.copies.of("1")
        assert left.stage is status
        assert (left.reason is Reason.MISSED_TOO_OLD) == bool(days)
