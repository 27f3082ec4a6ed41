"""What a follower does first."""

from datetime import timedelta
from decimal import Decimal

from copytrade import lifecycle
from copytrade.decisions import Cancel, Modify, Place
from copytrade.desk import Desk, Surroundings
from copytrade.freeze import load_freeze_table
from copytrade.orders import Order, Side, Status
from copytrade.sizing import Capitals
from tests.core.asking import NIFTY, NOTHING, POLICY
from tests.core.orders import NOW, OPTION, an_order


def a_desk() -> Desk:
    desk = Desk("alice", POLICY, Capitals(), Surroundings(load_freeze_table({}), None))
    desk.load([], [], [], NOW - timedelta(hours=1), 0.0)
    desk.know_instruments({OPTION: NIFTY})
    desk.know_leader_positions(NOTHING)
    desk.know_own_positions(NOTHING)
    desk.set_gate(is_open=True)
    return desk


def send(desk: Desk) -> tuple[str, type]:
    """Have the most urgent thing done, with success; say what it was."""
    desk.consider(NOW)
    picked = desk.pick(NOW)
    assert picked is not None
    leader, action = picked
    copy = desk.begin(leader, action, NOW).after
    order_id = f"F{leader.id}"
    after = lifecycle.cancel_accepted(copy) if isinstance(action, Cancel) else lifecycle.accepted(copy, order_id, None)
    desk.settle((leader.id, action.n), after, 1.0)
    return leader.id, type(action)


def leader_order(number: int, **changes: object) -> Order:
    later = {"updated_at": NOW + timedelta(seconds=number), "observed_at": NOW + timedelta(seconds=number)}
    return an_order(id=f"{number % 10}", created_at=NOW, **{**later, **changes})


def test_cancellations_come_first_then_exits_then_modifications_then_entries() -> None:
    desk = a_desk()
    for number in (1, 2, 3):
        desk.leader_changed(leader_order(number), None)
        assert send(desk) == (f"{number}", Place)
    traded = leader_order(13, status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    desk.leader_changed(traded, None)
    desk.own_changed(
        an_order(id="F3", correlation_id="ct-3-1", quantity=130, status=Status.TRADED, filled_quantity=130), None
    )
    desk.leader_changed(leader_order(4), None)
    desk.leader_changed(leader_order(11, status=Status.MODIFIED, price=Decimal(99)), None)
    desk.leader_changed(leader_order(5, side=Side.SELL), None)
    desk.leader_changed(leader_order(12, status=Status.CANCELLED), None)
    assert [send(desk) for _ in range(4)] == [("2", Cancel), ("5", Place), ("1", Modify), ("4", Place)]
