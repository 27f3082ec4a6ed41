from datetime import timedelta
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.book import Book, _facts, chronological, merge
from copytrade.orders import Order, OrderType, Source, Status
from tests.core.orders import NOW, an_order


@pytest.fixture
def a_life() -> list[Order]:
    """The sights of one order: pending, modified, part filled, filled to the end; one second apart."""
    sights = [
        an_order(status=Status.PENDING),
        an_order(status=Status.MODIFIED, price=Decimal("101.00")),
        an_order(status=Status.PART_TRADED, price=Decimal("101.00"), filled_quantity=65, average_price=Decimal(101)),
        an_order(status=Status.TRADED, price=Decimal("101.00"), filled_quantity=260, average_price=Decimal(101)),
    ]
    return [
        replace(sight, updated_at=NOW + timedelta(seconds=after), observed_at=NOW + timedelta(seconds=after))
        for after, sight in enumerate(sights)
    ]


def test_any_order_of_sights_gives_the_same_order(a_life: list[Order]) -> None:
    for arrivals in permutations(a_life):
        book = Book()
        for sight in arrivals:
            book.merge(sight)
        known = book.get(a_life[0].id)
        assert known is not None
        assert (known.status, known.filled_quantity, known.price) == (Status.TRADED, 260, Decimal("101.00"))


def test_a_repetition_is_no_change(a_life: list[Order]) -> None:
    book = Book()
    assert [book.merge(sight) is not None for sight in a_life] == [True] * 4
    assert [book.merge(sight) for sight in a_life] == [None] * 4


def test_an_ended_order_never_comes_to_life() -> None:
    cancelled = an_order(status=Status.CANCELLED)
    later = an_order(status=Status.PENDING, updated_at=NOW + timedelta(seconds=9))
    assert merge(cancelled, later).status is Status.CANCELLED


def test_what_was_filled_before_a_cancellation_is_kept() -> None:
    part = an_order(status=Status.PART_TRADED, filled_quantity=65, average_price=Decimal(100))
    end = an_order(status=Status.CANCELLED, updated_at=NOW + timedelta(seconds=1))
    merged = merge(part, end)
    assert (merged.status, merged.filled_quantity, merged.average_price) == (Status.CANCELLED, 65, Decimal(100))


def test_a_row_that_was_asked_for_before_a_frame_does_not_undo_it() -> None:
    frame = an_order(status=Status.MODIFIED, price=Decimal("101.00"), observed_at=NOW + timedelta(milliseconds=300))
    row = an_order(status=Status.PENDING, price=Decimal("100.05"), source=Source.BOOK, instrument=None)
    assert merge(frame, row).price == Decimal("101.00")
    assert merge(row, frame).price == Decimal("101.00")


def test_a_triggered_stop_is_still_the_stop_that_was_placed() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(80), price=Decimal("79.5"))
    triggered = replace(
        stop, status=Status.TRIGGERED, order_type=OrderType.LIMIT, trigger_price=Decimal(0), updated_at=NOW
    )
    merged = merge(stop, triggered)
    assert (merged.order_type, merged.trigger_price) == (OrderType.STOP_LOSS, Decimal(80))


def test_a_stop_that_the_leader_made_a_limit_order_is_one() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(80), price=Decimal("79.5"))
    modified = replace(stop, status=Status.MODIFIED, order_type=OrderType.LIMIT, trigger_price=Decimal(0))
    assert merge(stop, modified).order_type is OrderType.LIMIT


def test_a_read_keeps_what_only_a_frame_tells() -> None:
    row = an_order(
        instrument=None, lot_size=None, last_price=None, source=Source.BOOK, updated_at=NOW + timedelta(seconds=1)
    )
    merged = merge(an_order(), row)
    assert (merged.instrument, merged.lot_size, merged.last_price) == ("OPTIDX", 65, Decimal("101.35"))


@given(st.lists(st.tuples(st.sampled_from(list(Status)), st.integers(0, 260), st.integers(0, 5)), min_size=1))
def test_filling_never_goes_back_and_an_end_is_an_end(sights: list[tuple[Status, int, int]]) -> None:
    book = Book()
    filled, ended = 0, False
    for status, quantity, after in sights:
        book.merge(an_order(status=status, filled_quantity=quantity, updated_at=NOW + timedelta(seconds=after)))
        known = book.get(an_order().id)
        assert known is not None
        assert known.filled_quantity >= filled
        assert known.is_terminal or not ended
        filled, ended = known.filled_quantity, known.is_terminal


def test_the_books_one_word_for_resting_orders_is_no_news() -> None:
    book = Book()
    book.merge(an_order(status=Status.MODIFIED))
    row = an_order(status=Status.PENDING, source=Source.BOOK, observed_at=NOW + timedelta(seconds=2), instrument=None)
    assert book.merge(row) is None


SIGHTS = st.builds(
    lambda number, state, price, updated: an_order(
        id=number,
        status=state[0],
        filled_quantity=state[1],
        price=Decimal(price),
        updated_at=NOW + timedelta(seconds=updated),
    ),
    st.sampled_from(["1", "2"]),
    st.sampled_from(
        [
            (Status.PENDING, 0),
            (Status.MODIFIED, 0),
            (Status.PART_TRADED, 65),
            (Status.PART_TRADED, 130),
            (Status.TRADED, 260),
            (Status.CANCELLED, 0),
            (Status.CANCELLED, 65),
        ]
    ),
    st.sampled_from([100, 101]),
    st.integers(0, 3),
)


@given(st.lists(st.tuples(st.booleans(), st.lists(SIGHTS, max_size=3), st.booleans()), max_size=12))
def test_a_row_that_was_merged_before_is_passed_over_without_a_loss(
    happens: list[tuple[bool, list[Order], bool]],
) -> None:
    """The book is read, each row new or as it was, among frames; another knows of no row that it was there before."""
    book, plain = Book(), Book()
    rows: dict[str, Order] = {}
    for second, (is_read, sights, keeps_rows) in enumerate(happens):
        at = NOW + timedelta(seconds=10 * (second + 1))
        fresh = [replace(sight, observed_at=at) for sight in sights]
        if is_read:
            rows = ({} if not keeps_rows else rows) | {sight.id: replace(sight, source=Source.BOOK) for sight in fresh}
            book.merge_read(rows.values(), at)
            seen = chronological(replace(row, observed_at=at) for row in rows.values())
        else:
            for sight in fresh:
                book.merge(sight)
            seen = fresh
        for sight in seen:
            plain.merge(sight)
    assert [_facts(order) for order in book] == [_facts(order) for order in plain]


def test_a_row_says_again_what_a_late_frame_denied() -> None:
    """Within one second the broker's time does not tell which of two modifications was the last; the book does."""
    book, row = Book(), an_order(price=Decimal(102), source=Source.BOOK)
    book.merge_read([row], row.observed_at)
    late = an_order(status=Status.MODIFIED, price=Decimal(101), observed_at=NOW + timedelta(seconds=1))
    assert book.merge(late) is not None
    (change,) = book.merge_read([row], NOW + timedelta(seconds=60))
    assert change.after.price == Decimal(102)
    assert book.merge_read([row], NOW + timedelta(seconds=120)) == []


def test_what_ended_before_a_day_is_forgotten_unless_the_broker_still_shows_it() -> None:
    book = Book()
    ends = {"status": Status.CANCELLED}
    for order in (
        an_order(id="over", **ends),
        an_order(id="shown", **ends),
        an_order(id="rests"),
        an_order(id="timeless", created_at=None, **ends),
        an_order(id="later", updated_at=NOW + timedelta(days=1), **ends),
    ):
        book.merge(order)
    tomorrow = NOW.date() + timedelta(days=1)
    book.forget_before(NOW.date(), frozenset())
    assert len(book) == 5
    book.forget_before(tomorrow, frozenset({"shown"}))
    assert {order.id for order in book} == {"shown", "rests", "timeless", "later"}
