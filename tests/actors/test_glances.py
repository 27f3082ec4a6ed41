import itertools
from typing import Any

from actors.messages.feeds import BookRead
from actors.messages.reads import ReadBook
from actors.order_feed.confirmation_reads import GLANCE_AFTER, GLANCE_EACH, GLANCE_LATER, ConfirmationReads
from actors.order_feed.messages import GlanceAtBook
from copytrade.brokers.api import OrderBook
from tests.actors.listening import Listener
from tests.core.orders import NOW, an_order


class Timers:
    """A clock that tells what is due when it is asked to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.due: list[tuple[float, Any]] = []

    def tell_later(self, delay: float, _address: object, message: object) -> None:
        self.due.append((self.now + delay, message))


class Looking:
    """ConfirmationReads, and when they have looked."""

    def __init__(self) -> None:
        self.timers, self.recovery = Timers(), Listener("gap-recovery")
        self.confirmation_reads = ConfirmationReads(Listener("feed-leader"), 1, self.timers, self.recovery, "leader")  # type: ignore[arg-type]
        self.looked: list[float] = []

    def until(self, moment: float, *news: float) -> list[float]:
        """Go on to a moment, with news at some before it; return when was looked since the beginning."""
        coming = sorted(news)
        while True:
            due = min((at for at, _ in self.timers.due), default=moment)
            self.timers.now = now = min([due, moment, *coming[:1]])
            if coming and coming[0] == now:
                self.confirmation_reads.has_news(coming.pop(0))
            elif due == now and self.timers.due:
                at, message = min(self.timers.due, key=lambda one: one[0])
                self.timers.due.remove((at, message))
                assert isinstance(message, GlanceAtBook)
                before = len(self.recovery.of(ReadBook))
                self.confirmation_reads.look(message.number, now)
                self.looked += [now] * (len(self.recovery.of(ReadBook)) - before)
            else:
                return self.looked


def test_after_news_there_is_a_look_soon_and_another_later() -> None:
    assert Looking().until(200.0, 100.0, 100.1) == [100.0 + GLANCE_AFTER, 100.0 + GLANCE_LATER]


def test_without_news_there_is_none() -> None:
    assert Looking().until(200.0) == []


def test_while_there_is_news_all_the_time_there_is_a_look_each_second() -> None:
    news = [100.0 + number / 10 for number in range(100)]
    looked = Looking().until(200.0, *news)
    assert looked[:10] == [101.0 + number for number in range(10)]
    assert looked[-2] >= news[-1] + 0.5, "none is too early for the last of it"
    assert len(looked) == 12


def test_news_before_the_later_look_puts_it_off() -> None:
    assert Looking().until(200.0, 100.0, 105.5) == [101.0, 106.5, 111.5]


def test_what_the_feed_tells_a_moment_after_a_look_was_not_lost() -> None:
    confirmation_reads = Looking().confirmation_reads
    confirmation_reads.is_ahead(["1", "2"], 101.0)
    confirmation_reads.told("1")
    assert confirmation_reads.take_untold(102.0) == 0
    confirmation_reads.is_ahead(["2"], 102.0)
    assert (confirmation_reads.take_untold(103.0), confirmation_reads.take_untold(104.0)) == (1, 0)


def test_while_the_feed_is_down_there_is_a_look_all_the_time_and_none_more_when_it_is_back() -> None:
    looking = Looking()
    looking.confirmation_reads.is_down(down=True)
    looking.confirmation_reads.is_down(down=True)
    assert looking.until(105.0) == [102.0, 104.0]
    looking.confirmation_reads.is_down(down=False)
    assert looking.until(200.0) == [102.0, 104.0, 106.0, 106.0 + GLANCE_LATER - GLANCE_AFTER]


def test_long_books_are_looked_at_less_often() -> None:
    looking = Looking()
    orders = tuple(an_order(id=str(number)) for number in range(2000))
    looking.confirmation_reads.take(BookRead((1, 1), 100.0, OrderBook(orders, (), NOW), None))
    looked = looking.until(200.0, *[100.0 + number / 10 for number in range(100)])
    assert all(later - earlier >= GLANCE_EACH * 2000 for earlier, later in itertools.pairwise(looked))
