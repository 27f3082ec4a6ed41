from datetime import datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.model.merge import followed
from copytrade.core.model.order_book import Book, _facts
from copytrade.core.model.orders import (
    InstrumentKey,
    Leg,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
)
from tests.core.orders import NOW, OPTION, an_order


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
        last = book.get(a_life[0].id)
        assert last is not None
        assert (last.status, last.filled_quantity, last.price) == (Status.TRADED, 260, Decimal("101.00"))


def test_a_repetition_is_no_change(a_life: list[Order]) -> None:
    book = Book()
    assert [book.merge(sight) is not None for sight in a_life] == [True] * 4
    assert [book.merge(sight) for sight in a_life] == [None] * 4


def known(*sights: Order) -> Order:
    """Return what a book knows of an order after some sights of it."""
    book = Book()
    for sight in sights:
        book.merge(sight)
    order = book.get(sights[0].id)
    assert order is not None
    return order


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_frame(at: float, stamp: float | None = None, **changes: Any) -> Order:
    """Make a frame that came so many seconds after the first, with a stamp of its own if one is given."""
    updated = after(int(at) if stamp is None else stamp)
    return an_order(observed_at=after(at), **{"updated_at": updated, **changes})


def a_row(at: float, stamp: float | None = None, **changes: Any) -> Order:
    """Make a row of a read that began so many seconds after the first frame came."""
    return replace(a_frame(at, stamp, **changes), source=Source.BOOK, instrument=None, lot_size=None, last_price=None)


def read(book: Book, *rows: Order) -> Order:
    """Read a book that consists of rows of one read; return what is known of the first."""
    book.merge_read(rows, rows[0].observed_at)
    order = book.get(rows[0].id)
    assert order is not None
    return order


def told(*frames: Order) -> Book:
    book = Book()
    for frame in frames:
        book.merge(frame)
    book.asks_for_read()
    return book


DEARER = Decimal(101)


def test_an_ended_order_never_comes_to_life() -> None:
    cancelled = an_order(status=Status.CANCELLED)
    later = an_order(status=Status.PENDING, updated_at=after(9))
    assert known(cancelled, later).status is Status.CANCELLED
    assert known(cancelled, replace(later, source=Source.BOOK, observed_at=after(60))).status is Status.CANCELLED


def test_what_was_filled_before_a_cancellation_is_kept() -> None:
    part = an_order(status=Status.PART_TRADED, filled_quantity=65, average_price=Decimal(100))
    end = an_order(status=Status.CANCELLED, updated_at=after(1))
    merged = known(part, end)
    assert (merged.status, merged.filled_quantity, merged.average_price) == (Status.CANCELLED, 65, Decimal(100))


def test_a_price_of_the_fills_that_cannot_be_read_leaves_the_one_that_could() -> None:
    part = a_frame(0, status=Status.PART_TRADED, filled_quantity=65, average_price=Decimal(100))
    assert known(part, replace(part, average_price=Decimal(0), filled_quantity=130)).average_price == 100


def test_a_row_that_was_asked_for_before_a_frame_does_not_undo_it() -> None:
    book = told(a_frame(0), a_frame(0.3, status=Status.MODIFIED, price=DEARER))
    assert read(book, a_row(0.1)).price == DEARER


@pytest.mark.parametrize("stamp", [-5, 0, 1, None])
def test_a_read_begun_long_enough_after_the_last_frame_is_believed_whatever_its_stamp(stamp: float | None) -> None:
    book = told(a_frame(0))
    row = a_row(2.5, stamp, price=DEARER)
    assert read(book, row if stamp is not None else replace(row, updated_at=None)).price == DEARER
    assert not book.asks_for_read()


def test_before_that_a_read_that_differs_asks_for_another_and_two_that_agree_are_believed() -> None:
    book = told(a_frame(0))
    assert read(book, a_row(0.2, price=DEARER)).price != DEARER
    assert book.asks_for_read()
    assert read(book, a_row(0.7, price=DEARER)).price != DEARER
    assert book.asks_for_read()
    assert read(book, a_row(1.3, price=DEARER)).price == DEARER
    assert not book.asks_for_read()


@pytest.mark.parametrize(("stamp", "is_believed"), [(-1, False), (0, True), (1, True)])
def test_the_first_read_after_a_gap_is_believed_unless_it_is_stamped_earlier(stamp: float, is_believed: bool) -> None:
    book = told(a_frame(0))
    book.connected(after(0.1))
    assert (read(book, a_row(0.2, stamp, price=DEARER)).price == DEARER) is is_believed
    book = told(a_frame(0))
    book.connected(after(0.1))
    book.merge(a_frame(0.15, 0, status=Status.MODIFIED, price=Decimal(102)))
    assert read(book, a_row(0.2, stamp, price=DEARER)).price == Decimal(102)


def test_two_that_do_not_agree_are_not_believed() -> None:
    book = told(a_frame(0))
    read(book, a_row(0.2, price=DEARER))
    assert read(book, a_row(1.3, price=Decimal(102))).price == an_order().price
    assert read(book, a_row(1.9, price=an_order().price)).price == an_order().price
    book.asks_for_read()
    read(book, a_row(1.95, price=DEARER))
    assert book.asks_for_read()


def test_two_reads_of_what_was_so_before_are_of_a_book_that_is_behind() -> None:
    book = told(a_frame(0), a_frame(3, status=Status.MODIFIED, price=DEARER))
    for at in (3.1, 4.2, 4.9):
        assert read(book, a_row(at, 0)).price == DEARER
        assert book.asks_for_read()
    assert read(book, a_row(5.1, 0)).price == an_order().price


def test_a_book_that_was_late_with_fills_is_believed_later() -> None:
    part = {"status": Status.PART_TRADED, "filled_quantity": 65}
    book = told(a_frame(0), a_frame(3, **part))
    read(book, a_row(4.5, 0))
    assert book.longest_delay == timedelta(seconds=1.5)
    book.merge(a_frame(10, **part, price=DEARER))
    assert read(book, a_row(14, 3, **part)).price == DEARER
    assert read(book, a_row(14.6, 3, **part)).price == an_order().price


def test_a_book_that_lacks_an_order_is_late_and_one_that_never_shows_it_is_not() -> None:
    book = told(a_frame(0))
    book.merge_read([], after(1.25))
    assert book.longest_delay == timedelta(seconds=1.25)
    book.merge_read([], after(60))
    assert book.longest_delay == timedelta(seconds=1.25)


def test_a_read_that_shows_less_than_is_known_says_nothing_of_the_terms() -> None:
    book = told(a_frame(0), a_frame(1, status=Status.PART_TRADED, filled_quantity=65))
    assert read(book, a_row(20, price=DEARER)).price == an_order().price
    assert not book.asks_for_read()


def test_what_a_read_shows_as_filled_or_ended_is_so_at_once() -> None:
    book = told(a_frame(0))
    part = read(book, a_row(0.1, status=Status.PART_TRADED, filled_quantity=65, price=DEARER))
    assert (part.filled_quantity, part.status, part.price) == (65, Status.PART_TRADED, an_order().price)
    over = read(book, a_row(0.2, status=Status.CANCELLED, filled_quantity=65, price=DEARER))
    assert (over.status, over.price) == (Status.CANCELLED, DEARER)


def test_a_frame_with_an_earlier_stamp_is_not_believed_and_asks_for_a_read() -> None:
    book = told(a_frame(0, 10))
    assert book.merge(a_frame(1, 5, status=Status.MODIFIED, price=DEARER)) is None
    assert book.asks_for_read()
    read(book, a_row(1.1, 5, price=DEARER))
    assert read(book, a_row(2.2, 5, price=DEARER)).price == DEARER


def test_two_reads_that_are_behind_do_not_undo_a_frame_that_was_stamped_later() -> None:
    """The change between was made while nobody looked: the book shows it for a while after the frame of the next."""
    book = told(a_frame(0, 10, price=DEARER))
    read(book, a_row(0.1, 8))
    assert read(book, a_row(1.3, 8)).price == DEARER
    assert book.asks_for_read()


def test_a_frame_that_repeats_the_last_does_not_undo_what_reads_said_since() -> None:
    frame = a_frame(0, 10)
    book = told(frame)
    read(book, a_row(3, 5, price=DEARER))
    assert book.merge(replace(frame, observed_at=after(4))) is None
    fill = book.merge(a_frame(5, 11, status=Status.PART_TRADED, filled_quantity=65))
    assert fill is not None
    assert (fill.after.price, fill.after.filled_quantity) == (DEARER, 65)
    back = book.merge(a_frame(6, 12, status=Status.MODIFIED, filled_quantity=65))
    assert back is not None
    assert back.after.price == an_order().price


@pytest.mark.parametrize("first", [None, 10])
def test_frames_without_a_stamp_are_ordered_as_they_came(first: float | None) -> None:
    start = a_frame(0) if first else replace(a_frame(0), updated_at=None)
    change = replace(a_frame(1, status=Status.MODIFIED, price=DEARER), updated_at=None)
    back = replace(a_frame(2, status=Status.MODIFIED), updated_at=None)
    assert known(start, change).price == DEARER
    assert known(start, change, back).price == an_order().price


def test_an_order_without_any_time_was_placed_when_it_was_first_told_of() -> None:
    timeless = {"created_at": None, "updated_at": None}
    assert known(a_frame(7, **timeless)).created_at == after(7)
    book = Book()
    unknown = read(book, a_row(7, **timeless))
    assert (unknown.created_at, unknown.event_at < after(-3600)) == (None, True)
    assert read(book, a_row(60, id="2", **timeless)).created_at == after(7)


STOP = {"side": Side.SELL, "order_type": OrderType.STOP_LOSS, "trigger_price": Decimal(92), "price": Decimal(90)}
AS_LIMIT = {**STOP, "order_type": OrderType.LIMIT}


@pytest.mark.parametrize("trigger", [0, 92])
@pytest.mark.parametrize("status", [Status.TRIGGERED, Status.PENDING])
def test_a_triggered_stop_is_still_the_stop_that_was_placed(trigger: int, status: Status) -> None:
    shows = {**AS_LIMIT, "trigger_price": Decimal(trigger), "status": status}
    stop, triggered = a_frame(0, **STOP), a_frame(1, **shows)
    for order in (known(stop, triggered), known(triggered, stop), read(told(stop), a_row(9, **shows))):
        assert (order.order_type, order.trigger_price) == (OrderType.STOP_LOSS, Decimal(92))


@pytest.mark.parametrize(
    "change",
    [{"price": Decimal(120)}, {"price": Decimal(89)}, {"order_type": OrderType.MARKET, "price": Decimal(0)}],
)
@pytest.mark.parametrize("status", [Status.PENDING, Status.TRIGGERED, Status.MODIFIED])
def test_what_triggering_cannot_explain_is_the_leaders_change(change: dict[str, Any], status: Status) -> None:
    shows = {**AS_LIMIT, "trigger_price": Decimal(0), "status": status, **change}
    stop = a_frame(0, **STOP)
    for order in (known(stop, a_frame(1, **shows)), read(told(stop), a_row(9, **shows))):
        assert (order.order_type, order.price) == (shows["order_type"], shows["price"])


def test_a_stop_that_the_leader_made_a_limit_order_at_its_limit_is_one() -> None:
    modified = a_frame(1, **{**AS_LIMIT, "trigger_price": Decimal(0)}, status=Status.MODIFIED)
    assert known(a_frame(0, **STOP), modified).order_type is OrderType.LIMIT


def test_a_stop_without_a_limit_shows_as_whatever_the_broker_makes_of_it() -> None:
    stop = a_frame(0, **{**STOP, "order_type": OrderType.STOP_LOSS_MARKET, "price": Decimal(0)})
    for change, is_his in (
        ({"order_type": OrderType.MARKET, "price": Decimal(0)}, False),
        ({"price": Decimal(85)}, False),
        ({"price": Decimal(120)}, True),
    ):
        shows = {**AS_LIMIT, "trigger_price": Decimal(0), **change}
        assert (read(told(stop), a_row(9, **shows)).order_type is not OrderType.STOP_LOSS_MARKET) is is_his


@pytest.mark.parametrize("source", [Source.FEED, Source.BOOK])
def test_no_order_ever_changes_its_side_instrument_or_product(source: Source) -> None:
    book = Book()
    book.merge(an_order())
    other = {"key": InstrumentKey(Segment.NSE_FNO, "1"), "side": Side.SELL, "product": Product.INTRADAY}
    change = book.merge(an_order(**other, source=source, status=Status.PART_TRADED, filled_quantity=65))
    assert change is not None
    assert (change.after.key, change.after.side, change.after.product) == (OPTION, Side.BUY, Product.MARGIN)
    assert change.after.filled_quantity == 65
    assert followed(an_order(), an_order(**other)).key == OPTION


def test_a_read_keeps_what_only_a_frame_tells() -> None:
    frame = a_frame(0, leg=Leg.TARGET, parent_id="7")
    merged = read(told(frame), a_row(5))
    assert (merged.instrument, merged.lot_size, merged.last_price) == ("OPTIDX", 65, Decimal("101.35"))
    assert (merged.leg, merged.parent_id) == (Leg.TARGET, "7")
    child = a_frame(0, parent_id="7")
    assert read(told(child), a_row(5, leg=Leg.STOP_LOSS)).leg is Leg.NONE


def test_a_book_that_began_anew_takes_nothing_back_from_whoever_followed_the_one_before() -> None:
    filled = a_frame(3, status=Status.PART_TRADED, filled_quantity=65, average_price=Decimal(100), price=DEARER)
    behind = a_row(4, 0)
    again = followed(filled, behind)
    assert (again.filled_quantity, again.status, again.lot_size) == (65, Status.PART_TRADED, 65)
    assert again.price == behind.price  # the owner's word
    assert followed(filled, filled) == filled


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
            plain.merge_read([replace(row) for row in rows.values()], at)
        else:
            for sight in fresh:
                book.merge(sight)
                plain.merge(sight)
    assert [_facts(order) for order in book] == [_facts(order) for order in plain]


def test_a_row_says_again_what_a_late_frame_denied() -> None:
    """Within one second the broker's time does not tell which of two modifications was the last; the book does."""
    book, row = Book(), a_row(0, price=Decimal(102))
    read(book, row)
    assert book.merge(a_frame(1, 0, status=Status.MODIFIED, price=DEARER)) is not None
    (change,) = book.merge_read([row], after(60))
    assert change.after.price == Decimal(102)
    assert book.merge_read([row], after(120)) == []


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


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_frames_in_any_order_and_number_give_the_same_order(arrivals: list[int], again: list[int]) -> None:
    """As long as each has a stamp of its own."""
    frames = [
        a_frame(0, 0),
        a_frame(0, 1, status=Status.MODIFIED, price=DEARER),
        a_frame(0, 2, status=Status.MODIFIED, price=Decimal(102), quantity=325),
        a_frame(0, 3, status=Status.PART_TRADED, price=Decimal(102), quantity=325, filled_quantity=65),
        a_frame(0, 4, status=Status.MODIFIED, price=Decimal(103), quantity=325, filled_quantity=65),
    ]
    order = known(*(replace(frames[number], observed_at=after(at)) for at, number in enumerate([*arrivals, *again])))
    assert (order.price, order.quantity, order.filled_quantity) == (Decimal(103), 325, 65)


@given(st.lists(SIGHTS.map(lambda sight: replace(sight, id="1")), max_size=8), SIGHTS, st.integers(-5, 5))
def test_whatever_was_told_a_late_enough_read_of_an_order_that_rests_is_believed(
    sights: list[Order], truth: Order, stamp: int
) -> None:
    book = Book()
    for at, sight in enumerate(sights):
        book.merge(replace(sight, observed_at=after(at)))
    before = book.get("1")
    if before is not None and (before.is_terminal or before.filled_quantity > truth.filled_quantity):
        return
    row = replace(truth, id="1", source=Source.BOOK, observed_at=after(60), updated_at=after(stamp))
    order = read(book, row)
    assert (order.price, order.filled_quantity, order.is_terminal) == (
        row.price,
        row.filled_quantity or (row.quantity if row.status is Status.TRADED else 0),
        row.is_terminal,
    )
