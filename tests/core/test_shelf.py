from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.model.compressed_map import Shelf
from copytrade.core.model.copies import Copy, Split, Stage
from copytrade.core.model.ledger import Ratio
from copytrade.core.model.orders import Order
from tests.core.asking import FRESH
from tests.core.orders import an_order

RATIOS = st.none() | st.builds(Ratio, st.fractions(), st.text(max_size=5))

COPIES = st.builds(
    lambda n, stage, ratio, error, milliseconds, order: replace(
        FRESH,
        n=n,
        stage=stage,
        ratio=ratio,
        error=error,
        latency_ms=milliseconds,
        split=None if milliseconds is None else Split(milliseconds, 0.0, 0.1, 1 / 3),
        order=order,
    ),
    st.integers(0, 10**6),
    st.sampled_from(Stage),
    RATIOS,
    st.text(max_size=9),
    st.none() | st.floats(0, 10**6),
    st.none() | st.builds(an_order, quantity=st.integers(1, 10**9), reason=st.text(max_size=9)),
)


@given(st.dictionaries(st.text(max_size=3), st.lists(COPIES, max_size=3).map(tuple), max_size=5), st.data())
def test_what_is_put_away_is_found_as_it_was(kept: dict[str, tuple[Copy, ...]], data: st.DataObject) -> None:
    shelf = Shelf(tuple[Copy, ...])
    for order_id, copies in kept.items():
        shelf[order_id] = copies
    for order_id in data.draw(st.lists(st.sampled_from(sorted(kept)))) if kept else ():
        shelf.put_away(order_id)
        assert shelf.is_put_away(order_id)
    assert list(shelf.values()) == list(kept.values())
    assert list(shelf.keys()) == list(kept)
    assert all(shelf[order_id] == copies for order_id, copies in kept.items())
    assert {order_id: shelf.pop(order_id) for order_id in kept} == kept
    assert not shelf.keys()


def test_what_takes_the_place_of_what_was_put_away_is_there() -> None:
    shelf = Shelf(Order)
    shelf["1"], dearer = an_order(), an_order(quantity=65)
    shelf.put_away("1")
    shelf["1"] = dearer
    assert not shelf.is_put_away("1")
    assert shelf.get("1") is dearer
    assert shelf.get("2") is None
    assert shelf.pop("2") is None
    with pytest.raises(KeyError):
        shelf["2"]


def test_one_that_is_much_like_another_takes_a_fifth_of_its_room() -> None:
    shelf = Shelf(tuple[Copy, ...])
    for number in range(100):
        order = an_order(id=str(10**14 + number))
        shelf[str(number)] = (replace(FRESH, ratio=Ratio(Fraction(1, 2), "half"), order=order),)
        shelf.put_away(str(number))
    written = [value for value in shelf._values.values() if isinstance(value, bytes)]
    assert len(written) == 100
    assert max(map(len, written[1:])) < 200
