"""The outcomes of a follower's requests: accepted, refused or unknown, and what follows from each."""

import itertools
from collections.abc import Callable
from datetime import datetime

from actors.follower.gateway import audit_of
from actors.follower.messages import RequestFinished
from actors.follower.parts.account_state import AccountState
from actors.follower.parts.in_flight import Flight, InFlight
from actors.follower.parts.outbox import Outbox
from actors.follower.parts.own_order_book import OwnBook
from actors.follower.parts.permits import Permits
from copytrade.brokers.outcomes import Accepted, Refusal, Refused
from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.model.copies import Copy, LatencyBreakdown, Stage
from copytrade.core.model.ledger import Part
from copytrade.reports.log_lines import order_log
from copytrade.reports.percentiles import Latencies

#: Refusals of the account itself, which only a person can change.
_SUSPENDING = (Refusal.ADDRESS, Refusal.ACCOUNT)

#: Refusals that concern the whole account, whatever the order.
_OF_THE_ACCOUNT = (*_SUSPENDING, Refusal.TOKEN, Refusal.RATE_LIMITED)

#: Refusals that say nothing about the order: it may be sent again.
_NOT_ITS_FAULT = (*_OF_THE_ACCOUNT, Refusal.NOT_SENT)

#: Orders that reduce a position: they are sent again after a refusal, as long as the position is held.
_LEAVING = (Part.EXIT, Part.FLATTEN)


class Outcomes:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        follower: str,
        engine: CopyEngine,
        outbox: Outbox,
        permits: Permits,
        account_state: AccountState,
        own_book: OwnBook,
        in_flight: InFlight,
        now: Callable[[], datetime],
    ) -> None:
        self._follower = follower
        self._engine = engine
        self._outbox = outbox
        self._permits = permits
        self._account_state = account_state
        self._own_book = own_book
        self._in_flight = in_flight
        self._now = now
        #: How many requests were refused or have an unknown outcome.
        self.failures = 0
        #: Latencies from the leader's update to the broker's answer, and our part of each and the broker's.
        self.latencies, self.ours, self.brokers = Latencies(), Latencies(), Latencies()

    def finish(self, finished: RequestFinished) -> None:
        """Take in the outcome of a request."""
        flight = self._in_flight.get(finished.token)
        if flight is None:
            return
        self._permits.settle(flight.permit, finished.finished)
        self._outbox.add(audit_of(self._follower, flight.action, finished.outcome.exchange))
        copy = self._engine.copies.copy(flight.copy_id)
        match finished.outcome:
            case Accepted(value=value):
                self._engine.execution.was_accepted(flight.copy_id, flight.action)
                self._account_state.accepted()
                after = self._accepted(flight, copy, value.order_id, finished)
            case Refused(refusal, code, message):
                self.failures += 1
                if refusal is Refusal.TOKEN:
                    self._account_state.doubt_token(finished.started)
                after = self._refused(flight, copy, refusal, f"{code} {message}".strip())
            case unknown:
                self.failures += 1
                self._engine.execution.came_to_nothing(flight.copy_id, flight.action, self._now())
                order_log.failed(flight.action, copy, f"outcome unknown: {unknown.cause}")
                after = transitions.in_doubt(copy, unknown.cause)
        self._in_flight.land(finished.token, after)

    def _accepted(self, flight: Flight, copy: Copy, order_id: str, finished: RequestFinished) -> Copy:
        match flight.action:
            case Place():
                breakdown = self._breakdown(flight, finished)
                latency = breakdown.ours_ms + breakdown.broker_ms if breakdown else None
                self._own_book.look_around()
                after = transitions.accepted(copy, order_id, latency, breakdown)
                if after.stage is not Stage.ENDED:
                    order_log.replicated(after)
            case Modify():
                after = transitions.modification_accepted(copy, order_id)
                order_log.modified(after)
            case Cancel():
                after = transitions.cancel_accepted(copy)
                order_log.cancelled(after)
        return after

    def _breakdown(self, flight: Flight, finished: RequestFinished) -> LatencyBreakdown | None:
        """Return how long each step of a placement took, None if its leader order did not come live."""
        received = self._engine.orders.received(flight.leader.id)
        if received is None:
            return None
        moments = (received, flight.decided, flight.begun, finished.started, finished.finished)
        breakdown = LatencyBreakdown(*((after - before) * 1000 for before, after in itertools.pairwise(moments)))
        self.latencies.add(breakdown.ours_ms + breakdown.broker_ms)
        self.ours.add(breakdown.ours_ms)
        self.brokers.add(breakdown.broker_ms)
        return breakdown

    def _refused(self, flight: Flight, copy: Copy, refusal: Refusal, error: str) -> Copy:
        of_the_account = refusal in (*_SUSPENDING, Refusal.TOKEN)
        order_log.failed(flight.action, copy, error, is_of_the_account=of_the_account)
        if refusal in _SUSPENDING:
            self._account_state.suspend(refusal, error)
        elif refusal is Refusal.RATE_LIMITED:
            self._account_state.back_off()
        elif refusal is not Refusal.TOKEN:
            self._engine.execution.came_to_nothing(flight.copy_id, flight.action, self._now())
        again = refusal in _NOT_ITS_FAULT
        match flight.action:
            case Place(part=part):
                return (
                    transitions.not_sent(copy, error)
                    if again or part in _LEAVING
                    else transitions.place_refused(copy, error)
                )
            case Modify():
                return transitions.modify_not_sent(copy) if again else transitions.modify_refused(copy, error)
            case Cancel():
                return transitions.cancel_not_sent(copy) if again else transitions.in_doubt(copy, error)
