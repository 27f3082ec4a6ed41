"""A desk between a leader's history and a broker, both as unreliable as they are."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from copytrade import lifecycle
from copytrade.book import Book
from copytrade.copies import Copy, Stage
from copytrade.desk import Action, Desk
from copytrade.instruments import Instrument
from copytrade.mirror import Cancel, Modify, Place, Policy
from copytrade.orders import Order, Status
from copytrade.reasons import Reason
from copytrade.sizing import Capitals, SizingPolicy, Strategy
from tests.core.orders import NOW, OPTION, an_order

LOT = 65
INSTRUMENT = Instrument(OPTION, "OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", LOT, Decimal("0.05"))
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5")),
    copying_since=NOW - timedelta(hours=1),
    late_after=10**9,
)
PRICES = st.integers(1900, 2100).map(lambda ticks: Decimal(ticks) * Decimal("0.05"))
LOTS = st.integers(1, 8)


@dataclass
class Flight:
    leader: Order
    action: Action
    copy: Copy


class Copying(RuleBasedStateMachine):
    """Leader orders change; sights of them come late, twice, or not until a read; requests are lost on either way."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = itertools.count(1)
        self.desk = Desk("alice", POLICY, Capitals())
        self.desk.know_instruments({OPTION: INSTRUMENT})
        self.desk.set_gate(is_open=True)
        self.leader_book, self.own_book = Book(), Book()
        self.leader: dict[str, Order] = {}
        self.most: dict[str, int] = {}
        self.sights: list[Order] = []
        self.flights: list[Flight] = []
        self.broker: dict[str, Order] = {}
        self.refused: set[str] = set()

    def now(self) -> datetime:
        return NOW + timedelta(seconds=next(self.ticks))

    def changes(self, order: Order, **changes: object) -> Order:
        moment = self.now()
        changed: Order = replace(order, updated_at=moment, observed_at=moment, **changes)  # type: ignore[arg-type]
        return changed

    def leader_does(self, order: Order, **changes: object) -> None:
        after = self.changes(order, **changes)
        self.leader[order.id] = after
        self.most[order.id] = max(self.most.get(order.id, 0), after.quantity)
        self.sights.append(after)

    def some(self, orders: dict[str, Order], index: int) -> Order | None:
        alive = [order for order in orders.values() if not order.is_terminal]
        return alive[index % len(alive)] if alive else None

    @rule()
    def time_passes(self) -> None:
        self.now()

    # The leader.

    @precondition(lambda self: len(self.leader) < 4)
    @rule(lots=LOTS, price=PRICES)
    def places(self, lots: int, price: Decimal) -> None:
        order = an_order(id=f"{1000 + len(self.leader)}", quantity=lots * LOT, price=price)
        self.leader_does(order)

    @precondition(lambda self: any(not order.is_terminal for order in self.leader.values()))
    @rule(index=st.integers(0, 9), lots=LOTS, price=PRICES)
    def modifies(self, index: int, lots: int, price: Decimal) -> None:
        order = self.some(self.leader, index)
        if order and lots * LOT > order.filled_quantity:
            self.leader_does(order, status=Status.MODIFIED, quantity=lots * LOT, price=price)

    @precondition(lambda self: any(not order.is_terminal for order in self.leader.values()))
    @rule(index=st.integers(0, 9), lots=LOTS)
    def gets_filled(self, index: int, lots: int) -> None:
        if order := self.some(self.leader, index):
            filled = min(order.quantity, order.filled_quantity + lots * LOT)
            status = Status.TRADED if filled == order.quantity else Status.PART_TRADED
            self.leader_does(order, status=status, filled_quantity=filled, average_price=order.price)

    @precondition(lambda self: any(not order.is_terminal for order in self.leader.values()))
    @rule(index=st.integers(0, 9), status=st.sampled_from([Status.CANCELLED, Status.REJECTED, Status.EXPIRED]))
    def ends(self, index: int, status: Status) -> None:
        if order := self.some(self.leader, index):
            self.leader_does(order, status=status)

    # What comes to be known of it.

    @precondition(lambda self: self.sights)
    @rule(index=st.integers(0, 99), again=st.booleans())
    def a_sight_arrives(self, index: int, again: bool) -> None:
        if self.sights:
            at = index % len(self.sights)
            self.sees(self.sights[at] if again else self.sights.pop(at))

    @precondition(lambda self: self.sights)
    @rule()
    def sights_are_lost_and_the_book_is_read(self) -> None:
        self.sights.clear()
        for order in self.leader.values():
            self.sees(order)

    def sees(self, order: Order) -> None:
        if change := self.leader_book.merge(order):
            self.desk.leader_changed(change.after, None)

    # The follower.

    @precondition(lambda self: self.is_anything_wanted())
    @rule()
    def sends_what_is_wanted(self) -> None:
        if picked := self.desk.pick(NOW):
            leader, action = picked
            changed = self.desk.begin(leader, action, "fixed_ratio", NOW)
            self.flights.append(Flight(leader, action, changed.after))

    def is_anything_wanted(self) -> bool:
        self.desk.consider(NOW)
        return self.desk.lane() is not None

    @precondition(lambda self: self.flights)
    @rule(index=st.integers(0, 9), fate=st.sampled_from(["accepted", "refused", "lost", "answer lost"]))
    def a_request_ends(self, index: int, fate: str) -> None:
        if self.flights:
            self.finish(self.flights.pop(index % len(self.flights)), fate)

    def finish(self, flight: Flight, fate: str) -> None:
        copy = self.desk.copy(flight.leader.id)
        done = fate in ("accepted", "answer lost") and self.carry_out(flight)
        copy = self.desk.copy(flight.leader.id)
        if fate in ("lost", "answer lost"):
            after = lifecycle.in_doubt(copy, "lost")
        elif done:
            after = self.accepted(flight.action, copy)
        else:
            after = self.declined(flight.action, copy)
        self.desk.settle(flight.leader.id, after, float(next(self.ticks)))

    def carry_out(self, flight: Flight) -> bool:
        """Do at the broker what the request asks for; False if the broker refuses it."""
        match flight.action:
            case Place(wish):
                order = an_order(
                    id=f"F{len(self.broker)}",
                    correlation_id=flight.copy.correlation_id,
                    quantity=wish.quantity,
                    price=wish.price,
                )
                self.broker[order.id] = self.changes(order)
                return True
            case Modify(wish):
                order = self.broker[flight.copy.order_id]
                if order.is_terminal or wish.quantity <= order.filled_quantity:
                    return False
                self.broker[order.id] = self.changes(order, quantity=wish.quantity, price=wish.price)
                return True
            case Cancel():
                order = self.broker[flight.copy.order_id]
                if order.is_terminal:
                    return False
                self.broker[order.id] = self.changes(order, status=Status.CANCELLED)
                return True

    def accepted(self, action: Action, copy: Copy) -> Copy:
        if isinstance(action, Cancel):
            return lifecycle.cancel_accepted(copy)
        found = next(order.id for order in self.broker.values() if order.correlation_id == copy.correlation_id)
        return lifecycle.accepted(copy, found, None)

    def declined(self, action: Action, copy: Copy) -> Copy:
        match action:
            case Place():
                return lifecycle.place_refused(copy, "refused")
            case Modify():
                return lifecycle.modify_refused(copy, "refused")
            case Cancel():
                return lifecycle.in_doubt(copy, "refused")

    @precondition(lambda self: any(not order.is_terminal for order in self.broker.values()))
    @rule(index=st.integers(0, 9), lots=LOTS)
    def the_copy_is_filled(self, index: int, lots: int) -> None:
        if order := self.some(self.broker, index):
            filled = min(order.quantity, order.filled_quantity + lots * LOT)
            status = Status.TRADED if filled == order.quantity else Status.PART_TRADED
            self.broker[order.id] = self.changes(order, status=status, filled_quantity=filled)

    @precondition(lambda self: self.broker)
    @rule(index=st.integers(0, 9))
    def the_own_feed_speaks(self, index: int) -> None:
        if self.broker:
            self.sees_own(list(self.broker.values())[index % len(self.broker)])

    @precondition(lambda self: self.broker)
    @rule()
    def the_own_book_is_read(self) -> None:
        began = float(next(self.ticks))
        for order in self.broker.values():
            self.sees_own(order)
        self.desk.book_read(began, frozenset(self.broker))

    def sees_own(self, order: Order) -> None:
        if change := self.own_book.merge(order):
            self.desk.own_changed(change.after)

    # What must hold.

    @invariant()
    def no_order_is_doubled(self) -> None:
        ids = Counter(order.correlation_id for order in self.broker.values())
        assert all(count == 1 for count in ids.values()), ids

    @invariant()
    def no_copy_is_larger_than_the_leader_ever_was_to_scale(self) -> None:
        for order in self.broker.values():
            assert order.quantity * 2 <= self.most[order.correlation_id.split("-")[1]]

    @invariant()
    def one_request_is_under_way_for_an_order(self) -> None:
        under_way = Counter(flight.leader.id for flight in self.flights)
        assert all(count == 1 for count in under_way.values()), under_way

    def teardown(self) -> None:
        """Let the faults stop: everything known, everything answered, and nothing left to do."""
        for _ in range(200):
            while self.flights:
                self.finish(self.flights.pop(), "accepted")
            self.sights_are_lost_and_the_book_is_read()
            self.the_own_book_is_read()
            self.desk.consider(NOW)
            if self.desk.lane() is None:
                break
            self.sends_what_is_wanted()
        else:
            raise AssertionError("it never comes to rest")
        self.no_order_is_doubled()
        for leader in self.leader.values():
            self.is_copied_or_explained(leader)

    def is_copied_or_explained(self, leader: Order) -> None:
        copy = self.desk.copy(leader.id)
        order = self.broker.get(copy.order_id)
        if copy.stage is Stage.UNKNOWN:
            assert order is None, "an order in doubt can be found in the book"
            return
        if copy.stage is Stage.NONE:
            assert copy.reason is not None
            return
        if order is None:
            assert copy.reason is Reason.BROKER_REFUSED
            return
        if leader.status in (Status.CANCELLED, Status.REJECTED, Status.EXPIRED):
            assert order.is_terminal
            return
        wanted = leader.quantity // 2 // LOT * LOT
        assert order.is_terminal or order.filled_quantity < wanted, "what is filled enough does not go on"
        if not order.is_terminal and copy.refused is None:
            assert (order.quantity, order.price) == (wanted, leader.price)


Copying.TestCase.settings = hypothesis.settings(max_examples=200, stateful_step_count=60, deadline=None)
TestCopying = Copying.TestCase
