"""What a follower does after each message: decides what is marked, and begins the next request."""

from datetime import datetime

from actors.follower.messages import LookAgain
from actors.follower.parts.account_state import AccountState
from actors.follower.parts.in_flight import InFlight
from actors.follower.parts.loss_limit import LossLimitWatch
from actors.follower.parts.outbox import Outbox
from actors.follower.parts.own_order_book import OwnBook
from actors.follower.parts.permits import Permits
from actors.follower.parts.position_audit import PositionAudit
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.core.decide.decisions import Skip
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.lane import Lane
from copytrade.core.model.reasons import Reason
from copytrade.reports.log_lines import order_log


class Pump:
    """Runs in the follower's thread, over its parts.

    While something is wanted and no permit is on its way, one is requested. When it comes, the most urgent order is
    decided again, so that no outdated command waits in line.
    """

    def __init__(
        self,
        address: Recipient[LookAgain],
        epoch: int,
        clock: Clock,
        engine: CopyEngine,
        outbox: Outbox,
        account_state: AccountState,
        permits: Permits,
        loss_limit_watch: LossLimitWatch,
        audit: PositionAudit,
        own_book: OwnBook,
        in_flight: InFlight,
    ) -> None:
        self._address = address
        self._epoch = epoch
        self._clock = clock
        self._engine = engine
        self._outbox = outbox
        self._account_state = account_state
        self._permits = permits
        self._loss_limit_watch = loss_limit_watch
        self._audit = audit
        self._own_book = own_book
        self._in_flight = in_flight

    def run(self, now: datetime, *, is_loaded: bool) -> None:
        """Decide what is marked, then begin a request or ask for a permit.

        ``now`` is by the broker's clock. ``is_loaded``: what was copied before is known.
        """
        is_ready = is_loaded and (self._own_book.is_read or not self._engine.own_orders.orphan_orders)
        if is_ready and not self._account_state.is_draining:
            self._consider(now)
            self._audit.ask_for_exits()
        if is_ready and not self._account_state.may_send:
            self._engine.hold_up()
        if obstacle := self._account_state.obstacle:
            self._outbox.note(*self._engine.scheduler.skip_unsent(Skip(Reason.ACCOUNT_SUSPENDED, obstacle), now))
        if (waits_in := self._permits.waits_long_in) is not None:
            skip = Skip(Reason.BUDGET, "the account's request budget is used up for now")
            self._outbox.note(*self._engine.scheduler.note_waiting(waits_in, skip, now))
        self._in_flight.land_what_must_not_leave()
        may_send = is_ready and self._account_state.may_send
        lane = self._wanted_lane() if may_send else None
        permit = self._permits.spend(lane)
        if permit is not None:
            self._in_flight.begin(permit, now)
            lane = self._wanted_lane()
        if lane is not None:
            self._permits.request(lane)
        elif may_send and not self._in_flight:
            self._permits.request(Lane.SPARE)
        if self._account_state.is_draining and not self._in_flight:
            self._account_state.end_draining()

    def _consider(self, now: datetime) -> None:
        """Decide what is marked; the requests that follow come later."""
        considered = self._engine.scheduler.consider(now)
        self._outbox.note(*considered.changed)
        for difference in self._engine.context.contracts.take_differences():
            order_log.differs(self._address.name, difference)
        for before, after in self._engine.positions.holdings.take_written_off():
            self._audit.written_off(before, after)
        self._in_flight.decided(considered.wanted)
        for copy_id in considered.in_doubt:
            self._own_book.look_up(copy_id)
        for leader_order_id, until in considered.wake:
            delay = max(0.0, (until - now).total_seconds())
            self._clock.tell_later(delay, self._address, LookAgain(leader_order_id, self._epoch))
        if self._engine.flattener.is_awaited:
            self._outbox.add(*self._loss_limit_watch.mind_closing(now, self._account_state.why_nothing_leaves))

    def _wanted_lane(self) -> Lane | None:
        """Return the most urgent lane with something to send now, None if there is none."""
        lane = self._engine.scheduler.lane()
        return lane if lane is not None and self._in_flight.have_room(lane) else None
