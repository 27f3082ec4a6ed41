from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.copies import Copy, Stage, Wish
from copytrade.instruments import Instrument
from copytrade.mirror import (
    MAX_MODIFICATIONS,
    Cancel,
    Done,
    Lookup,
    Modify,
    Place,
    Policy,
    Situation,
    Skip,
    Wait,
    decide,
    wish_for,
)
from copytrade.orders import InstrumentKey, Leg, OrderType, Product, Segment, Side, Status, Validity
from copytrade.reasons import Reason
from copytrade.sizing import Capitals, Ratio, SizingPolicy, Strategy
from tests.core.orders import NOW, OPTION, an_order

HALF = Ratio(Fraction(1, 2), "half")
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal("0.5")),
    copying_since=NOW - timedelta(hours=1),
)
NIFTY = Instrument(OPTION, "OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", 65, Decimal("0.05"))
OPEN = Situation(NIFTY, master_read=True, capitals=Capitals(), gate_open=True)
FRESH = Copy("112611230001", "alice", NOW.date(), NOW)


def resting(**changes: object) -> Copy:
    """Make a copy of 2 lots that rests at the broker as the leader's order of 4 wants it."""
    wish = wish_for(an_order(), 130, 65)
    copy = replace(FRESH, n=1, stage=Stage.LIVE, ratio=HALF, wish=wish, accepted=wish, order_id="7")
    return replace(copy, **changes)  # type: ignore[arg-type]


def test_an_accepted_order_is_placed_with_every_parameter() -> None:
    leader = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99), validity=Validity.DAY)
    decision = decide(leader, FRESH, OPEN, POLICY, NOW)
    assert isinstance(decision, Place)
    assert decision.wish == Wish(130, OrderType.STOP_LOSS, Decimal("100.05"), Decimal(99), Validity.DAY, 0)
    assert decision.arithmetic == "fixed ratio 0.5; 260 x 0.5000 = 130.00 -> 2 x 65"


def test_an_order_in_transit_is_waited_for() -> None:
    assert isinstance(decide(an_order(status=Status.TRANSIT), FRESH, OPEN, POLICY, NOW), Wait)


@pytest.mark.parametrize(
    ("leader", "reason"),
    [
        (an_order(correlation_id="ct-1-1"), Reason.OWN_ORDER),
        (an_order(created_at=NOW - timedelta(hours=2)), Reason.BEFORE_START),
        (an_order(leg=Leg.TARGET), Reason.UNSUPPORTED),
        (an_order(product=Product.BO), Reason.UNSUPPORTED),
        (an_order(quantity=65), Reason.ZERO_LOTS),
        (an_order(status=Status.CANCELLED), Reason.LEADER_CANCELLED),
        (an_order(status=Status.REJECTED), Reason.LEADER_REJECTED),
        (an_order(status=Status.EXPIRED), Reason.LEADER_EXPIRED),
    ],
)
def test_what_is_not_copied_has_a_reason(leader, reason: Reason) -> None:  # type: ignore[no-untyped-def]
    decision = decide(leader, FRESH, OPEN, POLICY, NOW)
    assert isinstance(decision, Skip)
    assert decision.reason is reason


def test_an_instrument_of_another_kind_is_filtered_and_an_unknown_one_refused() -> None:
    equity = replace(NIFTY, kind="EQUITY")
    decision = decide(an_order(), FRESH, replace(OPEN, instrument=equity), POLICY, NOW)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.FILTERED_INSTRUMENT
    nobody_knows = an_order(lot_size=None)
    decision = decide(nobody_knows, FRESH, replace(OPEN, instrument=None), POLICY, NOW)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.UNKNOWN_INSTRUMENT
    waiting = replace(OPEN, instrument=None, master_read=False)
    assert isinstance(decide(nobody_knows, FRESH, waiting, POLICY, NOW), Wait)


def test_no_entry_leaves_while_the_gate_is_closed_but_a_cancellation_does() -> None:
    closed = replace(OPEN, gate_open=False)
    assert isinstance(decide(an_order(), FRESH, closed, POLICY, NOW), Wait)
    assert decide(an_order(status=Status.CANCELLED), resting(), closed, POLICY, NOW) == Cancel()


def test_a_zero_lot_skip_is_taken_back_when_the_leader_buys_more() -> None:
    skipped = replace(FRESH, reason=Reason.ZERO_LOTS)
    assert isinstance(decide(an_order(quantity=130), skipped, OPEN, POLICY, NOW), Place)
    assert decide(an_order(quantity=130, status=Status.TRADED), skipped, OPEN, POLICY, NOW) == Done()


@pytest.mark.parametrize(
    ("change", "wish"),
    [
        ({"price": Decimal("101.50")}, {"price": Decimal("101.50")}),
        ({"quantity": 520}, {"quantity": 260}),
        ({"quantity": 390}, {"quantity": 195}),
        ({"order_type": OrderType.MARKET}, {"order_type": OrderType.MARKET, "price": Decimal(0)}),
        ({"validity": Validity.IOC}, {"validity": Validity.IOC}),
    ],
)
def test_a_modification_is_restated_in_full(change: dict, wish: dict) -> None:  # type: ignore[type-arg]
    before = wish_for(an_order(), 130, 65)
    decision = decide(an_order(status=Status.MODIFIED, **change), resting(), OPEN, POLICY, NOW)
    assert decision == Modify(replace(before, **wish))


def test_nothing_is_sent_for_what_is_as_wished_or_was_refused() -> None:
    assert decide(an_order(), resting(), OPEN, POLICY, NOW) == Done()
    dearer = an_order(price=Decimal("101.50"))
    refused = resting(refused=wish_for(dearer, 130, 65))
    assert decide(dearer, refused, OPEN, POLICY, NOW) == Done()


def test_a_triggered_stop_causes_no_request() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
    copy = resting(accepted=wish_for(stop, 130, 65))
    assert decide(replace(stop, status=Status.TRIGGERED), copy, OPEN, POLICY, NOW) == Done()


def test_a_modification_never_goes_below_what_is_filled() -> None:
    copy = resting(order=an_order(filled_quantity=65, quantity=130))
    assert decide(an_order(quantity=130), copy, OPEN, POLICY, NOW) == Cancel()


def test_the_broker_is_not_asked_for_a_twenty_sixth_modification() -> None:
    copy = resting(modifications=MAX_MODIFICATIONS)
    assert isinstance(decide(an_order(price=Decimal(99)), copy, OPEN, POLICY, NOW), Wait)


def test_one_request_at_a_time_and_a_look_before_anything_in_doubt() -> None:
    assert isinstance(decide(an_order(), replace(FRESH, n=1, stage=Stage.PENDING), OPEN, POLICY, NOW), Wait)
    in_doubt = replace(FRESH, n=1, stage=Stage.UNKNOWN)
    assert decide(an_order(), in_doubt, OPEN, POLICY, NOW) == Lookup()
    assert decide(an_order(status=Status.CANCELLED), in_doubt, OPEN, POLICY, NOW) == Lookup()


def test_one_cancellation_is_enough() -> None:
    assert isinstance(decide(an_order(status=Status.CANCELLED), resting(cancel_sent=True), OPEN, POLICY, NOW), Wait)


def test_what_the_leader_got_before_cancelling_is_copied() -> None:
    decision = decide(an_order(status=Status.CANCELLED, filled_quantity=130), FRESH, OPEN, POLICY, NOW)
    assert isinstance(decision, Place)
    assert decision.wish.quantity == 65


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, "102.05"), (Side.SELL, "98.05")])
def test_a_late_copy_does_not_chase(side: Side, limit: str) -> None:
    leader = an_order(
        status=Status.TRADED, side=side, order_type=OrderType.MARKET, price=Decimal(0), average_price=Decimal("100.05")
    )
    decision = decide(leader, FRESH, OPEN, POLICY, NOW + timedelta(seconds=30))
    assert isinstance(decision, Place)
    assert (decision.wish.order_type, decision.wish.price) == (OrderType.LIMIT, Decimal(limit))
    copy = resting(accepted=decision.wish)
    assert decide(leader, copy, OPEN, POLICY, NOW + timedelta(seconds=31)) == Done()


def test_what_was_filled_long_ago_is_not_copied() -> None:
    leader = an_order(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    decision = decide(leader, FRESH, OPEN, POLICY, NOW + timedelta(seconds=3601))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.MISSED_TOO_OLD


def test_capital_decides_the_size_and_is_waited_for() -> None:
    policy = replace(POLICY, sizing=SizingPolicy(Strategy.CAPITAL_PROPORTIONAL))
    assert isinstance(decide(an_order(), FRESH, OPEN, policy, NOW), Wait)
    known = replace(OPEN, capitals=Capitals(Decimal(1_000_000), Decimal(500_000)))
    decision = decide(an_order(), FRESH, known, policy, NOW)
    assert isinstance(decision, Place)
    assert decision.wish.quantity == 130
    broke = replace(OPEN, capitals=Capitals(Decimal(1_000_000), Decimal(0)))
    decision = decide(an_order(), FRESH, broke, policy, NOW)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.NO_CAPITAL


def test_limits_cap_an_entry() -> None:
    capped = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_lots=3))
    decision = decide(an_order(), FRESH, OPEN, capped, NOW)
    assert isinstance(decision, Place)
    assert decision.wish.quantity == 195
    poor = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_order_value=Decimal(7000)))
    decision = decide(an_order(), FRESH, OPEN, poor, NOW)
    assert isinstance(decision, Place)
    assert decision.wish.quantity == 65
    poorer = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_order_value=Decimal(6000)))
    decision = decide(an_order(), FRESH, OPEN, poorer, NOW)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.OVER_ORDER_VALUE


@pytest.mark.parametrize(("disclosed", "copied"), [(500, 250), (301, 151), (0, 0), (999, 499)])
def test_a_disclosed_quantity_is_scaled_for_shares(disclosed: int, copied: int) -> None:
    shares = InstrumentKey(Segment.NSE_EQ, "2885")
    leader = an_order(key=shares, quantity=1000, lot_size=1, disclosed_quantity=disclosed)
    assert wish_for(leader, 500, 1).disclosed_quantity == copied
    assert wish_for(replace(leader, key=OPTION), 500, 1).disclosed_quantity == 0


@given(
    leader=st.builds(
        an_order,
        status=st.sampled_from(list(Status)),
        side=st.sampled_from(list(Side)),
        order_type=st.sampled_from(list(OrderType)),
        validity=st.sampled_from(list(Validity)),
        quantity=st.integers(1, 5000),
        filled_quantity=st.integers(0, 5000),
        average_price=st.sampled_from([Decimal(0), Decimal("99.95")]),
        disclosed_quantity=st.integers(0, 5000),
        lot_size=st.sampled_from([None, 1, 65]),
    ),
    stage=st.sampled_from(list(Stage)),
    reason=st.sampled_from([None, *Reason]),
    ratio=st.one_of(st.none(), st.builds(Ratio, st.fractions(0, 10), st.just("any"))),
    filled=st.integers(0, 500),
    cancel_sent=st.booleans(),
    instrument=st.sampled_from([None, NIFTY]),
    gate_open=st.booleans(),
    age=st.integers(0, 7200),
)
def test_every_situation_has_an_answer_that_may_be_sent(  # type: ignore[no-untyped-def]
    leader, stage, reason, ratio, filled, cancel_sent, instrument, gate_open, age
) -> None:
    copy = resting(
        stage=stage, reason=reason, ratio=ratio, cancel_sent=cancel_sent, order=an_order(filled_quantity=filled)
    )
    situation = Situation(instrument, master_read=True, capitals=Capitals(), gate_open=gate_open)
    decision = decide(leader, copy, situation, POLICY, NOW + timedelta(seconds=age))
    if isinstance(decision, Place | Modify):
        lot_size = instrument.lot_size if instrument else leader.lot_size
        scaled = (ratio.value if ratio else Fraction(1, 2)) * leader.quantity
        assert decision.wish.quantity % lot_size == 0
        assert 0 < decision.wish.quantity <= scaled
    if isinstance(decision, Place):
        assert stage is Stage.NONE
        assert gate_open
    if isinstance(decision, Modify):
        assert decision.wish.quantity > filled
    if isinstance(decision, Modify | Cancel):
        assert stage is Stage.LIVE
        assert not cancel_sent
