"""What is over is forgotten, and nothing else is different: a desk that forgets beside one that remembers everything.

The same 300 histories each time; ``COPYTRADE_HISTORIES`` tries so many others.
"""

import itertools
import os
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule
from msgspec.structs import replace

from copytrade.core.engine.engine import Changed, Considered, CopyEngine
from copytrade.core.ledger.closing_orders import is_closing
from copytrade.core.model.copies import Copy, Stage
from copytrade.core.model.ledger import Allocation, Line, LineKey
from copytrade.core.model.order_book import Book, chronological
from copytrade.core.model.orders import IST, Order, Side, Status, ended_before
from tests.core.asking import knows_positions
from tests.core.engine.policies import CAPITALS, INSTRUMENT, LOT, LOTS, MARKET_RULES, policy
from tests.core.engine.test_engine import Copying
from tests.core.orders import NOW, OPTION

#: Seconds after which an entry is too late: not on its day, but on any other.
HOURS = 4 * 3600.0


class Parts:
    """The same part of two desks."""

    def __init__(self, desks: "Both", one: Any, other: Any) -> None:
        self.desks, self.one, self.other = desks, one, other

    def __getattr__(self, name: str) -> Any:
        return self.desks.both(name, getattr(self.one, name), getattr(self.other, name))

    def __contains__(self, order_id: str) -> bool:
        assert (order_id in self.one) == (order_id in self.other)
        return order_id in self.one


class Both:
    """Two desks that are told the same: one forgets, one does not. Whatever they say has to be the same."""

    def __init__(self, remembers: CopyEngine, forgets: CopyEngine) -> None:
        self.remembers, self.forgets = remembers, forgets
        self.begins = False

    def __getattr__(self, name: str) -> Any:
        return self.both(name, getattr(self.remembers, name), getattr(self.forgets, name))

    def both(self, name: str, one: Any, other: Any) -> Any:
        if type(one).__module__.startswith("copytrade.core.engine"):
            return Parts(self, one, other)
        if not callable(one):
            assert one == other, name
            return one

        def ask(*args: Any, **more: Any) -> Any:
            answer, others = one(*args, **more), other(*args, **more)
            if not self.begins:  # else the one is told of more than the other, and not in the same order
                assert self._said(answer) == self._said(others), name
                self.agree()
            return answer

        return ask

    def _said(self, answer: object) -> object:
        """Return an answer without what only the other can tell: of what is over, that nothing has come of it."""
        match answer:
            case Considered(changed):  # what was looked at is not the same, nor when; only what has come of it
                return self._said(sorted(changed, key=lambda one: one.leader.id))
            case Changed(before, after, leader):
                said = Changed(*(self._without_why(copy, leader) for copy in (before, after)), _said_of(leader))
                is_news = before != after and said.before != said.after
                return said if is_news and leader.id in self.forgets.orders else None
            case (Order() as leader, action):
                return _said_of(leader), action
            case list():
                return [said for one in answer if (said := self._said(one)) is not None]
        return answer

    def _without_why(self, copy: Copy, leader: Order) -> Copy:
        """Return a copy; what is over is explained anew whenever somebody looks at it."""
        forgotten = self.forgets.retention.forgotten
        is_over = copy.stage is Stage.ENDED or (forgotten and ended_before(leader, forgotten.day))
        return replace(copy, reason=None, error="") if is_over else copy

    def agree(self) -> None:
        """See that the same is wanted, and that the ledger is the same but for orders that are forgotten."""
        one, other = self.remembers.work_queue, self.forgets.work_queue
        assert {
            order_id: lane for order_id, lane in one._wanted.items() if self._may_be_sent(order_id)
        } == other._wanted
        assert {order_id: at for order_id, at in one._wakes.items() if order_id in self.forgets.orders} == other._wakes
        held = {_key(one): one for one in self.remembers.positions.ledger.everything()}
        for one in self.forgets.positions.ledger.everything():
            assert self._judged(one) == self._judged(held.pop(_key(one)))
        assert not [one for one in held.values() if isinstance(one, Line)]

    def _may_be_sent(self, order_id: str) -> bool:
        """Whether what is wanted for an order is not too old: that is only found when it is decided again."""
        forgotten = self.forgets.retention.forgotten
        is_old = forgotten and ended_before(self.remembers.orders[order_id], forgotten.day)
        return not is_old or order_id in self.forgets.work_queue._wanted

    def _judged(self, one: Line | Allocation) -> Line | Allocation:
        """Return how an order was judged without what means nothing once it is over, and depends on who looked when."""
        if isinstance(one, Allocation) and (order := self.remembers.orders.get(one.leader_order_id)):
            return replace(one, reach=0, exited=Fraction(0), forgone=0) if order.is_terminal else one
        return one

    # What they need not say alike.

    @property
    def positions(self) -> Any:
        return self.remembers.positions

    def everything(self) -> list[tuple[Copy, Order]]:
        return self.remembers.everything()

    def try_again(self, order_id: str, units: int) -> list[Changed] | None:
        if order_id not in self.forgets.orders:
            return self.forgets.try_again(order_id, units)
        return self.__getattr__("try_again")(order_id, units)  # type: ignore[no-any-return]


def _said_of(leader: Order) -> Order:
    """What closes a line knows a price from an order of it, and those of an earlier day may be forgotten."""
    return replace(leader, last_price=None) if is_closing(leader.id) else leader


def _net(engine: CopyEngine) -> dict[LineKey, int]:
    """Return what the account holds, by its positions and by its orders since."""
    positions = engine.positions
    net = positions.holdings.account._expected(positions.ledger.copied())
    return {key: units for key, units in net.items() if units}


def _key(one: Line | Allocation) -> object:
    return one.key if isinstance(one, Line) else one.leader_order_id


#: What is kept of lines and of the market, and not of orders.
NOT_OF_ORDERS = {
    "Context._slices",
    "Context.instruments",
    "OwnNet._by_orders",
    "OwnNet._by_reads",
    "OwnNet._traded",
    "PositionReads._filled_at",
    "PositionReads._fills",
    "PositionReads._streaks",
    "Ledger.leader_base",
    "Ledger.lines",
    "Ledger._versions",
}


def entries_of(engine: CopyEngine) -> Counter[str]:
    """Return how many entries a desk keeps of orders, in all that it is made of, by the name of what holds them."""
    entries: Counter[str] = Counter()
    parts, seen = [engine], set[int]()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        for name, value in vars(part).items():
            if isinstance(value, dict):
                inside = [one for one in value.values() if _is_part(one)]
                parts += inside
                if inside:
                    continue  # the parts of each leader
                entries[f"{type(part).__name__}.{name}"] += sum(
                    len(one) if isinstance(one, dict | set | tuple) else 1 for one in value.values()
                )
            elif isinstance(value, set | list):
                entries[f"{type(part).__name__}.{name}"] += len(value)
            elif _is_part(value):
                parts.append(value)
    return +Counter({where: count for where, count in entries.items() if where not in NOT_OF_ORDERS})


def _is_part(value: object) -> bool:
    return type(value).__module__.startswith("copytrade.") and hasattr(value, "__dict__")


class Days(Copying):
    """The days pass: the broker clears its books, or is late to; what was told is told again; both desks restart."""

    def an_engine(self, *held: Line | Allocation, copies: Iterable[Copy] = ()) -> Any:
        self.cleared: set[str] = set()
        at = float(next(self.ticks))
        return Both(self.a_desk_with(held, copies, at), self.a_desk_with(held, copies, at))

    def a_desk_with(self, held: Iterable[Line | Allocation], copies: Iterable[Copy], at: float) -> CopyEngine:
        terms = replace(policy(self.sizing), late_after=HOURS, max_missed_age=HOURS)
        engine = CopyEngine("alice", terms, CAPITALS, MARKET_RULES, absence_window=3.0)
        lines = [one for one in held if isinstance(one, Line)]
        allocations = [one for one in held if isinstance(one, Allocation)]
        engine.load(copies, lines, allocations, NOW - timedelta(hours=1), at, self.day)
        engine.know_instruments({OPTION: INSTRUMENT})
        knows_positions(engine, *lines, at=self.today)
        engine.set_gate(is_open=True)
        return engine

    def desks(self) -> list[CopyEngine]:
        both: Both = self.engine  # type: ignore[assignment]
        return [both.remembers, both.forgets]

    @property
    def day(self) -> date:
        return self.today.astimezone(IST).date()

    def in_the_book(self, orders: dict[str, Order]) -> list[Order]:
        return [order for order in orders.values() if order.id not in self.cleared]

    @precondition(lambda self: self.orders_left)
    @rule(side=st.sampled_from(Side), lots=LOTS, got=LOTS, copied=st.sampled_from(["none", "part", "whole"]))
    def the_leader_gets_what_he_wants(self, side: Side, lots: int, got: int, copied: str) -> None:
        """All of it, or so many lots until now; and the follower what is wanted then, or some of it."""
        self.orders_left -= 1
        filled = min(lots, got) * LOT
        status = Status.TRADED if got >= lots else Status.PART_TRADED
        self.leader_places(side, lots * LOT, status=status, filled_quantity=filled, average_price=Decimal(100))
        self.sights_are_lost_and_the_book_is_read()
        while self.is_anything_wanted() and not self.in_flight:
            self.sends_what_is_wanted()
            for flight in list(self.in_flight):
                self.in_flight.remove(flight)
                self.finish(flight, "accepted")
        for order in list(self.broker.values()):
            if copied != "none" and not order.is_terminal:
                self.fill(order, order.quantity if copied == "whole" else LOT)
                self.sees_own(self.broker[order.id])

    @precondition(lambda self: self.today < NOW + timedelta(days=4))
    @rule(expires=st.sets(st.integers(0, 5)), clears=st.booleans(), days=st.integers(1, 3))
    def the_day_ends(self, expires: set[int], clears: bool, days: int) -> None:
        """Some orders rest over night. In the morning both books are read, and then the broker clears them."""
        self.late.clear()
        for index, order in enumerate(list(self.leader.values())):
            if not order.is_terminal and index % 6 in expires:
                self.leader_does(order, status=Status.EXPIRED)
        for index, order in enumerate(list(self.broker.values())):
            if not order.is_terminal and index % 6 in expires:
                self.broker[order.id] = self.changes(order, status=Status.EXPIRED)
        self.today += timedelta(days=days)
        self.orders_left += 4
        self.sights_are_lost_and_the_book_is_read()
        self.the_own_book_is_read()
        for order_id in list(self.engine.remembers.work_queue._wakes):  # by then, what was waited for has come
            self.engine.wake(order_id)
        self.is_anything_wanted()
        self.what_is_over_is_forgotten()
        if clears:
            self.the_broker_clears_its_books()

    @rule()
    def what_is_over_is_forgotten(self) -> None:
        """As at any read of the books.

        An exit that found nothing to leave is over with its day. It is not asked any more for what is overdue, should
        the copy of a later one fail: what ended without us stays ended.
        """
        self.engine.forgets.forget_before(self.day)
        for order_id in self.leader:
            if order_id not in self.engine.forgets.orders:
                self.engine.remembers.positions.retire(order_id)

    @precondition(lambda self: self.ended_today(self.leader))
    @rule(index=st.integers(0, 99))
    def the_broker_corrects_an_order_of_the_leaders(self, index: int) -> None:
        """Of an order that had ended another price comes to light, or a fill, where there was more to fill."""
        if ended := self.ended_today(self.leader):
            self.leader_does(self.corrected(ended[index % len(ended)]))

    @precondition(lambda self: self.ended_today(self.broker))
    @rule(index=st.integers(0, 99))
    def the_broker_corrects_a_copy(self, index: int) -> None:
        if ended := self.ended_today(self.broker):
            order = ended[index % len(ended)]
            after = self.broker[order.id] = self.changes(self.corrected(order))
            self.was_late = self.was_late or after.filled_quantity > order.filled_quantity  # than anybody asked for

    def ended_today(self, orders: dict[str, Order]) -> list[Order]:
        return [one for one in orders.values() if one.is_terminal and not ended_before(one, self.day)]

    def corrected(self, order: Order) -> Order:
        filled = min(order.quantity, order.filled_quantity + LOT) if order.status is Status.CANCELLED else None
        price = (order.average_price or order.price) + Decimal("0.05")
        return replace(order, filled_quantity=filled or order.filled_quantity, average_price=price)

    @rule()
    def the_broker_clears_its_books(self) -> None:
        for order in (*self.leader.values(), *self.broker.values()):
            if ended_before(order, self.day):
                self.cleared.add(order.id)

    @precondition(lambda self: self.leader)
    @rule(index=st.integers(0, 99))
    def an_order_is_told_of_again(self, index: int) -> None:
        """By a frame that comes late, or twice, or by a feed that begins anew: it is no news if it is forgotten."""
        order = list(self.leader.values())[index % len(self.leader)]
        if self.engine.forgets.retention.is_forgotten(order):
            assert self.engine.forgets.leader_changed(order, None) == []
            assert order.id not in self.engine.forgets.orders
        else:
            self.engine.leader_changed(order, None)

    @precondition(lambda self: self.broker)
    @rule(index=st.integers(0, 99))
    def an_own_order_is_told_of_again(self, index: int) -> None:
        order = list(self.broker.values())[index % len(self.broker)]
        if self.engine.forgets.retention.is_forgotten_own(order):
            assert self.engine.forgets.own_orders.seen(order, None) is None
            self.engine.agree()
        else:
            self.engine.own_orders.seen(order, None)

    @rule(was_sent=st.booleans())
    def restarts(self, was_sent: bool) -> None:
        """The feeds live on, and tell what they know; both desks know again what is in the database.

        There is nothing in it of the one that is not in that of the other: what was forgotten was written down before.
        A restart takes what is over for working until it is looked at, and is told of it in another order where some
        was forgotten. So that orders stand in the same line, and the same exit is asked for what is overdue, both take
        over what the one has come to know.
        """
        for flight in self.in_flight:
            if was_sent:
                self.carry_out(flight)
        self.in_flight.clear()
        at = float(next(self.ticks))
        desks = self.engine.remembers, self.engine.forgets
        remembers, forgets = (self.a_desk_with(*self.written(desks[0], engine), at) for engine in desks)
        for engine in (remembers, forgets):
            for order in chronological(self.own_book):
                engine.own_orders.seen(order, None)
            for order in chronological(self.leader_book):
                engine.leader_changed(order, None)
            engine.look_again()
        self.engine = Both(remembers, forgets)
        self.engine.begins = True
        self.the_own_book_is_read()
        self.sights_are_lost_and_the_book_is_read()
        remembers.positions.working._orders = {
            key: dict(line) for key, line in forgets.positions.working._orders.items()
        }
        remembers.work_queue._numbers = dict(forgets.work_queue._numbers)
        remembers.work_queue._next_number = itertools.count(len(remembers.work_queue._numbers))
        forgets.work_queue._next_number = itertools.count(len(forgets.work_queue._numbers))
        self.engine.begins = False
        self.is_anything_wanted()

    @precondition(lambda self: not self.cleared)
    @rule(was_sent=st.booleans())
    def the_program_restarts(self, was_sent: bool) -> None:
        """The feeds know no more than the broker shows."""
        self.leader_book, self.own_book = Book(), Book()
        self.restarts(was_sent)

    def written(self, all_of: CopyEngine, engine: CopyEngine) -> tuple[list[Line | Allocation], list[Copy]]:
        """Return what is in a desk's database: what it knows, and of what it has forgotten what the other knows."""
        held = {
            _key(one): one for one in (*all_of.positions.ledger.everything(), *engine.positions.ledger.everything())
        }
        copies = {(copy.leader_order_id, copy.n): copy for copy in (*all_of.copies, *engine.copies)}
        return list(held.values()), list(copies.values())

    @invariant()
    def what_the_account_holds_is_the_same(self) -> None:
        assert _net(self.engine.remembers) == _net(self.engine.forgets)
        assert [one.id for one in self.engine.remembers.own_orders.orphan_orders] == [
            one.id for one in self.engine.forgets.own_orders.orphan_orders
        ]

    def is_copied_or_explained(self, leader: Order) -> None:
        if leader.id not in self.cleared:
            super().is_copied_or_explained(leader)

    def the_leader_goes_home(self) -> None:
        """The day after it nothing is remembered of all that, unless something is held."""
        super().the_leader_goes_home()
        self.the_day_ends(set(range(6)), clears=True, days=1)
        self.the_own_book_is_read()
        forgets = self.engine.forgets
        forgets.positions.ledger.take_unwritten()
        if not forgets.positions.holdings.lines_held() and not forgets.positions.ledger._duplicated:
            assert not entries_of(forgets), entries_of(forgets)


Days.TestCase.settings = hypothesis.settings(
    max_examples=int(os.environ.get("COPYTRADE_HISTORIES", "300")),
    derandomize="COPYTRADE_HISTORIES" not in os.environ,
    stateful_step_count=60,
    report_multiple_bugs=False,
    deadline=None,
)
TestDays = Days.TestCase
