"""What a follower does first."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine, MarketRules
from copytrade.core.engine.work_queue import WorkQueue
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.copies import CopyId
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import Order, Side, Status
from tests.core.asking import NIFTY, POLICY, knows_positions
from tests.core.orders import NOW, OPTION, an_order


def an_engine() -> CopyEngine:
    engine = CopyEngine("alice", POLICY, Capitals(), MarketRules(load_freeze_table({}), None))
    engine.load([], [], [], NOW - timedelta(hours=1), 0.0)
    engine.know_instruments({OPTION: NIFTY})
    knows_positions(engine)
    engine.set_gate(is_open=True)
    return engine


def send(engine: CopyEngine) -> tuple[str, type]:
    """Have the most urgent thing done, with success; say what it was."""
    engine.scheduler.consider(NOW)
    picked = engine.scheduler.pick(NOW)
    assert picked is not None
    leader, action = picked
    copy = engine.begin(leader, action, NOW).after
    order_id = f"F{leader.id}"
    after = (
        transitions.cancel_accepted(copy) if isinstance(action, Cancel) else transitions.accepted(copy, order_id, None)
    )
    engine.execution.settle((leader.id, action.n), after, 1.0)
    return leader.id, type(action)


def leader_order(number: int, **changes: object) -> Order:
    later = {"updated_at": NOW + timedelta(seconds=number), "observed_at": NOW + timedelta(seconds=number)}
    return an_order(id=f"{number % 10}", created_at=NOW, **{**later, **changes})


def test_cancellations_come_first_then_exits_then_modifications_then_entries() -> None:
    engine = an_engine()
    for number in (1, 2, 3):
        engine.leader_changed(leader_order(number), None)
        assert send(engine) == (f"{number}", Place)
    traded = leader_order(13, status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    engine.leader_changed(traded, None)
    engine.own_orders.seen(
        an_order(id="F3", correlation_id="ct-3-1", quantity=130, status=Status.TRADED, filled_quantity=130), None
    )
    engine.leader_changed(leader_order(4), None)
    engine.leader_changed(leader_order(11, status=Status.MODIFIED, price=Decimal(99)), None)
    engine.leader_changed(leader_order(5, side=Side.SELL), None)
    engine.leader_changed(leader_order(12, status=Status.CANCELLED), None)
    assert [send(engine) for _ in range(4)] == [("2", Cancel), ("5", Place), ("1", Modify), ("4", Place)]


ORDERS, UNDERLYINGS = st.sampled_from("abcdef"), st.sampled_from(["NIFTY", "GOLD"])


class AgendaMachine(RuleBasedStateMachine):
    """What is the next, against a plain list of all that is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.work_queue = WorkQueue()
        self.numbers: dict[str, int] = {}
        self.wanted: dict[str, tuple[Lane, str]] = {}
        self.placing: dict[str, list[CopyId]] = {}

    @rule(order=ORDERS, lane=st.sampled_from([Lane.CANCEL, Lane.EXIT, Lane.MODIFY, Lane.ENTRY]), underlying=UNDERLYINGS)
    def is_wanted(self, order: str, lane: Lane, underlying: str) -> None:
        self.work_queue.mark([order])
        assert self.work_queue.take_marked() == {order: True}
        self.work_queue.want(order, lane, underlying)
        self.numbers.setdefault(order, len(self.numbers))
        self.wanted[order] = lane, underlying

    @rule(order=ORDERS)
    def is_wanted_no_more(self, order: str) -> None:
        self.work_queue.mark([order])
        self.work_queue.take_marked()
        self.numbers.setdefault(order, len(self.numbers))
        self.wanted.pop(order, None)

    @rule(whether=st.booleans())
    def the_next_is_begun(self, whether: bool) -> None:
        found = self.work_queue.next()
        if found is None:
            return
        order, lane = found
        _, underlying = self.wanted.pop(order)
        self.work_queue.take(order)
        self.work_queue.take_marked()
        if lane is Lane.ENTRY and whether:
            slices = self.placing.setdefault(underlying, [])
            slices.append((order, 1 + sum(len(one) for one in self.placing.values())))
            self.work_queue.begin(slices[-1], underlying)

    @rule(underlying=UNDERLYINGS)
    def is_answered(self, underlying: str) -> None:
        for copy_id in self.placing.pop(underlying, []):
            self.work_queue.end(copy_id)

    @rule()
    def entries_are_called_off(self) -> None:
        entries = {order for order, (lane, _) in self.wanted.items() if lane is Lane.ENTRY}
        assert set(self.work_queue.take_entries()) == entries
        for order in entries:
            del self.wanted[order]

    @invariant()
    def the_next_is_the_most_urgent_and_then_the_oldest(self) -> None:
        ready = [
            (lane, self.numbers[order], order)
            for order, (lane, underlying) in self.wanted.items()
            if lane is not Lane.ENTRY or all(one == order for one, _ in self.placing.get(underlying, []))
        ]
        expected = min(ready, default=None)
        assert self.work_queue.next() == (expected and (expected[2], expected[0]))


TestAgenda = AgendaMachine.TestCase
