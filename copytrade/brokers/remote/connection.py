"""A leader's news from the bus, as a feed: it ends wherever something may have been missed."""

import socket
import threading
import time
from collections import deque
from contextlib import suppress

from msgspec.structs import replace

from copytrade.brokers.api import Deliver, EndKind, FeedEnded
from copytrade.bus.leader_news import Beat, GateTold, News, OrderTold, live, read_news
from copytrade.bus.messages import Heard, MessageBus
from copytrade.common import wall_clock
from copytrade.core.model.orders import Source

#: Seconds without a beat after which the lead is taken for lost, and that a connection waits for the first one.
SILENT_AFTER, FIRST_WITHIN = 1.0, 2.0


class LeaderNews:
    """Listens to a lead. Beats and orders have one sequence of numbers; a number that is left out ends it.

    The bus's thread takes what arrives, and the thread of ``look`` delivers it.
    """

    def __init__(self, bus: MessageBus, prefix: str, leader: str, client_id: str, least_epoch: int) -> None:
        """``least_epoch`` is the greatest that was seen: an earlier lead is not listened to."""
        self._subject = live(prefix, leader)
        self._client_id = client_id
        self.epoch = least_epoch
        self._n = 0
        self._begins = threading.Event()
        self._why_not = "no lead tells of this leader"
        self._news: deque[tuple[News, float]] = deque()
        self._beat_at = 0.0
        self._is_closed = False
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)
        self._there.setblocking(False)
        self._heard: Heard | None = bus.listen(self._subject, self._take)

    def begin(self) -> FeedEnded | None:
        """Wait for the first beat of a lead that has missed nothing; return why there is none."""
        if self._heard is not None and self._begins.wait(FIRST_WITHIN):
            return None
        why = "the bus is not there" if self._heard is None else self._why_not
        self.release()
        return FeedEnded(EndKind.REFUSED, None, why)

    @property
    def due(self) -> float:
        """When the next beat is overdue."""
        return self._beat_at + SILENT_AFTER

    def fileno(self) -> int:
        """Return the file descriptor that becomes readable when something arrives."""
        return self._here.fileno()

    def look(self, deliver: Deliver, now: float) -> FeedEnded | None:
        """Deliver what has arrived; return the end if something may have been missed."""
        with suppress(BlockingIOError):
            self._here.recv(65536)
        while self._news:
            news, at = self._news.popleft()
            if why := self._missed_by(news):
                return FeedEnded(EndKind.RESET, None, why)
            if isinstance(news, OrderTold):
                told = replace(news.order, observed_at=wall_clock.at(at), source=Source.FEED)
                deliver([told], at)
        if self._is_closed:
            return FeedEnded(EndKind.STOPPED, None, "closed")
        if now >= self.due:
            return FeedEnded(EndKind.SILENT, None, f"the lead was not heard for {now - self._beat_at:.1f} s")
        return None

    def close(self) -> None:
        """End the connection."""
        self._is_closed = True
        self._wake()

    def release(self) -> None:
        """Listen no more."""
        if self._heard is not None:
            self._heard.end()
            self._heard = None
        self._is_closed = True
        self._here.close()
        self._there.close()

    def _take(self, payload: bytes, _answer: object) -> None:
        """Take a message, in the bus's thread."""
        news, now = read_news(payload), time.monotonic()
        if news is None or self._is_closed:
            return
        if not self._begins.is_set():
            self._begin_with(news, now)
            return
        if isinstance(news, Beat) and news.epoch == self.epoch:
            self._beat_at = now
        self._news.append((news, now))
        self._wake()

    def _begin_with(self, news: News, now: float) -> None:
        if not isinstance(news, Beat) or news.epoch < self.epoch:
            return
        if news.client_id != self._client_id:
            self._why_not = f"the lead's leader is client {news.client_id}, and not {self._client_id}"
        elif not news.gate_open:
            self._why_not = "the lead itself may have missed orders"
        else:
            self.epoch, self._n, self._beat_at = news.epoch, news.n, now
            self._begins.set()

    def _missed_by(self, news: News) -> str:
        """Return what may have been missed, "" if this is what was to come next."""
        if news.epoch < self.epoch or (news.epoch == self.epoch and news.n < self._n):
            return ""  # of a lead that was replaced
        if news.epoch > self.epoch:
            return "another lead tells of this leader"
        expected = self._n if isinstance(news, Beat) else self._n + 1
        if news.n != expected:
            return f"news {self._n + 1} to {news.n - (not isinstance(news, Beat))} did not arrive"
        self._n = news.n
        match news:
            case GateTold(is_open=False) | Beat(gate_open=False):
                return "the lead may have missed orders"
            case OrderTold(recovered=True):
                return "the lead has read what its feed did not tell"
            case _:
                return ""

    def _wake(self) -> None:
        with suppress(OSError):  # full: who looks is awake; closed: nobody looks
            self._there.send(b"!")
