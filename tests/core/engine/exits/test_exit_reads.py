"""What an exit waits for before it leaves, and for how long."""

from datetime import datetime, timedelta

import pytest

from copytrade.core.engine.exits.awaited_reads import FORGOTTEN_AFTER, PATIENCE, ExitReads
from tests.core.orders import NOW


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture
def reads() -> ExitReads:
    return ExitReads()


def test_an_exit_waits_for_both_reads_and_three_seconds_at_most(reads: ExitReads) -> None:
    assert reads.wait_until("1", NOW) == NOW + PATIENCE
    assert reads.is_awaited()
    assert reads.wait_until("1", after(2.9)) == NOW + PATIENCE
    assert reads.wait_until("1", NOW + PATIENCE) is None
    assert reads.take_unread("1")
    assert not reads.take_unread("1"), "told once"
    assert reads.wait_until("1", after(4)) is None, "its next slice does not wait again"


def test_with_a_feed_that_is_up_reads_begun_since_are_enough_for_every_exit(reads: ExitReads) -> None:
    reads.feed_is_up(NOW)
    reads.book_read(NOW)
    assert reads.wait_until("1", after(5)) == after(5) + PATIENCE
    reads.positions_read(after(-1))
    assert reads.wait_until("1", after(5)) == after(5) + PATIENCE
    reads.positions_read(NOW)
    assert reads.wait_until("1", after(5)) is None
    assert reads.wait_until("2", after(5000)) is None
    assert not reads.is_awaited()
    assert not reads.take_unread("1")


def test_while_the_feed_is_down_each_exit_needs_reads_begun_after_it_was_wanted(reads: ExitReads) -> None:
    reads.feed_is_up(NOW)
    reads.book_read(NOW)
    reads.positions_read(NOW)
    reads.feed_is_down()
    assert reads.wait_until("1", after(10)) == after(10) + PATIENCE
    reads.book_read(after(9))
    reads.positions_read(after(11))
    assert reads.wait_until("1", after(11)) == after(10) + PATIENCE
    reads.book_read(after(10))
    assert not reads.is_awaited()
    assert reads.wait_until("1", after(11)) is None
    assert not reads.take_unread("1")
    assert reads.wait_until("2", after(12)) == after(12) + PATIENCE


def test_an_exit_that_came_to_nothing_asks_for_no_reads_for_ever(reads: ExitReads) -> None:
    reads.wait_until("1", NOW)
    reads.feed_is_up(after(1))
    reads.book_read(after(2))
    assert reads.is_awaited()
    reads.positions_read(after(2))
    assert not reads.is_awaited()


def test_what_waited_long_ago_is_forgotten_while_the_feed_is_down(reads: ExitReads) -> None:
    reads.wait_until("1", NOW)
    late = NOW + 2 * FORGOTTEN_AFTER
    reads.book_read(late)
    reads.positions_read(late)
    again = late + timedelta(seconds=1)
    assert reads.wait_until("1", again) == again + PATIENCE
