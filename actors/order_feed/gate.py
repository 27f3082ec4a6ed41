"""The entry gate of an account, and the reads of its order book that open it."""

import time
from collections import deque

from actors.messages.feeds import GateClosed, GateOpened, Generation
from actors.messages.reads import GapRecoveryMessage, ReadBook
from actors.order_feed.messages import ConnectionId, RereadBook
from actors.order_feed.publisher import Publisher
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.common import wall_clock
from copytrade.core.model.orders import IST

#: Seconds between two prompt reads of the book: a little more than two reads have to be apart to settle what could not
#: be read or is in dispute.
PROMPT_EVERY = 1.1

#: How many gaps a feed shows of itself, the latest.
GAPS_SHOWN = 20


class Gate:
    """Open while the feed cannot have missed anything. A part of a feed, in its thread.

    Each gap has a generation. Only a read of the book that began in the present gap opens the gate.
    """

    def __init__(
        self,
        address: Recipient[RereadBook],
        epoch: int,
        clock: Clock,
        recovery: Recipient[GapRecoveryMessage],
        account: str,
        publisher: Publisher,
    ) -> None:
        self._address = address
        self._clock = clock
        self._recovery = recovery
        self._account = account
        self._publisher = publisher
        self._generation: Generation = (epoch, 0)
        self._prompted_at = -PROMPT_EVERY
        self._is_prompted = False
        self.is_open = False
        #: Whether a connection was lost since the gate was last open.
        self.is_reconnecting = False
        #: When each of the latest gaps began and ended, as ISO times in India; None for one that lasts.
        self.gaps: deque[tuple[str, str | None]] = deque([(_now(), None)], maxlen=GAPS_SHOWN)

    def close(self) -> None:
        """Close the gate, if it is open, and begin another gap."""
        epoch, number = self._generation
        self._generation = (epoch, number + 1)
        if self.is_open:
            self.is_open = False
            self.gaps.append((_now(), None))
            self._publisher.tell(GateClosed(self._account))

    def would_open(self, generation: Generation) -> bool:
        """Whether a read of this generation opens the gate."""
        return not self.is_open and generation == self._generation

    def open(self) -> None:
        """Open the gate: a read has shown what the feed may have missed."""
        self.is_open = True
        self.is_reconnecting = False
        self.gaps[-1] = (self.gaps[-1][0], _now())
        self._publisher.tell(GateOpened(self._account))

    def read_book(self, *, urgent: bool = False) -> None:
        """Have the book read; before all other reads while the gate is closed."""
        urgent, self._is_prompted = urgent or self._is_prompted or not self.is_open, False
        self._recovery.tell(
            ReadBook(self._account, self._generation, self._publisher.since, self.is_reconnecting, urgent=urgent)
        )

    def read_promptly(self, connection: ConnectionId) -> None:
        """Have the book read at once because a frame or a read leaves something open; every 1.1 s at most."""
        if self._is_prompted:
            return
        now = time.monotonic()
        if now - self._prompted_at >= PROMPT_EVERY:
            self._prompted_at = now
            self.read_book(urgent=True)
        else:
            self._is_prompted = True
            wait = self._prompted_at + PROMPT_EVERY - now
            self._clock.tell_later(wait, self._address, RereadBook(connection))

    def forget_prompt(self) -> None:
        """Forget a read that was asked for on an earlier connection: its timer no longer counts."""
        self._is_prompted = False


def _now() -> str:
    return wall_clock.now().astimezone(IST).isoformat(timespec="milliseconds")
