"""A desk and its account at a broker that does what a test says, while time passes by a clock of the test's own."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Cancel, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine, MarketRules
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.copies import Copy, CopyId
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import Order, Product, Status
from tests.core.asking import NIFTY, POLICY, knows_positions
from tests.core.orders import NOW, OPTION, an_order

LINE = LineKey(OPTION, Product.MARGIN)

Verdict = Callable[[Action], str]


class Account:
    """A desk and its account at a broker whose verdict on each request the test gives; time passes by its own clock."""

    def __init__(self, verdict: Verdict, per_hour: int = 1000) -> None:
        self.verdict = verdict
        self.now = NOW
        self.sent: list[tuple[float, str, Action]] = []
        self.reads = self.searches = self.net_reads = 0
        #: What a read of the positions shows of the only line.
        self.net = 0
        self.orders: dict[str, Order] = {}
        self.leaders: dict[str, Order] = {}
        self.wakes: list[tuple[datetime, str]] = []
        policy = replace(POLICY, late_after=10**9, unfilled_after=10**9, copying_since=NOW - timedelta(hours=1))
        market_rules = MarketRules(load_freeze_table({}), None)
        self.engine = CopyEngine("alice", policy, Capitals(), market_rules, 10.0, per_hour=per_hour)
        self.engine.load([], [], [], NOW - timedelta(hours=1), 0.0)
        self.engine.know_instruments({OPTION: NIFTY})
        knows_positions(self.engine)
        self.engine.set_gate(is_open=True)

    @property
    def elapsed(self) -> float:
        return (self.now - NOW).total_seconds()

    def leader(self, **changes: object) -> None:
        order = an_order(**{"updated_at": self.now, "observed_at": self.now, **changes})
        self.leaders[order.id] = order
        self.engine.leader_changed(order, None)
        self.goes_on()

    def goes_on(self) -> None:
        """Do whatever can be done at this moment."""
        while True:
            considered = self.engine.scheduler.consider(self.now)
            self.wakes += [(until, order_id) for order_id, until in considered.wake]
            if considered.in_doubt:
                self.looks(considered.in_doubt)
            elif (picked := self.engine.scheduler.pick(self.now)) is not None:
                self.send(*picked)
            else:
                return

    def looks(self, copy_ids: list[CopyId]) -> None:
        """Read what is asked for: the book, the orders with an id, the positions."""
        self.is_read()
        for copy_id in copy_ids:
            at = self.elapsed + 0.001
            if self.engine.wants_search(copy_id, at) and self.copy(*copy_id).correlation_id not in self.shown_ids():
                self.searches += 1
                self.engine.own_orders.searched(self.copy(*copy_id).correlation_id, at)
            if self.engine.unshown.wants_positions(copy_id, at):
                self.net_reads += 1
                self.engine.unshown.net_read({LINE: self.net}, at)

    def shown_ids(self) -> set[str]:
        return {order.correlation_id for order in self.orders.values()}

    def is_read(self) -> None:
        self.reads += 1
        self.engine.own_orders.book_read(self.elapsed + 0.001, self.now, frozenset(self.orders))

    def send(self, leader: Order, action: Action) -> None:
        copy_id = leader.id, action.n
        copy = self.engine.begin(leader, action, self.now).after
        self.sent.append((self.elapsed, leader.id, action))
        verdict = self.verdict(action)
        if verdict == "accepted":
            self.engine.execution.was_accepted(copy_id, action)
            self.carry_out(leader, action, copy)
        elif verdict == "not carried out":
            self.engine.execution.was_accepted(copy_id, action)
            match action:
                case Place():
                    self.settle(copy_id, transitions.accepted(copy, f"H{len(self.sent)}", None))
                case Modify():
                    self.settle(copy_id, transitions.modification_accepted(copy, copy.order_id))
                case Cancel():
                    self.settle(copy_id, transitions.cancel_accepted(copy))
        else:
            self.engine.execution.came_to_nothing(copy_id, action, self.now)
            self.settle(copy_id, after(verdict, action, copy))

    def settle(self, copy_id: CopyId, copy: Copy) -> None:
        self.engine.execution.settle(copy_id, copy, self.elapsed)

    def carry_out(self, leader: Order, action: Action, copy: Copy) -> None:
        match action:
            case Place(desired=desired):
                terms = {"side": copy.side(leader), "key": leader.key, "correlation_id": copy.correlation_id}
                order = an_order(id=f"F{len(self.orders)}", **terms)
                self.settle((leader.id, action.n), transitions.accepted(copy, order.id, None))
                self.shows(replace(order, quantity=desired.quantity, price=desired.price))
            case Modify(desired=desired):
                self.settle((leader.id, action.n), transitions.modification_accepted(copy, copy.order_id))
                self.shows(replace(self.orders[copy.order_id], quantity=desired.quantity, price=desired.price))
            case Cancel():
                self.settle((leader.id, action.n), transitions.cancel_accepted(copy))
                self.shows(replace(self.orders[copy.order_id], status=Status.CANCELLED))

    def shows(self, order: Order) -> None:
        self.orders[order.id] = order
        self.engine.own_orders.seen(order, None)

    def fills(self, order_id: str, quantity: int) -> None:
        order = self.orders[order_id]
        status = Status.TRADED if quantity == order.quantity else Status.PART_TRADED
        self.shows(replace(order, status=status, filled_quantity=quantity, average_price=Decimal(100)))
        self.goes_on()

    def passes(self, seconds: float) -> None:
        """Let time pass: whoever waits is woken, and the book is read every minute as an audit does."""
        end = self.now + timedelta(seconds=seconds)
        audit = self.now + timedelta(seconds=60)
        while True:
            self.wakes.sort()
            due = min(audit, *(until for until, _ in self.wakes[:1]), end)
            self.now = max(self.now, due)
            if due >= end:
                return
            if due == audit:
                audit += timedelta(seconds=60)
                self.is_read()
            while self.wakes and self.wakes[0][0] <= self.now:
                self.engine.wake(self.wakes.pop(0)[1])
            self.goes_on()

    def times(self, kind: type[Action], order_id: str = an_order().id) -> list[float]:
        return [at for at, leader, action in self.sent if isinstance(action, kind) and leader == order_id]

    def copy(self, order_id: str = an_order().id, n: int = 1) -> Copy:
        return self.engine.copies.copy((order_id, n))


def after(verdict: str, action: Action, copy: Copy) -> Copy:
    """Return what a request leaves of its copy: one that never left, was refused, or was not answered."""
    unsent = {Place: transitions.not_sent, Modify: transitions.modify_not_sent, Cancel: transitions.cancel_not_sent}
    if verdict == "not sent":
        return unsent[type(action)](copy)
    if verdict == "refused" and not isinstance(action, Cancel):
        refused = transitions.place_refused if isinstance(action, Place) else transitions.modify_refused
        return refused(copy, "refused")
    return transitions.in_doubt(copy, verdict)
