"""Reads of positions against what the orders come to: what counts, what may be a lag, and what was found again."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from copytrade.core.ledger.reads.own_positions import OwnNet
from copytrade.core.ledger.reads.position_reads import LEAST_LAG, LONGEST_LAG, PositionReads
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import Order, Product, Side, Status
from tests.core.orders import NOW, OPTION, an_order

LINE = LineKey(OPTION, Product.MARGIN)
OTHER = LineKey(OPTION, Product.INTRADAY)


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def read(reads: PositionReads, seconds: float, net: int, expected: int) -> None:
    reads.read({LINE: net}, NOW + at(seconds), {LINE: expected})


def confirmed(reads: PositionReads, book_read: float | None = 1000) -> dict[LineKey, int]:
    return reads.confirmed(None if book_read is None else NOW + at(book_read))


def test_one_read_is_a_suspicion_and_asks_for_another() -> None:
    reads = PositionReads()
    read(reads, 0, 0, 260)
    assert reads.suspected == {LINE: -260}
    assert confirmed(reads) == {}
    assert reads.needs_another()


def test_two_reads_far_enough_apart_count_once_the_book_was_read_after_both() -> None:
    reads = PositionReads()
    read(reads, 0, 0, 260)
    read(reads, 1.9, 0, 260)
    assert confirmed(reads) == {}
    read(reads, 2.0, 0, 260)
    assert confirmed(reads, None) == {}
    assert confirmed(reads, 2.0) == {}
    assert confirmed(reads, 2.1) == {LINE: -260}
    reads.settle(LINE)
    assert confirmed(reads) == {}
    assert not reads.suspected


def test_reads_that_differ_begin_anew() -> None:
    reads = PositionReads()
    for seconds, net in ((0, 0), (2, 65), (3, 0), (4.9, 0)):
        read(reads, seconds, net, 260)
    assert confirmed(reads) == {}
    read(reads, 5, 0, 260)
    assert confirmed(reads) == {LINE: -260}


def test_a_read_that_agrees_ends_the_suspicion() -> None:
    reads = PositionReads()
    for seconds, net in ((0, 0), (2, 260)):
        read(reads, seconds, net, 260)
    assert not reads.suspected
    assert not reads.needs_another()
    assert confirmed(reads) == {}


def test_a_read_that_began_before_the_last_says_nothing() -> None:
    reads = PositionReads()
    read(reads, 3, 260, 260)
    read(reads, 2, 0, 260)
    assert not reads.suspected


@pytest.mark.parametrize(
    ("fills", "net", "unexplained"),
    [
        ((260,), 0, 0),
        ((65, 65), 0, -130),
        ((65, 65), 130, 0),
        ((-260,), 520, 0),
        ((-260,), 585, 65),
        ((260,), 325, 65),
        ((260, -260), 0, 0),
        ((260, -260), 585, 65),
    ],
)
def test_a_read_may_lack_any_of_the_fills_of_just_now(fills: tuple[int, ...], net: int, unexplained: int) -> None:
    reads = PositionReads()
    for units in fills:
        reads.filled(LINE, units, NOW)
    read(reads, 1, net, 260)
    assert reads.suspected.get(LINE, 0) == unexplained


def test_a_fill_that_is_older_than_the_lag_explains_nothing() -> None:
    reads = PositionReads()
    reads.filled(LINE, 260, NOW)
    read(reads, 2.9, 130, 260)
    assert not reads.suspected
    read(reads, 3.1, 130, 260)
    assert reads.suspected == {LINE: -130}


def test_a_lag_that_was_seen_holds_for_the_next_fill_and_none_is_believed_without_end() -> None:
    reads = PositionReads()
    reads.filled(LINE, 260, NOW)
    read(reads, 2.8, 0, 260)
    assert reads.lag == at(2.8)
    reads.saw_lag(4)
    reads.saw_lag(1)
    assert reads.lag == at(4)
    reads.saw_lag(10_000)
    assert reads.lag == LONGEST_LAG


def test_a_fill_between_two_reads_makes_them_say_nothing_together() -> None:
    reads = PositionReads()
    read(reads, 0, 0, 260)
    reads.filled(LINE, 65, NOW + at(1))
    read(reads, 2, 0, 325)
    assert confirmed(reads) == {}
    reads.filled(OTHER, 65, NOW + at(1))
    read(reads, 2.5, 0, 325)
    assert reads.suspected == {LINE: -260}


def test_reads_count_from_when_the_line_is_quiet_however_long_they_have_agreed() -> None:
    reads = PositionReads()
    reads.filled(LINE, -260, NOW)
    for tenths in range(1, 45):
        read(reads, tenths / 10, 0, 195)
        assert confirmed(reads) == ({} if tenths < 40 else {LINE: -195}), tenths


def test_reads_that_are_to_agree_about_what_was_wanted_later_begin_later() -> None:
    reads = PositionReads()
    for seconds in (0, 2):
        read(reads, seconds, 0, 260)
    assert not reads.agrees_since(LINE, NOW + at(2))
    assert not reads.agrees_since(OTHER, NOW)
    read(reads, 3, 0, 260)
    assert not reads.agrees_since(LINE, NOW + at(2))
    read(reads, 5, 0, 260)
    assert reads.agrees_since(LINE, NOW + at(2))


# What a follower's account holds besides its copies.


def fill(units: int, order_id: str = "7") -> Order:
    side = Side.BUY if units > 0 else Side.SELL
    return an_order(id=order_id, side=side, quantity=abs(units), filled_quantity=abs(units), status=Status.TRADED)


def looks(own: OwnNet, seconds: float, net: int, copied: Mapping[LineKey, int]) -> None:
    own.read(
        {LINE: net},
        NOW + at(seconds),
        copied,
        {(key, 1 if units > 0 else -1): abs(units) for key, units in copied.items()},
    )


def test_what_the_first_read_shows_besides_the_copies_was_there_before() -> None:
    own = OwnNet()
    looks(own, 0, 390, {LINE: 260})
    assert own.beside(LINE) == 130
    assert not own.reads.suspected


def test_copies_that_the_first_read_lacks_are_suspected_and_confirmed_by_another() -> None:
    own = OwnNet()
    looks(own, 0, 0, {LINE: 260})
    assert own.lacking(LINE, 1) == 260
    assert own.beside(LINE) == 0
    looks(own, LEAST_LAG.total_seconds(), 0, {LINE: 260})
    assert own.confirm(NOW + at(3)) == {LINE: -260}
    assert own.beside(LINE) == -260
    assert own.lacking(LINE, 1) == 0
    assert own.beside_by_orders(LINE, 1) == 0, "no order tells of it"


def test_copies_that_fill_again_in_reads_are_found_by_the_account() -> None:
    own = OwnNet()
    for seconds in (0, 2):
        looks(own, seconds, 0, {LINE: 260})
    own.confirm(NOW + at(3))
    own.written_off(LINE, 260, 1)
    assert own.beside(LINE) == 0
    for seconds in (4, 6):
        looks(own, seconds, 260, {LINE: 0})
    assert own.confirm(NOW + at(7)) == {LINE: 260}
    assert own.written_off_by_reads(LINE) == 260
    own.found_again(LINE, 260)
    assert own.written_off_by_reads(LINE) == 0
    assert own.beside(LINE) == 0


def test_an_order_by_hand_closes_copies_at_once_and_does_not_count_twice() -> None:
    own = OwnNet()
    looks(own, 0, 260, {LINE: 260})
    own.seen(fill(-65), is_copy=False, at=NOW + at(1))
    assert own.beside_by_orders(LINE, 1) == -65
    looks(own, 5, 195, {LINE: 260})
    assert not own.reads.suspected


def test_a_read_that_shows_an_order_by_hand_before_it_is_told_of_is_explained_by_it() -> None:
    own = OwnNet()
    looks(own, 0, 260, {LINE: 260})
    looks(own, 1, 195, {LINE: 260})
    assert own.lacking(LINE, 1) == 65
    own.seen(fill(-65), is_copy=False, at=NOW + at(1.1))
    assert own.lacking(LINE, 1) == 0
    assert own.beside(LINE) == -65


def test_fills_of_copies_are_the_ledgers_be_it_that_they_are_known_for_copies_later() -> None:
    own = OwnNet()
    looks(own, 0, 0, {})
    own.seen(fill(65), is_copy=False, at=NOW)
    assert own.beside(LINE) == 65
    own.seen(fill(65), is_copy=True, at=NOW)
    assert own.beside(LINE) == 0
