"""What is never sent is taken to fill as the leader's order does, and written down as what it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.engine.copies import dry_run as shadow
from copytrade.core.model.copies import MappingStatus, Stage
from copytrade.core.model.orders import Status
from copytrade.core.model.reasons import Reason
from tests.core.asking import FRESH, resting
from tests.core.orders import NOW, an_order

LOT = 65


def kept_back(**changes: object):  # type: ignore[no-untyped-def]
    copy = resting(correlation_id="ct-112611230001-1", **changes)
    return replace(copy, order_id=shadow.order_id(copy))


@pytest.mark.parametrize(
    ("leader", "filled", "status"),
    [
        (an_order(), 0, Status.PENDING),
        (an_order(status=Status.PART_TRADED, filled_quantity=65), 0, Status.PENDING),
        (an_order(status=Status.PART_TRADED, filled_quantity=130), 65, Status.PART_TRADED),
        (an_order(status=Status.TRADED, filled_quantity=260), 130, Status.TRADED),
    ],
)
def test_it_fills_in_whole_lots_in_the_leaders_proportion(leader, filled: int, status: Status) -> None:  # type: ignore[no-untyped-def]
    order = shadow.order_of(kept_back(), leader, LOT, NOW)
    assert (order.filled_quantity, order.status, order.quantity) == (filled, status, 130)
    ended = shadow.order_of(kept_back(cancelling=True), leader, LOT, NOW)
    assert ended.is_terminal
    assert ended.filled_quantity == filled


@given(first=st.integers(0, 4), second=st.integers(0, 4), smaller=st.integers(1, 4))
def test_it_never_fills_less_than_before_nor_more_than_is_wanted(first: int, second: int, smaller: int) -> None:
    leader = an_order(filled_quantity=first * LOT)
    copy = kept_back()
    copy = replace(copy, order=shadow.order_of(copy, leader, LOT, NOW))
    later = an_order(quantity=max(second, smaller) * LOT, filled_quantity=second * LOT)
    order = shadow.order_of(copy, later, LOT, NOW)
    assert copy.filled_quantity <= order.filled_quantity <= 130


def test_what_is_written_down_can_be_taken_for_no_order_and_what_was_sent_is_written_as_it_is() -> None:
    copy = kept_back()
    written = shadow.recorded(replace(copy, order=shadow.order_of(copy, an_order(), LOT, NOW)))
    assert (written.stage, written.reason, written.status) == (Stage.NONE, Reason.DRY_RUN, MappingStatus.SKIPPED)
    assert (written.order_id, written.order, written.filled_quantity) == ("", None, 0)
    assert written.desired == copy.desired
    for other in (FRESH, resting()):
        assert shadow.recorded(other) == other
