"""What proves that the broker never had an order, and what does not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.unknown_outcomes import UnknownOutcome, UnreadableRow, Visibility
from copytrade.core.engine.engine import CopyEngine, MarketRules
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.model.copies import Copy, Stage
from tests.core.asking import NIFTY, POLICY, knows_positions
from tests.core.orders import NOW, OPTION, an_order

WINDOW = 10.0


def seen(doubt: UnknownOutcome, reads: list[float], searches: list[float]) -> UnknownOutcome:
    for began in reads:
        doubt = doubt.after_read(began)
    for began in searches:
        doubt = doubt.after_search(began)
    return doubt


def test_absence_takes_three_reads_and_a_search_over_the_window() -> None:
    doubt = UnknownOutcome(100.0, silent=True)
    assert seen(doubt, [100, 105, 110], [110]).is_absent(WINDOW)
    assert not seen(doubt, [100, 110], [110]).is_absent(WINDOW)
    assert not seen(doubt, [100, 105, 109.9], [110]).is_absent(WINDOW)
    assert not seen(doubt, [100, 105, 110], [109.9]).is_absent(WINDOW)
    assert not seen(doubt, [100, 105, 110], []).is_absent(WINDOW)


def test_what_was_asked_before_the_doubt_proves_nothing() -> None:
    doubt = UnknownOutcome(100.0, silent=True)
    assert not seen(doubt, [98, 99, 110], [110]).is_absent(WINDOW)
    assert not seen(doubt, [100, 105, 110], [99]).is_absent(0.0)


def test_without_the_feed_twice_as_much_is_asked_for() -> None:
    doubt = UnknownOutcome(100.0, silent=False)
    assert not seen(doubt, [100, 105, 110], [110]).is_absent(WINDOW)
    assert not seen(doubt, [100, 105, 120], [120]).is_absent(WINDOW)
    assert not seen(doubt, [100, 102, 104, 106, 108, 119], [120]).is_absent(WINDOW)
    assert seen(doubt, [100, 102, 104, 106, 108, 120], [120]).is_absent(WINDOW)


def test_the_window_is_three_times_the_longest_delay_that_was_seen() -> None:
    visibility = Visibility()
    visibility.accepted("1", 100.0, told=True)
    visibility.read(102.0, set())
    assert visibility.is_behind
    visibility.read(104.0, {"1"})
    assert not visibility.is_behind
    visibility.accepted("2", 200.0, told=False)
    visibility.told("2", 201.0)
    visibility.told("2", 250.0)
    visibility.accepted("4", 300.0, told=True)
    visibility.told("4", 350.0)
    visibility.told("3", 900.0)
    assert (visibility.longest, visibility.window(1.0), visibility.window(10.0)) == (2.0, 6.0, 10.0)


def in_doubt(before: Callable[[CopyEngine], object] = lambda _: None) -> CopyEngine:
    """Make a desk with one order whose answer was lost at the time 100, after something else."""
    engine = an_engine()
    before(engine)
    engine.leader_changed(an_order(), None)
    engine.scheduler.consider(NOW)
    picked = engine.scheduler.pick(NOW)
    assert picked is not None
    copy = engine.begin(*picked, NOW).after
    engine.execution.settle((copy.leader_order_id, 1), transitions.in_doubt(copy, "lost"), 100.0)
    return engine


def an_engine() -> CopyEngine:
    engine = CopyEngine("alice", POLICY, Capitals(), MarketRules(load_freeze_table({}), None), WINDOW)
    engine.load([], [], [], NOW - timedelta(hours=1), 0.0)
    engine.know_instruments({OPTION: replace(NIFTY)})
    knows_positions(engine)
    engine.set_gate(is_open=True)
    engine.own_feed(is_up=True)
    return engine


def the_copy(engine: CopyEngine) -> Copy:
    return engine.copies.copy((an_order().id, 1))


def test_a_read_that_is_not_complete_proves_nothing() -> None:
    engine = in_doubt()
    engine.own_orders.searched(the_copy(engine).correlation_id, 111.0)
    for began in (101.0, 105.0, 111.0):
        engine.own_orders.book_read(began, NOW, frozenset(), [UnreadableRow("", None)])
    assert the_copy(engine).stage is Stage.UNKNOWN
    for began in (111.0, 112.0, 113.0):
        engine.own_orders.book_read(began, NOW, frozenset())
    assert the_copy(engine).stage is Stage.NONE


def reads(engine: CopyEngine, *rows: UnreadableRow) -> Stage:
    """Have the book read until absence is proven, were it not for these rows that cannot be read."""
    engine.own_orders.searched(the_copy(engine).correlation_id, 111.0)
    for began in (101.0, 105.0, 111.0):
        engine.own_orders.book_read(began, NOW, frozenset(), rows)
    return the_copy(engine).stage


@pytest.mark.parametrize("order_id", ["", "77"])
@pytest.mark.parametrize(
    ("correlation_id", "stage"),
    [
        ("by-hand", Stage.NONE),
        ("", Stage.UNKNOWN),
        (None, Stage.UNKNOWN),
        (f"ct-{an_order().id}-1", Stage.UNKNOWN),
        ("ct-7-1", Stage.UNKNOWN),
    ],
)
def test_an_unreadable_row_is_somebody_elses_by_its_correlation_id(
    order_id: str, correlation_id: str | None, stage: Stage
) -> None:
    assert reads(in_doubt(), UnreadableRow(order_id, correlation_id)) is stage


def test_an_unreadable_row_that_was_there_before_the_order_left_is_not_it() -> None:
    row = UnreadableRow("77", None)
    assert reads(in_doubt(lambda engine: engine.own_orders.book_read(1.0, NOW, frozenset(), [row])), row) is Stage.NONE


def test_an_order_that_was_read_before_and_cannot_be_any_more_is_not_it() -> None:
    by_hand = an_order(id="77", client_id="1000000101")
    assert (
        reads(in_doubt(lambda engine: engine.own_orders.seen(by_hand, None)), UnreadableRow("77", None)) is Stage.NONE
    )


def test_after_a_restart_nobody_knows_what_was_there_before_the_order_left() -> None:
    before = in_doubt()
    engine = an_engine()
    engine.load([the_copy(before)], [], [], NOW - timedelta(hours=1), 100.0)
    engine.leader_changed(an_order(), None)
    assert reads(engine, UnreadableRow("77", None)) is Stage.UNKNOWN
    assert reads(engine) is Stage.NONE


def test_a_feed_that_goes_away_meanwhile_is_not_silent() -> None:
    engine = in_doubt()
    engine.own_feed(is_up=False)
    engine.own_feed(is_up=True)
    engine.own_orders.searched(the_copy(engine).correlation_id, 121.0)
    for began in (101.0, 105.0, 111.0):
        engine.own_orders.book_read(began, NOW, frozenset())
    assert the_copy(engine).stage is Stage.UNKNOWN
    for began in (112.0, 115.0, 121.0):
        engine.own_orders.book_read(began, NOW, frozenset())
    assert the_copy(engine).stage is Stage.NONE
