"""A follower's desk: everything it knows about the leader's orders and its own copies, and what it wants to do next.

Pure: it is told what happened and asked what to do. Whoever sits at it sends, records and logs.
"""

from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from copytrade import closing, lifecycle, shadow
from copytrade.agenda import Agenda, CopyId
from copytrade.book import chronological, merge
from copytrade.budget import Lane
from copytrade.closer import Closer, as_leader
from copytrade.closing import Closed
from copytrade.copies import Copy, Stage
from copytrade.decisions import (
    NOT_LIMITED,
    Allotted,
    Cancel,
    Decision,
    Done,
    Flag,
    Lookup,
    Modify,
    Place,
    Policy,
    Situation,
    Skip,
    Wait,
)
from copytrade.doubt import Doubt, Visibility
from copytrade.drift import Apart
from copytrade.filters import EVERYTHING
from copytrade.freeze import FreezeTable
from copytrade.instruments import Instrument, from_order
from copytrade.ledger import Allotment, Baseline, Line, LineKey, Part, Working, line_of
from copytrade.market import MarketHours
from copytrade.mirror import decide, not_for_copying
from copytrade.orders import IST, InstrumentKey, Order, Status, order_of, trade_date
from copytrade.positions import Positions, allotted
from copytrade.protection import Breach, Result
from copytrade.reasons import Reason
from copytrade.sizing import Capitals
from copytrade.tally import Tally

Action = Place | Modify | Cancel

#: Seconds after which an order that the broker took a cancellation for, and that still rests, is cancelled again.
CANCEL_PATIENCE = 5.0


class Changed(msgspec.Struct, frozen=True):
    """A copy is not what it was."""

    before: Copy
    after: Copy
    leader: Order


class Considered(msgspec.Struct, frozen=True):
    """What came of deciding: copies that were skipped or flagged, those to be read, when to look again.

    ``wanted`` are the leader orders for which something is to be sent.
    """

    changed: list[Changed]
    in_doubt: list[CopyId]
    wake: list[tuple[str, datetime]]
    wanted: list[str]


class Surroundings(msgspec.Struct, frozen=True):
    """What the market allows: how large one order may be, and when it trades (None: always)."""

    freeze: FreezeTable
    hours: MarketHours | None


class Desk:
    """The copies of one follower, by leader order id and number.

    News mark a leader order; ``consider`` decides what is marked; what then asks for a request waits until ``pick``
    takes the most urgent. A copy is under way from ``begin`` to ``settle``, and held while a request that could not be
    made waits for its next try; neither is changed meanwhile.
    """

    def __init__(
        self,
        follower: str,
        policy: Policy,
        capitals: Capitals,
        surroundings: Surroundings,
        absence_window: float = 10.0,
        set_aside: Set[str] = frozenset(),
        *,
        only_closes: bool = False,
    ) -> None:
        self._follower = follower
        self._policy = policy
        self._capitals = capitals
        self._surroundings = surroundings
        self._instruments: Mapping[InstrumentKey, Instrument] | None = None
        self._gate_open = False
        self._orders: dict[str, Order] = {}
        self._received: dict[str, float | None] = {}
        self._copies: dict[str, dict[int, Copy]] = {}
        self._absence_window = absence_window
        self._set_aside = set_aside
        #: The leader order that was dealt with last, or is being dealt with.
        self.subject = ""
        self._by_correlation: dict[str, CopyId] = {}
        self._by_order: dict[str, CopyId] = {}
        self._positions = Positions()
        self._closer = Closer(self._positions, self._orders, self._copies, for_good=only_closes)
        self._agenda = Agenda()
        self._settled_at: dict[CopyId, float] = {}
        self._doubts: dict[CopyId, Doubt] = {}
        self._visibility = Visibility()
        self._own_feed_up = False
        self._strangers: dict[str, Order] = {}
        self._second_copier = False
        self._in_doubt: set[CopyId] = set()
        self._decided: dict[str, tuple[datetime, Action]] = {}
        self._tally = Tally(policy.protection, self._positions) if policy.protection else None
        self._live: set[CopyId] = set()

    # What is known around the orders; each change makes every order worth another look.

    def load(
        self,
        copies: Iterable[Copy],
        lines: Iterable[Line],
        allotments: Iterable[Allotment],
        copying_since: datetime,
        at: float,
    ) -> None:
        """Take over what is in the database. What was under way then is in doubt from now, ``at`` monotonic, on."""
        self._policy = replace(self._policy, copying_since=copying_since)
        allotments = list(allotments)
        self._positions.load(lines, allotments)
        for copy in copies:
            self._settled_at[copy.leader_order_id, copy.n] = at
            self._keep(lifecycle.reloaded(copy))
        for allotment in allotments:
            if closing.is_closing(allotment.leader_order_id):
                self._take_up(self._closer.reloaded(allotment))
        self.look_again()

    def know_instruments(self, instruments: Mapping[InstrumentKey, Instrument]) -> None:
        """Take the instrument master."""
        self._instruments = instruments
        self.look_again()

    def know_leader_positions(self, baseline: Baseline) -> list[tuple[Line, Line]]:
        """Take what the leader holds apart from today's orders; return the lines that were wrong, and right."""
        corrected = self._positions.know_leader(baseline)
        for order in chronological(self._orders.values()):
            self.subject = order.id
            if order.id not in self._set_aside and not closing.is_closing(order.id):
                self._judge(order)
        self.look_again()
        return corrected

    def apart(self, net: Mapping[LineKey, int]) -> list[Apart]:
        """Return what the account holds apart from its copies, by a read of its ``net`` positions."""
        return self._positions.apart(net)

    def know_own_positions(self, baseline: Baseline) -> None:
        """Take what the follower's account holds apart from today's orders."""
        self._positions.know_own(baseline)
        self.look_again()

    def know_leader_capital(self, capital: Decimal) -> None:
        """Take the leader's start-of-day capital; a figure that is already known stays for the day."""
        self._capitals = Capitals(self._capitals.leader or capital, self._capitals.follower)
        self.look_again()

    def know_capital(self, capital: Decimal) -> None:
        """Take the follower's start-of-day capital; a figure that is already known stays for the day."""
        self._capitals = Capitals(self._capitals.leader, self._capitals.follower or capital)
        self.look_again()

    def switch_entries(self, *, enabled: bool) -> None:
        """Enter nothing more, or enter again."""
        self._policy = replace(self._policy, enabled=enabled)
        self.look_again()

    def know_breach(self, breach: Breach) -> None:
        """Take over that more was lost on a day than may be, as it was written down."""
        if self._tally is not None:
            self._tally.know_breach(breach)
            self.look_again()

    def know_result(self, result: Result) -> Breach | None:
        """Take what the account has made of the day; return the breach of the daily loss limit, if it is news."""
        if self._tally is None:
            return None
        was_lacking = self._tally.lacks_result(result.at)
        breach = self._tally.know_result(result, self._capitals.follower)
        if breach is not None or was_lacking:
            self.look_again()
        return breach

    @property
    def result(self) -> Result | None:
        """What the account had made of the day when that was last read."""
        return self._tally.result if self._tally else None

    def lacks_result(self, now: datetime) -> bool:
        """Whether entries wait because nobody knows what the account has made of the day, or not recently."""
        return self._tally is not None and self._tally.lacks_result(now)

    def is_breached(self, now: datetime) -> bool:
        """Whether the day's loss has been reached on the trading day of ``now``."""
        return self._tally is not None and self._tally.is_breached(now)

    def set_gate(self, *, is_open: bool) -> None:
        """Open or close the entry gate."""
        self._gate_open = is_open
        self.look_again()

    def own_feed(self, *, is_up: bool) -> None:
        """Take note that the account's own feed is there, or is not: only then does its silence say something."""
        self._own_feed_up = is_up
        if not is_up:
            self._doubts = {copy_id: replace(doubt, silent=False) for copy_id, doubt in self._doubts.items()}

    def look_again(self) -> None:
        """Mark every leader order dirty that is not settled."""
        self._agenda.mark(order_id for order_id, order in self._orders.items() if not self._is_settled(order))

    # News.

    def leader_changed(self, order: Order, received: float | None) -> list[Changed]:
        """Take the leader's order as it is now; ``received`` is the monotonic time of a live update, else None."""
        self.subject = order.id
        if order.id in self._set_aside:
            self._orders[order.id] = order
            self._agenda.mark([order.id])
            return []
        known = self._orders.get(order.id)
        if known is None:
            self._received[order.id] = received
        else:
            order = merge(known, order)
        self._orders[order.id] = order
        changed = self._judge(order) if self._positions.leader_is_known else []
        self._agenda.mark([order.id])
        before = _extent(known) if known else (order.quantity, 0, False)
        if self._is_exiting(order.id) or before != _extent(order):
            self._touch_line(line_of(order))
        if order.is_terminal:
            self._agenda.release_all(order.id)  # a cancellation does not wait for what else had to be tried again
        for copy in list(self._copies.get(order.id, {}).values()):
            after = lifecycle.with_leader(copy, order)
            if copy.n and after != copy:
                changed.append(self._change(copy, after, order))
        return changed + self._fill_shadows(order) if self._policy.dry_run else changed

    def _judge(self, order: Order) -> list[Changed]:
        """Have the ledger take in a leader order; what becomes an exit by it is one in its untouched copies too."""
        return [
            self._change(copy, replace(copy, part=Part.EXIT), self._orders[order_id])
            for order_id in self._positions.leader_seen(order)
            if order_id in self._orders
            for copy in list(self._copies.get(order_id, {}).values())
            if copy.is_open and copy.part is Part.ENTRY and self._is_untouched(order_id, copy)
        ]

    def _is_untouched(self, order_id: str, copy: Copy) -> bool:
        leader = self._orders[order_id]
        return not (leader.is_terminal or leader.filled_quantity or copy.filled_quantity)

    def own_changed(self, order: Order, received: float | None) -> Changed | None:
        """Take the broker's word about one of this account's orders; None if it is none of our copies."""
        self._positions.own_seen(order)
        if received is not None:
            self._visibility.told(order.id, received)
        copy_id = self._by_order.get(order.id) or self._by_correlation.get(order.correlation_id)
        leader = self._orders.get(copy_id[0]) if copy_id else None
        copy = self.copy(copy_id) if copy_id else None
        self.subject = copy_id[0] if copy_id else ""
        if self.subject in self._set_aside:
            return None
        if copy_id is None or copy is None or (leader is not None and lifecycle.is_foreign(copy, order, leader)):
            if order.is_ours:
                self._strangers[order.id] = order
            self._touch_line(line_of(order))
            return None
        if copy.order_id and copy.order_id != order.id:
            copy = self._twin(copy, order, leader or as_leader(copy, order))
            copy_id = (copy.leader_order_id, copy.n)
        self._agenda.release(copy_id)
        after = lifecycle.observed(copy, order, leader, busy=self._agenda.is_under_way(copy_id))
        if order.status is Status.TRADED and copy.fill_ms is None:
            after = replace(after, fill_ms=self._since_received(copy_id[0], received))
        changed = self._change(copy, after, leader or as_leader(copy, order))
        self._touch(changed)
        return changed

    def _twin(self, copy: Copy, order: Order, leader: Order) -> Copy:
        """Take in a second order with the id of a copy, so that it is cancelled."""
        twin = lifecycle.found(copy, order, leader, 1 + max(self._copies[copy.leader_order_id]), Part.TWIN)
        self._keep(twin)
        return twin

    @property
    def strangers(self) -> list[Order]:
        """Return the account's orders that carry an id of ours and that nothing in the database speaks of."""
        return list(self._strangers.values())

    def adopt_strangers(self, now: datetime) -> list[Changed]:
        """Take orders for ours that the database has lost, where they fit the leader's order; keep the others."""
        adopted = []
        for order in sorted(self._strangers.values(), key=lambda order: order.correlation_id):
            named = order_of(order.correlation_id)
            leader = self._orders.get(named[0]) if named else None
            allotment = self._positions.allotment(leader.id) if leader else None
            if named is None or leader is None or allotment is None or named[1] in self._copies.get(leader.id, {}):
                continue
            part = Part.EXIT if allotment.is_exit else Part.ENTRY
            copy = lifecycle.found(self._new_copy(leader, now), order, leader, named[1], part)
            if lifecycle.is_foreign(copy, order, leader):
                continue
            del self._strangers[order.id]
            self._copies.get(leader.id, {}).pop(0, None)
            self._keep(copy)
            if changed := self.own_changed(order, None):
                adopted.append(changed)
        return adopted

    @property
    def knows_leader(self) -> bool:
        """Whether the leader's orders and positions are known."""
        return self._gate_open and self._positions.leader_is_known

    def suspect_second_copier(self) -> None:
        """Enter nothing any more: somebody else sends orders with our ids."""
        self._second_copier = True
        self.look_again()

    # Deciding.

    def consider(self, now: datetime) -> Considered:
        """Decide every dirty order."""
        considered = Considered([], [], [], [])
        if self._closer.is_at_work:
            self._go_on_closing(now)
        for order_id in self._agenda.take_marked():
            leader = self._orders.get(order_id)
            if leader is not None:
                self._note(leader, self._decide(leader, now), considered, now)
        return considered

    def _note(self, leader: Order, decision: Decision, considered: Considered, now: datetime) -> None:
        match decision:
            case Place() | Modify() | Cancel():
                self._agenda.want(leader.id, self.lane_of(leader, decision))
                considered.wanted.append(leader.id)
                self._decided[leader.id] = now, decision
            case Lookup(n):
                considered.in_doubt.append((leader.id, n))
            case Flag(n):
                copy = self.copy((leader.id, n))
                considered.changed.append(self._change(copy, lifecycle.flagged(copy, decision), leader))
                self._note(leader, self._decide(leader, now), considered, now)
            case Done() if self._is_settled(leader):
                self._positions.retire(leader.id)
            case Skip():
                considered.changed.extend(self.skip(leader.id, decision, now))
            case _:
                pass
        until = decision.until if isinstance(decision, Wait | Skip) else None
        if until is not None and self._agenda.wake(leader.id, until):
            considered.wake.append((leader.id, until))

    def wants(self, order_id: str) -> bool:
        """Whether something is to be sent for a leader order."""
        return self._agenda.is_wanted(order_id)

    def lane(self) -> Lane | None:
        """Return the most urgent lane in which something could be sent now, None if there is nothing."""
        ready = self._agenda.ready(self._underlying_of)
        return self._agenda.lane_of(ready[0]) if ready else None

    def pick(self, now: datetime) -> tuple[Order, Action] | None:
        """Return the most urgent leader order and what to send for it, decided afresh; None if nothing is left.

        What ``consider`` has just decided, at the same ``now``, is fresh.
        """
        for order_id in self._agenda.ready(self._underlying_of):
            leader = self._orders[order_id]
            decision = self._decided_at(order_id, now) or self._decide(leader, now)
            self._agenda.take(order_id)
            if isinstance(decision, Place | Modify | Cancel):
                return leader, decision
        return None

    def _decided_at(self, order_id: str, now: datetime) -> Decision | None:
        at, decision = self._decided.pop(order_id, (None, None))
        return decision if at == now and not self._agenda.is_marked(order_id) else None

    def is_overtaken(self, order_id: str, action: Action) -> bool:
        """Whether the leader's order has ended while a request for it was on its way to the sender."""
        leader = self._orders[order_id]
        if self._closer.is_at_work and isinstance(action, Place) and action.part is Part.ENTRY:
            return True
        if not leader.is_terminal or leader.status is Status.TRADED:
            return False
        if isinstance(action, Place):
            return not leader.filled_quantity
        return isinstance(action, Modify) and self.copy((order_id, action.n)).part is Part.ENTRY

    # What is done.

    def begin(self, leader: Order, action: Action, now: datetime) -> Changed:
        """Note that a request is under way. Raises ValueError where no correlation id fits the leader's order id."""
        copy_id = (leader.id, action.n)
        match action:
            case Place():
                copy = self._copies.get(leader.id, {}).get(action.n) or self._new_copy(leader, now)
                after = self._placing(lifecycle.with_leader(copy, leader), action)
                self._copies.get(leader.id, {}).pop(0, None)
            case Modify():
                copy = self.copy(copy_id)
                after = lifecycle.modifying(copy, action)
            case Cancel():
                copy = self.copy(copy_id)
                after = lifecycle.cancelling(copy, action)
        is_entry = isinstance(action, Place) and action.part is Part.ENTRY
        if self._tally is not None:
            self._decided.clear()  # what else was decided was judged without this one
        self._agenda.begin(copy_id, self._underlying_of(leader.id) if is_entry else "")
        return self._change(copy, after, leader)

    def _placing(self, copy: Copy, place: Place) -> Copy:
        allotment = self._positions.allotment(copy.leader_order_id)
        ratio = allotment.ratio if allotment else None
        if allotment and place.part is not Part.ENTRY:
            ratio = self._positions.line(allotment.line).ratio
        return lifecycle.placing(copy, place, ratio, self._policy.sizing.strategy)

    def keep_back(self, leader: Order, action: Action, now: datetime) -> list[Changed]:
        """Do as if a request had been sent and taken: nothing is. Raises ValueError as ``begin`` does."""
        begun = self.begin(leader, action, now)
        copy_id, copy = (leader.id, action.n), begun.after
        match action:
            case Place():
                after = lifecycle.accepted(copy, shadow.order_id(copy), None)
            case Modify():
                after = lifecycle.accepted(copy, copy.order_id, copy.latency_ms)
            case Cancel():
                after = lifecycle.cancel_accepted(copy)
        changed = self.settle(copy_id, after, self._settled_at.get(copy_id, 0.0))
        return [replace(changed[0], before=begun.before), *changed[1:], *self._fill_shadows(leader)]

    def _fill_shadows(self, leader: Order) -> list[Changed]:
        """Have what was never sent fill, or end, as the leader's order does."""
        changed = []
        for copy in list(self._copies.get(leader.id, {}).values()):
            if copy.stage is Stage.LIVE and shadow.is_shadow(copy):
                lot_size = self._positions.lot_size(leader.id)
                order = shadow.order_of(copy, leader, lot_size, leader.event_at)
                if told := self.own_changed(order, None):
                    changed.append(told)
        return changed

    def book_read(self, began: float, order_ids: Set[str], *, complete: bool) -> list[Changed]:
        """Take note of a read of our own book, begun at a monotonic time: it ends doubts older than that.

        Only where it was ``complete``, every row readable, does it say anything by what it lacks.
        """
        resolved = []
        if complete:
            self._visibility.read(began, order_ids)
            self._doubts = {copy_id: doubt.after_read(began) for copy_id, doubt in self._doubts.items()}
            resolved += self._resolve_absent()
        for copy_id in sorted(self._in_doubt):
            copy, leader = self.copy(copy_id), self._orders.get(copy_id[0])
            if leader is None or copy.order_id not in order_ids:
                continue
            if self._settled_at.get(copy_id, 0.0) < began:
                self._agenda.release(copy_id)
                resolved.append(self._change(copy, lifecycle.was_read(copy), leader))
        for copy_id in sorted(self._live):
            copy, leader = self.copy(copy_id), self._orders.get(copy_id[0])
            overdue = began > self._settled_at.get(copy_id, 0.0) + CANCEL_PATIENCE
            if leader is not None and copy.cancel_sent and overdue and copy.order_id in order_ids:
                resolved.append(self._change(copy, lifecycle.cancel_came_to_nothing(copy), leader))
        self._agenda.mark(changed.leader.id for changed in resolved)
        self._agenda.mark(order_id for order_id, _ in sorted(self._in_doubt) if order_id in self._orders)
        return resolved

    def searched(self, correlation_id: str, began: float) -> list[Changed]:
        """Take note that the broker, asked for an id, showed no order; asked at a monotonic time."""
        copy_id = self._by_correlation.get(correlation_id)
        if copy_id is not None and copy_id in self._doubts:
            self._doubts[copy_id] = self._doubts[copy_id].after_search(began)
        return self._resolve_absent()

    def _resolve_absent(self) -> list[Changed]:
        """Free what is proven not to exist, to be decided anew."""
        window = self._visibility.window(self._absence_window)
        resolved = []
        for copy_id, doubt in list(self._doubts.items()):
            leader = self._orders.get(copy_id[0])
            if leader is not None and doubt.is_absent(window) and not self._agenda.is_under_way(copy_id):
                self._agenda.release(copy_id)
                copy = self.copy(copy_id)
                resolved.append(self._change(copy, lifecycle.proven_absent(copy), leader))
                self._touch(resolved[-1])
        return resolved

    def settle(self, copy_id: CopyId, after: Copy, at: float) -> list[Changed]:
        """Note a request's outcome, known at a monotonic time: the copy as it is after it."""
        self._agenda.end(copy_id)
        self._settled_at[copy_id] = at
        leader, before = self._orders[copy_id[0]], self.copy(copy_id)
        twin = after.order if after.order and after.order.id != after.order_id else None
        if twin:  # the one that the feed has shown is not the one that the broker has answered about
            after = replace(after, order=None, stage=Stage.LIVE)
        if before.stage is Stage.PENDING and after.stage is Stage.LIVE and not self._policy.dry_run:
            self._visibility.accepted(after.order_id, at, told=before.order is not None)
        changed = [self._change(before, after, leader)]
        if twin and (doubled := self.own_changed(twin, None)):
            changed.append(doubled)
        self._touch(changed[0])
        return changed

    def skip(self, order_id: str, skip: Skip, now: datetime) -> list[Changed]:
        """Note that an order is not copied, and why, where that is news."""
        leader = self._orders[order_id]
        unsent = self._unsent(order_id) or [self._new_copy(leader, now)]
        return [
            self._change(copy, lifecycle.skipped(copy, skip), leader)
            for copy in unsent
            if copy.reason is not skip.reason
        ]

    def skip_unsent(self, skip: Skip, now: datetime) -> list[Changed]:
        """Note that nothing that waits to be placed is copied, and why; an exit goes on waiting all the same."""
        waiting = [*self._agenda.take_entries(), *self._agenda.exits()]
        unsent = [order_id for order_id in waiting if not self._sent(order_id)]
        return [changed for order_id in unsent for changed in self.skip(order_id, skip, now)]

    def hold(self, copy_id: CopyId) -> None:
        """Leave an order alone until ``release``."""
        self._agenda.hold(copy_id)

    def release(self, copy_id: CopyId) -> None:
        """Look at a held order again."""
        self._agenda.release(copy_id)
        self._agenda.mark([copy_id[0]])

    def wake(self, order_id: str) -> None:
        """Look at a leader order again: the time it waited for has come."""
        self._agenda.awake(order_id)

    # Looking around.

    def copy(self, copy_id: CopyId) -> Copy:
        """Return a copy that exists."""
        return self._copies[copy_id[0]][copy_id[1]]

    def everything(self) -> list[tuple[Copy, Order]]:
        """Return every copy with its leader order, for writing all of it down again."""
        return [
            (copy, self._orders[order_id])
            for order_id, copies in self._copies.items()
            if order_id in self._orders
            for copy in copies.values()
        ]

    @property
    def positions(self) -> Positions:
        """What the leader and the follower hold."""
        return self._positions

    def received(self, order_id: str) -> float | None:
        """Return when the live feed first told of a leader order, in monotonic seconds; None if it was recovered."""
        return self._received[order_id]

    @property
    def in_doubt(self) -> int:
        """How many copies there are of which we do not know what became."""
        return len(self._in_doubt)

    @property
    def visibility(self) -> Visibility:
        """How late the broker shows this account's orders."""
        return self._visibility

    @property
    def open_copies(self) -> int:
        """How many copies rest at the broker."""
        return len(self._live)

    def _underlying_of(self, order_id: str) -> str:
        """Return what an order's instrument is about: entries in it go out one after the other."""
        leader = self._orders[order_id]
        instrument = self._instrument(leader)
        return instrument.underlying if instrument else f"{leader.key.segment}:{leader.key.security_id}"

    def lane_of(self, leader: Order, action: Action) -> Lane:
        """Return how urgent a request is."""
        match action:
            case Cancel():
                return Lane.CANCEL
            case Place(part=part):
                return Lane.ENTRY if part is Part.ENTRY else Lane.EXIT
            case Modify(n):
                return Lane.MODIFY if self.copy((leader.id, n)).part is Part.ENTRY else Lane.EXIT

    def _decide(self, leader: Order, now: datetime) -> Decision:
        self.subject = leader.id
        if leader.id in self._set_aside:
            if self._sent(leader.id):
                return Done()
            return Skip(Reason.POISON, "the follower crashed over it again and again")
        instrument = self._instrument(leader)
        situation = Situation(
            instrument=instrument,
            master_read=self._instruments is not None,
            gate_open=self._gate_open,
            largest=self._largest(instrument, now),
            hours=self._surroundings.hours,
            under_way=self._agenda.waiting(leader.id),
            second_copier=self._second_copier,
            standing=NOT_LIMITED if self._tally is None else self._tally.standing(self._capitals.follower, now),
        )
        copies = list(self._copies.get(leader.id, {}).values())
        if closing.is_closing(leader.id):
            return self._decide_closing(leader, copies, situation, now)
        if self._policy.dry_run and any(copy.is_open and not shadow.is_shadow(copy) for copy in copies):
            return Wait("nothing is sent, and what rests at the broker is left as it is")
        if self._closer.is_at_work:
            if self._closer.is_awaited:
                return closing.called_off(copies, situation.under_way)
            return Wait("nothing is copied here")
        return decide(leader, copies, self._allot(leader, instrument, situation), situation, self._policy, now)

    # Trying again.

    def try_again(self, order_id: str, units: int) -> list[Changed] | None:
        """Decide a leader order afresh whose copies were over, on an operator's word: an entry for ``units`` at most.

        None where that cannot be: the order is not of today, rests, or never had a size.
        """
        leader, copies = self._orders.get(order_id), list(self._copies.get(order_id, {}).values())
        if leader is None or not copies or any(copy.is_open for copy in copies):
            return None
        if not self._positions.take_up_again(order_id, units):
            return None
        changed = [self._change(copy, lifecycle.tried_again(copy), leader) for copy in copies]
        self._agenda.mark([order_id])
        return changed

    # Closing everything.

    def close_all(self) -> None:
        """Begin to cancel every copy and to close what is held by copying, and nothing else."""
        self._closer.begin()
        self.look_again()

    def take_closed(self, now: datetime) -> Closed | None:
        """Return what came of closing, once; None while it goes on, and where nothing is being closed."""
        closed = self._closer.take_outcome(self._instruments or {}, now)
        if closed is not None:
            self.look_again()
        return closed

    @property
    def is_closing(self) -> bool:
        """Whether everything is being closed."""
        return self._closer.is_awaited

    def _go_on_closing(self, now: datetime) -> None:
        for copy in self._closer.without_leader():
            if copy.order is not None:
                self._take_up(as_leader(copy, copy.order))
        for allotment in self._closer.due(now):
            self._take_up(self._closer.take_up(allotment))

    def _take_up(self, order: Order) -> None:
        """Let an order of our own making stand where the leader's would."""
        self._orders[order.id] = order
        self._received[order.id] = None
        self._agenda.mark([order.id])

    def _decide_closing(self, leader: Order, copies: list[Copy], situation: Situation, now: datetime) -> Decision:
        """Decide about an order that closes a line: no more than is held, and nothing once closing is over."""
        allotment = self._positions.allotment(leader.id)
        if allotment is None or not self._closer.closes(leader.id):
            return Done()
        total = self._positions.still_to_close(allotment, sum(copy.filled_quantity for copy in copies))
        policy = replace(self._policy, instruments=frozenset({EVERYTHING}))
        return decide(leader, copies, Allotted((Part.CLOSE,), closing=total), situation, policy, now)

    def _allot(self, leader: Order, instrument: Instrument | None, situation: Situation) -> Allotted | None:
        """Ask the ledger; an order that is not for copying is not sized, and takes nothing from it."""
        allotment = self._positions.allotment(leader.id)
        if allotment is None or instrument is None:
            return None
        copies = self._copies.get(leader.id, {})
        if not self._sent(leader.id) and allotment.ratio is None:
            is_dead = leader.is_terminal and leader.status is not Status.TRADED and not leader.filled_quantity
            settled = any(copy.is_settled for copy in copies.values())
            if is_dead or settled or not_for_copying(leader, situation, self._policy):
                return Allotted(())
        entry = None
        if allotment.entry_of(leader.quantity) or allotment.ratio is not None:
            opening = not any(
                self._is_entering(member) for member in self._positions.working(allotment.line) if member != leader.id
            )
            entry = self._positions.size_entry(
                leader, instrument, self._policy.sizing, self._capitals, is_opening=opening
            )
        exits = self._exits(allotment.line, situation) if allotment.exit_of(leader.quantity) else []
        return allotted(leader, self._positions, entry, exits)

    def _is_entering(self, order_id: str) -> bool:
        """Whether an entry of the line works, so that its ratio is in use."""
        order, allotment = self._orders.get(order_id), self._positions.allotment(order_id)
        if order is None or allotment is None or allotment.ratio is None:
            return False
        return not order.is_terminal or any(copy.is_open for copy in self._copies.get(order_id, {}).values())

    def _exits(self, line: LineKey, situation: Situation) -> list[Working]:
        """Return the exits of a line that are copied, in the order in which the leader placed them."""
        working = []
        for member in self._positions.working(line):
            order, allotment = self._orders.get(member), self._positions.allotment(member)
            if order is None or allotment is None or not allotment.exit_of(order.quantity):
                continue
            mine = self._copies.get(member, {}).values()
            copies = [copy for copy in mine if copy.stage is not Stage.NONE and copy.part is Part.EXIT]
            if not copies and not_for_copying(order, situation, self._policy):
                continue
            left = 0 if order.is_terminal else allotment.exit_of(order.quantity) - allotment.leader_exited
            working.append(
                Working(
                    leader_order_id=member,
                    side=order.side,
                    is_stop=order.order_type.has_trigger,
                    leader_open=left,
                    has_filled=allotment.leader_exited > 0,
                    open=sum(copy.exposure for copy in copies),
                    is_final=any(copy.is_final for copy in copies),
                )
            )
        return working

    def _largest(self, instrument: Instrument | None, now: datetime) -> int | None:
        if instrument is None:
            return None
        today = now.astimezone(IST).date()
        return self._surroundings.freeze.slice_of(instrument.underlying, instrument.lot_size, today)

    def _instrument(self, leader: Order) -> Instrument | None:
        known = self._instruments.get(leader.key) if self._instruments is not None else None
        return known or from_order(leader)

    def _sent(self, order_id: str) -> bool:
        return any(copy.stage is not Stage.NONE for copy in self._copies.get(order_id, {}).values())

    def _unsent(self, order_id: str) -> list[Copy]:
        """Return the copies that say why nothing was sent, or that are to be sent again."""
        return [copy for copy in self._copies.get(order_id, {}).values() if copy.stage is Stage.NONE]

    def _is_settled(self, order: Order) -> bool:
        """Whether nothing is left to be done about a leader order, unless its line moves."""
        copies = self._copies.get(order.id)
        if not copies:
            return False
        if not self._sent(order.id):
            return all(copy.is_settled for copy in copies.values())
        return order.is_terminal and not any(copy.is_open or copy.stage is Stage.NONE for copy in copies.values())

    def _touch(self, changed: Changed) -> None:
        """Mark a leader order dirty, and with it whatever shares its line where that is concerned.

        An entry that merely rests concerns no other order: there may be hundreds of them on a line.
        """
        self._agenda.mark([changed.leader.id])
        before, after = changed.before, changed.after
        has_moved = (before.filled_quantity, before.stage) != (after.filled_quantity, after.stage)
        if after.part is not Part.ENTRY or (has_moved and (after.filled_quantity or after.stage is Stage.ENDED)):
            self._touch_line(line_of(changed.leader))

    def _is_exiting(self, order_id: str) -> bool:
        allotment = self._positions.allotment(order_id)
        return allotment is None or allotment.is_exit

    def _touch_line(self, key: LineKey) -> None:
        self._agenda.mark(member for member in self._positions.working(key) if member in self._orders)

    def _since_received(self, order_id: str, received: float | None) -> float | None:
        begun = self._received.get(order_id)
        return None if begun is None or received is None else (received - begun) * 1000

    def _new_copy(self, leader: Order, now: datetime) -> Copy:
        return Copy(leader.id, self._follower, trade_date(leader), now, leader_quantity=leader.quantity)

    def _change(self, before: Copy, after: Copy, leader: Order) -> Changed:
        if after.filled_quantity != before.filled_quantity:
            beside = sum(
                copy.filled_quantity
                for copy in self._copies.get(leader.id, {}).values()
                if copy.part is after.part and copy.n != after.n
            )
            self._positions.copy_filled(
                leader.id, after.part, beside + before.filled_quantity, beside + after.filled_quantity
            )
        self._keep(after)
        return Changed(before, after, leader)

    def _keep(self, copy: Copy) -> None:
        self._copies.setdefault(copy.leader_order_id, {})[copy.n] = copy
        copy_id = (copy.leader_order_id, copy.n)
        if copy.correlation_id and copy.part is not Part.TWIN:
            self._by_correlation[copy.correlation_id] = copy_id
        if copy.order_id:
            self._by_order[copy.order_id] = copy_id
        if self._tally is not None:
            self._tally.count(copy_id, copy)
        if copy.stage is Stage.UNKNOWN and not copy.order_id:
            self._doubts.setdefault(copy_id, Doubt(self._settled_at.get(copy_id, 0.0), self._own_feed_up))
        else:
            self._doubts.pop(copy_id, None)
        for stage, members in ((Stage.UNKNOWN, self._in_doubt), (Stage.LIVE, self._live)):
            (members.add if copy.stage is stage else members.discard)(copy_id)


def _extent(order: Order) -> tuple[int, int, bool]:
    """What of a leader order concerns the others of its line."""
    return order.quantity, order.filled_quantity, order.is_terminal
