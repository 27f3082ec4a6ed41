"""A desk between a leader's history and a broker, both as unreliable as they are.

The same 500 histories each time; ``COPYTRADE_HISTORIES`` tries so many others.
"""

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Mode, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import Action, CopyEngine
from copytrade.core.ledger.arithmetic.exit_shares import exit_shares
from copytrade.core.ledger.sizing import SizingPolicy, Strategy
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.ledger import Allocation, Line, LineKey, Part
from copytrade.core.model.order_book import Book
from copytrade.core.model.orders import Order, Product, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.asking import knows_positions
from tests.core.engine.policies import CAPITALS, INSTRUMENT, LOT, LOTS, MARKET_RULES, policy
from tests.core.orders import NOW, OPTION, an_order

#: What becomes of a request; what is swallowed is accepted, and never carried out.
FATES = ["accepted", "refused", "lost", "answer lost", "late", "swallowed"]

PRICES = st.integers(1900, 2100).map(lambda ticks: Decimal(ticks) * Decimal("0.05"))


BY_ITSELF = [SizingPolicy(Strategy.FIXED_LOTS, lots=lots) for lots in (1, 2, 5)] + [SizingPolicy(Strategy.RISK_BASED)]


def by_ratio(hundredths: int) -> SizingPolicy:
    return SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(hundredths) / 100)


@dataclass
class Flight:
    leader: Order
    action: Action
    copy: Copy
    order_id: str = ""

    @property
    def copy_id(self) -> CopyId:
        return self.leader.id, self.action.n


def reckoned_afresh(engine: CopyEngine, leader: Order, allocation: Allocation) -> int:
    line = engine.positions.holdings.reconciled(allocation.line)
    there, exits, is_stop = (
        engine.positions.holdings.really_held(line),
        engine.shares.exits(line.key),
        leader.order_type.has_trigger,
    )
    beside = sum(one.open for one in exits if one.is_stop is is_stop and one.leader_order_id != leader.id)
    return min(exit_shares(line, exits, there).get(leader.id, 0), max(0, there - beside))


class Copying(RuleBasedStateMachine):
    """Leader orders change; sights of them come late, twice, or not until a read; requests are lost on either way."""

    mode = Mode.ORDERS

    @initialize(
        sizing=st.one_of(
            st.sampled_from([50, 100]).map(by_ratio), st.integers(1, 1000).map(by_ratio), st.sampled_from(BY_ITSELF)
        )
    )
    def begins(self, sizing: SizingPolicy) -> None:
        self.sizing = sizing
        self.ticks = itertools.count(1)
        self.today = NOW
        self.orders_left = 6
        self.engine = self.an_engine()
        self.leader_book, self.own_book = Book(), Book()
        self.leader: dict[str, Order] = {}
        self.most: dict[str, int] = {}
        self.sights: list[Order] = []
        self.in_flight: list[Flight] = []
        self.broker: dict[str, Order] = {}
        self.parts: dict[str, Part] = {}
        self.late: list[Flight] = []
        self.was_late = False
        self.wakes: set[tuple[datetime, str]] = set()

    def an_engine(self, *held: Line | Allocation, copies: Iterable[Copy] = ()) -> CopyEngine:
        engine = CopyEngine("alice", policy(self.sizing, self.mode), CAPITALS, MARKET_RULES, absence_window=3.0)
        lines = [one for one in held if isinstance(one, Line)]
        allocations = [one for one in held if isinstance(one, Allocation)]
        engine.load(copies, lines, allocations, NOW - timedelta(hours=1), float(next(self.ticks)), NOW.date())
        engine.know_instruments({OPTION: INSTRUMENT})
        knows_positions(engine, *lines)
        engine.set_gate(is_open=True)
        return engine

    def now(self) -> datetime:
        return self.today + timedelta(seconds=next(self.ticks))

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

    @precondition(lambda self: self.orders_left)
    @rule(side=st.sampled_from(Side), lots=LOTS, price=PRICES)
    def places(self, side: Side, lots: int, price: Decimal) -> None:
        self.orders_left -= 1
        self.leader_places(side, lots * LOT, price)

    def leader_places(self, side: Side, quantity: int, price: Decimal = Decimal(100), **changes: object) -> None:
        order = an_order(
            id=f"{1000 + len(self.leader)}", side=side, quantity=quantity, price=price, created_at=self.now()
        )
        self.leader_does(order, **changes)

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
        for order in self.in_the_book(self.leader):
            self.sees(order)

    def in_the_book(self, orders: dict[str, Order]) -> list[Order]:
        """Return what a read of an order book shows of an account's orders."""
        return list(orders.values())

    def sees(self, order: Order) -> None:
        if change := self.leader_book.merge(order):
            self.engine.leader_changed(change.after, None)

    # The follower.

    @precondition(lambda self: self.is_anything_wanted())
    @rule()
    def sends_what_is_wanted(self) -> None:
        now = self.now()
        if picked := self.engine.scheduler.pick(now):
            leader, action = picked
            changed = self.engine.begin(leader, action, now)
            self.in_flight.append(Flight(leader, action, changed.after))

    def is_anything_wanted(self) -> bool:
        now = self.now()
        due = {(until, order_id) for until, order_id in self.wakes if until <= now}
        self.wakes -= due
        for _, order_id in sorted(due):
            self.engine.wake(order_id)
        self.wakes |= {(until, order_id) for order_id, until in self.engine.scheduler.consider(now).wake}
        return self.engine.scheduler.lane() is not None

    def somebody_waits(self) -> bool:
        """Whether an order is to be looked at again before long."""
        return any(until < self.now() + timedelta(hours=1) for until, _ in self.wakes)

    @precondition(lambda self: self.in_flight)
    @rule(index=st.integers(0, 9), fate=st.sampled_from(FATES))
    def a_request_ends(self, index: int, fate: str) -> None:
        if self.in_flight:
            self.finish(self.in_flight.pop(index % len(self.in_flight)), fate)

    def finish(self, flight: Flight, fate: str) -> None:
        done = fate in ("accepted", "answer lost") and self.carry_out(flight)
        copy = self.engine.copies.copy(flight.copy_id)
        if fate == "late":
            self.late.append(flight)
        if fate in ("lost", "answer lost", "late"):
            after = transitions.in_doubt(copy, "lost")
        elif done or fate == "swallowed":
            if isinstance(flight.action, Place) and not done:
                flight.order_id = f"S{next(self.ticks)}"
            self.engine.execution.was_accepted(flight.copy_id, flight.action)
            after = self.accepted(flight, copy)
        else:
            after = self.declined(flight.action, copy)
        if fate in ("lost", "answer lost", "late", "refused") or not (done or fate == "swallowed"):
            self.engine.execution.came_to_nothing(flight.copy_id, flight.action, self.now())
        self.engine.execution.settle(flight.copy_id, after, float(next(self.ticks)))

    def carry_out(self, flight: Flight) -> bool:
        """Do at the broker what the request asks for; False if the broker refuses it."""
        match flight.action:
            case Place(part=part, desired=desired):
                order = an_order(
                    id=f"F{len(self.broker)}",
                    side=flight.copy.side(flight.leader),
                    correlation_id=flight.copy.correlation_id,
                    quantity=desired.quantity,
                    price=desired.price,
                    created_at=self.today,
                )
                self.parts[order.id] = part
                flight.order_id = order.id
                self.broker[order.id] = self.changes(order)
                return True
            case Modify(desired=desired):
                order = self.broker.get(flight.copy.order_id)
                if order is None or order.is_terminal or desired.quantity <= order.filled_quantity:
                    return False
                self.broker[order.id] = self.changes(order, quantity=desired.quantity, price=desired.price)
                return True
            case Cancel():
                order = self.broker.get(flight.copy.order_id)
                if order is None or order.is_terminal:
                    return False
                self.broker[order.id] = self.changes(order, status=Status.CANCELLED)
                return True

    def accepted(self, flight: Flight, copy: Copy) -> Copy:
        if isinstance(flight.action, Cancel):
            return transitions.cancel_accepted(copy)
        if isinstance(flight.action, Modify):
            return transitions.modification_accepted(copy, copy.order_id)
        return transitions.accepted(copy, flight.order_id or copy.order_id, None)

    @precondition(lambda self: self.late)
    @rule(index=st.integers(0, 9))
    def a_request_arrives_late(self, index: int) -> None:
        """Nobody waits for it any more, however long that was: its order may have been sent again meanwhile."""
        if self.late:
            self.was_late = True
            self.carry_out(self.late.pop(index % len(self.late)))

    def declined(self, action: Action, copy: Copy) -> Copy:
        match action:
            case Place():
                return transitions.place_refused(copy, "refused")
            case Modify():
                return transitions.modify_refused(copy, "refused")
            case Cancel():
                return transitions.in_doubt(copy, "refused")

    @precondition(lambda self: any(not order.is_terminal for order in self.broker.values()))
    @rule(index=st.integers(0, 9), lots=LOTS)
    def the_copy_is_filled(self, index: int, lots: int) -> None:
        if order := self.some(self.broker, index):
            self.fill(order, lots * LOT)

    def fill(self, order: Order, quantity: int) -> None:
        filled = min(order.quantity, order.filled_quantity + quantity)
        status = Status.TRADED if filled == order.quantity else Status.PART_TRADED
        self.broker[order.id] = self.changes(order, status=status, filled_quantity=filled)

    @precondition(lambda self: any(not order.is_terminal for order in self.broker.values()))
    @rule(index=st.integers(0, 9), status=st.sampled_from([Status.CANCELLED, Status.REJECTED, Status.EXPIRED]))
    def the_copy_is_ended_by_others(self, index: int, status: Status) -> None:
        if order := self.some(self.broker, index):
            self.broker[order.id] = self.changes(order, status=status)

    @precondition(lambda self: self.broker)
    @rule(index=st.integers(0, 9))
    def the_own_feed_speaks(self, index: int) -> None:
        if self.broker:
            self.sees_own(list(self.broker.values())[index % len(self.broker)])

    @precondition(lambda self: self.broker)
    @rule()
    def the_own_book_is_read(self) -> None:
        began = float(next(self.ticks))
        shown = self.in_the_book(self.broker)
        for order in shown:
            self.sees_own(order)
        self.engine.own_orders.book_read(began, self.today, frozenset(order.id for order in shown))

    @rule()
    def orders_in_doubt_are_searched(self) -> None:
        began = float(next(self.ticks))
        for copy, _ in self.engine.everything():
            if copy.is_open and self.engine.wants_search((copy.leader_order_id, copy.n), began):
                matching = [order for order in self.broker.values() if order.correlation_id == copy.correlation_id]
                for order in matching:
                    self.sees_own(order)
                if not matching:
                    self.engine.own_orders.searched(copy.correlation_id, began)

    @rule()
    def the_own_positions_are_read(self) -> None:
        began = float(next(self.ticks))
        self.engine.unshown.net_read({LineKey(OPTION, Product.MARGIN): self.net(self.broker)}, began)

    def sees_own(self, order: Order) -> None:
        if change := self.own_book.merge(order):
            self.engine.own_orders.seen(change.after, None)

    @precondition(lambda self: self.leader)
    @rule(index=st.integers(0, 9), lots=LOTS)
    def an_operator_has_an_order_tried_again(self, index: int, lots: int) -> None:
        self.engine.try_again(list(self.leader)[index % len(self.leader)], lots * LOT)

    @precondition(lambda self: self.broker)
    @rule()
    def everything_is_to_be_closed(self) -> None:
        self.engine.close_all()

    @precondition(lambda self: self.engine.flattener.is_awaited)
    @rule()
    def closing_goes_on(self) -> None:
        """The market fills what closes; nothing is copied until all of it is closed."""
        self.is_anything_wanted()
        for order in self.broker.values():
            if self.parts[order.id] is Part.CLOSE and not order.is_terminal:
                self.fill(order, order.quantity)
                self.sees_own(self.broker[order.id])
        self.engine.take_closed(self.today)

    @rule(was_sent=st.booleans())
    def restarts(self, was_sent: bool) -> None:
        """Die with requests under way, and come back with what was written down and what the broker says."""
        for flight in self.in_flight:
            if was_sent:
                self.carry_out(flight)
        self.in_flight.clear()
        copies = [copy for copy, _ in self.engine.everything()]
        self.engine = self.an_engine(*self.engine.positions.ledger.everything(), copies=copies)
        self.leader_book, self.own_book = Book(), Book()
        self.the_own_book_is_read()
        self.sights_are_lost_and_the_book_is_read()

    # What must hold.

    @invariant()
    def no_order_is_doubled(self) -> None:
        ids = Counter(order.correlation_id for order in self.broker.values())
        assert self.was_late or all(count == 1 for count in ids.values()), ids

    @invariant()
    def no_entry_exceeds_what_its_strategy_gives(self) -> None:
        entered: Counter[str] = Counter()
        exits = {copy.order_id for copy, _ in self.engine.everything() if copy.part is not Part.ENTRY}
        for order in self.broker.values():
            if self.parts[order.id] is Part.ENTRY and order.id not in exits:
                open_or_filled = order.filled_quantity if order.is_terminal else order.quantity
                entered[order.correlation_id.split("-")[1]] += open_or_filled
        for order_id, quantity in entered.items():
            assert self.was_late or quantity <= self.most_of(order_id)

    def most_of(self, order_id: str) -> int:
        """Return what a leader order may come to: by ratio one lot more, where earlier ones have left over as much."""
        match self.sizing.strategy:
            case Strategy.FIXED_LOTS:
                return self.sizing.lots * LOT
            case Strategy.RISK_BASED:
                return min(3 * LOT, self.most[order_id] * 2)
            case _:
                return math.ceil(self.most[order_id] * self.sizing.ratio) + LOT - 1

    @invariant()
    def exits_never_take_more_than_was_entered(self) -> None:
        for entering, exiting in ((Side.BUY, Side.SELL), (Side.SELL, Side.BUY)):
            exited = self.filled(exiting, Part.EXIT) + self.filled(exiting, Part.CLOSE)
            assert self.was_late or exited <= self.filled(entering, Part.ENTRY), (exiting, exited)

    def filled(self, side: Side, part: Part) -> int:
        return sum(
            order.filled_quantity
            for order in self.broker.values()
            if order.side is side and self.parts[order.id] is part
        )

    @invariant()
    def one_request_is_under_way_for_an_order(self) -> None:
        under_way = Counter(flight.copy_id for flight in self.in_flight)
        assert all(count == 1 for count in under_way.values()), under_way

    @invariant()
    def the_shares_that_are_kept_are_those_reckoned_afresh(self) -> None:
        for engine in self.desks():
            for order_id in self.leader:
                leader, allocation = engine.orders.get(order_id), engine.positions.ledger.allocation(order_id)
                if leader is not None and allocation is not None and allocation.exit_of(leader.quantity):
                    assert engine.shares.exit_open(leader, allocation) == reckoned_afresh(engine, leader, allocation)

    def desks(self) -> list[CopyEngine]:
        return [self.engine]

    @invariant()
    def no_order_is_larger_than_the_freeze_quantity(self) -> None:
        assert all(order.quantity <= 3 * LOT for order in self.broker.values())

    def teardown(self) -> None:
        """Let the faults stop: everything known, everything answered, and nothing left to do. Then close the day."""
        if not hasattr(self, "engine"):
            return
        self.comes_to_rest()
        for leader in self.leader.values():
            self.is_copied_or_explained(leader)
        self.the_leader_goes_home()

    def comes_to_rest(self) -> None:
        while self.late:
            self.a_request_arrives_late(0)
        for _ in range(500):
            while self.in_flight:
                self.finish(self.in_flight.pop(), "accepted")
            self.sights_are_lost_and_the_book_is_read()
            self.the_own_book_is_read()
            self.orders_in_doubt_are_searched()
            self.the_own_positions_are_read()
            self.closing_goes_on()
            if self.is_anything_wanted():
                self.sends_what_is_wanted()
            elif (
                not self.somebody_waits()
                and not len(self.engine.copies.in_doubt)
                and not self.engine.flattener.is_awaited
            ):
                break
        else:
            raise AssertionError("it never comes to rest")
        self.no_order_is_doubled()
        self.engine.look_again()
        assert not self.is_anything_wanted(), "an order was not decided again although its line had changed"

    def the_leader_goes_home(self) -> None:
        """He cancels what rests and closes what he holds: in the end the follower is flat, or has it on record that he
        got what the leader did not.
        """
        for order in list(self.leader.values()):
            if not order.is_terminal:
                self.leader_does(order, status=Status.CANCELLED)
        self.comes_to_rest()
        if net := self.net(self.leader):
            self.leader_trades(Side.SELL if net > 0 else Side.BUY, abs(net))
        for _ in range(50):
            self.comes_to_rest()
            live = [order for order in self.broker.values() if not order.is_terminal]
            if not live:
                break
            parts = {copy.order_id: copy.part for copy, _ in self.engine.everything()}
            for order in live:
                assert parts[order.id] is not Part.ENTRY, "the leader has left: nothing is entered any more"
                self.fill(order, order.quantity)
        copies = [copy for copy, _ in self.engine.everything()]
        assert not any(copy.stage is Stage.UNKNOWN for copy in copies)
        if not any(self.is_on_record(copy) for copy in copies):
            assert self.net(self.broker) == 0

    def is_on_record(self, copy: Copy) -> bool:
        """Whether a copy says by itself why the follower may not be flat."""
        has_failed = copy.part is not Part.ENTRY and copy.is_final
        return has_failed or copy.reason is Reason.FILLED_OTHERWISE

    def leader_trades(self, side: Side, quantity: int) -> None:
        self.leader_places(side, quantity, status=Status.TRADED, filled_quantity=quantity, average_price=Decimal(100))

    def net(self, orders: dict[str, Order]) -> int:
        return sum(order.filled_quantity * order.side.sign for order in orders.values())

    def is_copied_or_explained(self, leader: Order) -> None:
        copies = [copy for copy, order in self.engine.everything() if order.id == leader.id]
        if not copies and not leader.is_terminal and self.net(self.broker) * leader.side.sign < 0:
            return  # it crosses zero, and waits until those that rest to leave have left, or it is filled itself
        leaves = any(copy.is_open and copy.part is Part.EXIT for copy, _ in self.engine.everything())
        assert copies or leaves, "nobody has decided about it, and it does not wait for an exit to be done"
        for copy in copies:
            order = self.broker.get(copy.order_id)
            assert copy.stage is not Stage.UNKNOWN, "an order is still in doubt"
            if copy.part is Part.TWIN:
                assert order is not None
                assert order.is_terminal
            elif copy.stage is Stage.NONE:
                assert copy.reason is not None or any(other.is_open for other in copies)
            elif order is None:
                assert copy.reason in (Reason.BROKER_REFUSED, Reason.INVISIBLE)
            elif leader.status in (Status.CANCELLED, Status.REJECTED, Status.EXPIRED) and copy.part is Part.ENTRY:
                assert order.is_terminal
            elif not order.is_terminal and copy.refused is None and not (copy.desired and copy.desired.own_price):
                assert order.price == leader.price


Copying.TestCase.settings = hypothesis.settings(
    max_examples=int(os.environ.get("COPYTRADE_HISTORIES", "500")),
    derandomize="COPYTRADE_HISTORIES" not in os.environ,
    stateful_step_count=60,
    deadline=None,
)
TestCopying = Copying.TestCase
