"""What becomes of a follower's requests: accepted, refused or unknown, and what follows from each."""

import itertools
from collections.abc import Callable
from datetime import datetime

from actors.follower.gateway import audit_of
from actors.follower.parts.account_state import AccountStanding
from actors.follower.parts.in_flight import Flight, Flights
from actors.follower.parts.outbox import Journal
from actors.follower.parts.own_order_book import OwnBook
from actors.follower.parts.permits import Permits
from actors.messages import RequestFinished
from copytrade.brokers.outcomes import Accepted, Refusal, Refused
from copytrade.common.percentiles import Latencies
from copytrade.core.decide.decisions import Cancel, Modify, Place
from copytrade.core.engine.copies import transitions as lifecycle
from copytrade.core.engine.engine import Desk
from copytrade.core.model.copies import Copy, Split, Stage
from copytrade.core.model.ledger import Part
from copytrade.reports import order_log as copy_log

#: Refusals that concern the account, whatever the order, and that nothing here can mend.
_SUSPENDING = (Refusal.ADDRESS, Refusal.ACCOUNT)

#: Refusals that concern the account: they hold all of it back, and end with their cause.
_OF_THE_ACCOUNT = (*_SUSPENDING, Refusal.TOKEN, Refusal.RATE_LIMITED)

#: Refusals after which nothing is known to be wrong with the order.
_NOT_ITS_FAULT = (*_OF_THE_ACCOUNT, Refusal.NOT_SENT)


#: What takes back or leaves is wanted as long as it is held: a refusal is not the last of it.
_LEAVING = (Part.EXIT, Part.FLATTEN)


class Landing:
    """A part of a follower, in its thread."""

    def __init__(
        self,
        follower: str,
        desk: Desk,
        journal: Journal,
        permits: Permits,
        standing: AccountStanding,
        own_book: OwnBook,
        flights: Flights,
        now: Callable[[], datetime],
    ) -> None:
        self._follower = follower
        self._desk = desk
        self._journal = journal
        self._permits = permits
        self._standing = standing
        self._own_book = own_book
        self._flights = flights
        self._now = now
        #: How many requests the broker has not taken, as far as is known.
        self.failures = 0
        #: From the leader's update to the broker's answer, and what of it is ours.
        self.latencies, self.ours = Latencies(), Latencies()

    def finish(self, finished: RequestFinished) -> None:
        """Take note of what became of a request."""
        flight = self._flights.get(finished.token)
        if flight is None:
            return
        self._permits.settle(flight.permit, finished.finished)
        self._journal.add(audit_of(self._follower, flight.action, finished.outcome.exchange))
        copy = self._desk.copy(flight.copy_id)
        match finished.outcome:
            case Accepted(value=value):
                self._desk.was_accepted(flight.copy_id, flight.action)
                self._standing.accepted()
                after = self._accepted(flight, copy, value.order_id, finished)
            case Refused(refusal, code, message):
                self.failures += 1
                if refusal is Refusal.TOKEN:
                    self._standing.doubt_token(finished.started)
                after = self._refused(flight, copy, refusal, f"{code} {message}".strip())
            case unknown:
                self.failures += 1
                self._desk.came_to_nothing(flight.copy_id, flight.action, self._now())
                copy_log.failed(flight.action, copy, f"outcome unknown: {unknown.cause}")
                after = lifecycle.in_doubt(copy, unknown.cause)
        self._flights.land(finished.token, after)

    def _accepted(self, flight: Flight, copy: Copy, order_id: str, finished: RequestFinished) -> Copy:
        match flight.action:
            case Place():
                split = self._split(flight, finished)
                latency = split.ours_ms + split.broker_ms if split else None
                self._own_book.look_around()
                after = lifecycle.accepted(copy, order_id, latency, split)
                if after.stage is not Stage.ENDED:
                    copy_log.replicated(after)
            case Modify():
                after = lifecycle.modification_accepted(copy, order_id)
                copy_log.modified(after)
            case Cancel():
                after = lifecycle.cancel_accepted(copy)
                copy_log.cancelled(after)
        return after

    def _split(self, flight: Flight, finished: RequestFinished) -> Split | None:
        """Return where the time of a placement went, None if its leader order was not told of live."""
        received = self._desk.received(flight.leader.id)
        if received is None:
            return None
        moments = (received, flight.decided, flight.begun, finished.started, finished.finished)
        split = Split(*((after - before) * 1000 for before, after in itertools.pairwise(moments)))
        self.latencies.add(split.ours_ms + split.broker_ms)
        self.ours.add(split.ours_ms)
        return split

    def _refused(self, flight: Flight, copy: Copy, refusal: Refusal, error: str) -> Copy:
        copy_log.failed(flight.action, copy, error)
        if refusal in _SUSPENDING:
            self._standing.suspend(refusal, error)
        elif refusal is Refusal.RATE_LIMITED:
            self._standing.back_off()
        elif refusal is not Refusal.TOKEN:
            self._desk.came_to_nothing(flight.copy_id, flight.action, self._now())
        again = refusal in _NOT_ITS_FAULT
        match flight.action:
            case Place(part=part):
                return (
                    lifecycle.not_sent(copy, error)
                    if again or part in _LEAVING
                    else lifecycle.place_refused(copy, error)
                )
            case Modify():
                return lifecycle.modify_not_sent(copy) if again else lifecycle.modify_refused(copy, error)
            case Cancel():
                return lifecycle.cancel_not_sent(copy) if again else lifecycle.in_doubt(copy, error)
