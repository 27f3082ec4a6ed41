from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.decide.decide import decide
from copytrade.core.decide.decisions import (
    MAX_MODIFICATIONS,
    Allocated,
    Cancel,
    DecisionInput,
    Done,
    Lookup,
    Modify,
    Place,
    Skip,
    UnfilledAction,
    Wait,
)
from copytrade.core.decide.desired_order import MarketAs, OrderTypePolicy, desired_order
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, Strategy
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.model.copies import DesiredOrder, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import InstrumentKey, Leg, OrderType, Product, Segment, Side, Status, Validity
from copytrade.core.model.reasons import Reason
from tests.core.asking import FRESH, NIFTY, OPEN, POLICY, TERMS, ask, resting
from tests.core.orders import NOW, OPTION, an_order


def test_an_accepted_order_is_placed_with_every_parameter() -> None:
    leader = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99), validity=Validity.DAY)
    decision = ask(leader)
    assert isinstance(decision, Place)
    assert decision.desired == DesiredOrder(130, OrderType.STOP_LOSS, Decimal("100.05"), Decimal(99), Validity.DAY, 0)
    assert decision.arithmetic == "fixed ratio 0.5; 260 x 0.5000 = 130.00 -> 2 x 65"


def test_an_order_in_transit_is_waited_for() -> None:
    assert isinstance(ask(an_order(status=Status.TRANSIT)), Wait)


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
    decision = ask(leader)
    assert isinstance(decision, Skip)
    assert decision.reason is reason


def test_an_instrument_of_another_kind_is_filtered_and_an_unknown_one_refused() -> None:
    equity = replace(NIFTY, kind="EQUITY")
    decision = ask(an_order(), inputs=replace(OPEN, instrument=equity))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.FILTERED_INSTRUMENT
    nobody_knows = an_order(lot_size=None, instrument=None)
    decision = ask(nobody_knows, inputs=replace(OPEN, instrument=None))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.UNKNOWN_INSTRUMENT
    waiting = replace(OPEN, instrument=None, master_read=False)
    assert isinstance(ask(nobody_knows, inputs=waiting), Wait)


def test_no_entry_leaves_while_the_gate_is_closed_but_a_cancellation_does() -> None:
    closed = replace(OPEN, gate_open=False)
    assert isinstance(ask(an_order(), inputs=closed), Wait)
    assert ask(an_order(status=Status.CANCELLED), resting(), inputs=closed) == Cancel(1)


def test_a_zero_lot_skip_is_taken_back_when_the_leader_buys_more() -> None:
    skipped = replace(FRESH, reason=Reason.ZERO_LOTS)
    assert isinstance(ask(an_order(quantity=130), skipped), Place)
    assert ask(an_order(quantity=130, status=Status.TRADED), skipped) == Done()


@pytest.mark.parametrize(
    ("change", "desired"),
    [
        ({"price": Decimal("101.50")}, {"price": Decimal("101.50")}),
        ({"quantity": 520}, {"quantity": 260}),
        ({"quantity": 390}, {"quantity": 195}),
        ({"order_type": OrderType.MARKET}, {"order_type": OrderType.MARKET, "price": Decimal(0)}),
        ({"validity": Validity.IOC}, {"validity": Validity.IOC}),
    ],
)
def test_a_modification_is_restated_in_full(change: dict, desired: dict) -> None:  # type: ignore[type-arg]
    before = desired_order(an_order(), 130, NIFTY, TERMS)
    decision = ask(an_order(status=Status.MODIFIED, **change), resting())
    assert decision == Modify(1, replace(before, **desired))


def test_nothing_is_sent_for_what_is_as_wished_and_what_was_refused_waits_for_its_next_try() -> None:
    assert ask(an_order(), resting()) == Done()
    dearer = an_order(price=Decimal("101.50"))
    desired = desired_order(dearer, 130, NIFTY, TERMS)
    refused = resting(refused=desired)
    assert ask(dearer, refused, inputs=replace(OPEN, is_held=lambda _: True)) == Done()
    assert ask(dearer, refused) == Modify(1, desired)


def test_a_triggered_stop_causes_no_request() -> None:
    stop = an_order(order_type=OrderType.STOP_LOSS, trigger_price=Decimal(99))
    copy = resting(accepted=desired_order(stop, 130, NIFTY, TERMS))
    assert ask(replace(stop, status=Status.TRIGGERED), copy) == Done()


def test_a_modification_never_goes_below_what_is_filled() -> None:
    copy = resting(order=an_order(filled_quantity=65, quantity=130))
    assert ask(an_order(quantity=130), copy) == Cancel(1)


def test_in_place_of_a_twenty_sixth_modification_the_order_is_cancelled_and_then_sent_anew() -> None:
    dearer = an_order(price=Decimal(99))
    copy = resting(modifications=MAX_MODIFICATIONS)
    assert ask(dearer, copy) == Cancel(1)
    leaving = replace(copy, cancelling=True, cancel_asked=True, cancel_sent=True)
    assert ask(dearer, leaving) == Done()
    part_filled = an_order(status=Status.CANCELLED, quantity=130, filled_quantity=65)
    decision = ask(dearer, replace(leaving, stage=Stage.ENDED, order=part_filled))
    assert isinstance(decision, Place)
    assert (decision.n, decision.desired.quantity, decision.desired.price) == (2, 65, Decimal(99))


def test_one_request_at_a_time_and_a_look_before_anything_in_doubt() -> None:
    pending = replace(resting(stage=Stage.PENDING), accepted=None)
    assert ask(an_order(price=Decimal(99)), pending) == Done()
    in_doubt = resting(stage=Stage.UNKNOWN)
    assert ask(an_order(), in_doubt) == Lookup(1)
    assert ask(an_order(status=Status.CANCELLED), in_doubt) == Lookup(1)


def test_one_cancellation_is_enough() -> None:
    assert ask(an_order(status=Status.CANCELLED), resting(cancelling=True, cancel_sent=True)) == Done()


def test_what_the_leader_got_before_cancelling_is_copied() -> None:
    decision = ask(an_order(status=Status.CANCELLED, filled_quantity=130))
    assert isinstance(decision, Place)
    assert decision.desired.quantity == 65


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, "102.05"), (Side.SELL, "98.05")])
def test_a_late_copy_does_not_chase(side: Side, limit: str) -> None:
    leader = an_order(
        status=Status.TRADED, side=side, order_type=OrderType.MARKET, price=Decimal(0), average_price=Decimal("100.05")
    )
    decision = ask(leader, now=NOW + timedelta(seconds=30))
    assert isinstance(decision, Place)
    assert (decision.desired.order_type, decision.desired.price) == (OrderType.LIMIT, Decimal(limit))
    copy = resting(accepted=decision.desired)
    assert isinstance(ask(leader, copy, now=NOW + timedelta(seconds=31)), Wait)


def test_what_was_filled_long_ago_is_not_copied() -> None:
    leader = an_order(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    decision = ask(leader, now=NOW + timedelta(seconds=3601))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.MISSED_TOO_OLD


def test_capital_decides_the_size_and_is_waited_for() -> None:
    policy = replace(POLICY, sizing=SizingPolicy(Strategy.CAPITAL_PROPORTIONAL))
    assert isinstance(ask(an_order(), policy=policy), Wait)
    known = Capitals(Decimal(1_000_000), Decimal(500_000))
    decision = ask(an_order(), policy=policy, capitals=known)
    assert isinstance(decision, Place)
    assert decision.desired.quantity == 130
    broke = Capitals(Decimal(1_000_000), Decimal(0))
    decision = ask(an_order(), policy=policy, capitals=broke)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.NO_CAPITAL


def test_limits_cap_an_entry() -> None:
    capped = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_lots=3))
    decision = ask(an_order(), policy=capped)
    assert isinstance(decision, Place)
    assert decision.desired.quantity == 195
    poor = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_order_value=Decimal(7000)))
    decision = ask(an_order(), policy=poor)
    assert isinstance(decision, Place)
    assert decision.desired.quantity == 65
    poorer = replace(POLICY, sizing=SizingPolicy(Strategy.FIXED_RATIO, Decimal(1), max_order_value=Decimal(6000)))
    decision = ask(an_order(), policy=poorer)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.OVER_ORDER_VALUE


@pytest.mark.parametrize(("disclosed", "copied"), [(500, 250), (301, 151), (0, 0), (999, 499)])
def test_a_disclosed_quantity_is_scaled_for_shares(disclosed: int, copied: int) -> None:
    shares = InstrumentKey(Segment.NSE_EQ, "2885")
    leader = an_order(key=shares, quantity=1000, lot_size=1, disclosed_quantity=disclosed)
    share = replace(NIFTY, kind="EQUITY", lot_size=1)
    assert desired_order(leader, 500, share, TERMS).disclosed_quantity == copied
    assert desired_order(replace(leader, key=OPTION), 500, share, TERMS).disclosed_quantity == 0


def test_a_market_order_is_copied_as_one_or_as_our_own_marketable_limit() -> None:
    leader = an_order(order_type=OrderType.MARKET, price=Decimal(0), last_price=Decimal(100))
    decision = ask(leader)
    assert isinstance(decision, Place)
    assert (decision.desired.order_type, decision.desired.price) == (OrderType.MARKET, Decimal(0))
    ours = replace(POLICY, terms=OrderTypePolicy(market_as=MarketAs.LIMIT, market_protection_percent=Decimal("1.03")))
    decision = ask(leader, policy=ours)
    assert isinstance(decision, Place)
    assert (decision.desired.order_type, decision.desired.price) == (OrderType.LIMIT, Decimal("101.05"))
    later = replace(leader, last_price=Decimal(103), status=Status.PART_TRADED, filled_quantity=65)
    assert ask(later, resting(accepted=decision.desired), policy=ours) == Done()


@pytest.mark.parametrize(("side", "limit"), [(Side.BUY, "105.00"), (Side.SELL, "95.00")])
def test_a_stop_loss_market_order_becomes_a_stop_with_a_limit_beyond_its_trigger(side: Side, limit: str) -> None:
    leader = an_order(side=side, order_type=OrderType.STOP_LOSS_MARKET, trigger_price=Decimal(100), price=Decimal(0))
    decision = ask(leader)
    assert isinstance(decision, Place)
    assert decision.desired.order_type is OrderType.STOP_LOSS
    assert (decision.desired.trigger_price, decision.desired.price) == (Decimal(100), Decimal(limit))


def test_what_is_above_the_freeze_quantity_is_sliced_and_every_slice_follows() -> None:
    inputs = replace(OPEN, largest=65)
    first = ask(an_order(), inputs=inputs)
    assert isinstance(first, Place)
    assert (first.n, first.desired.quantity) == (1, 65)
    one = resting(desired=first.desired, accepted=first.desired)
    second = ask(an_order(), one, inputs=replace(inputs, under_way={1}))
    assert isinstance(second, Place)
    assert (second.n, second.desired.quantity) == (2, 65)
    two = replace(one, n=2)
    assert ask(an_order(), one, two, inputs=inputs) == Done()
    dearer = an_order(price=Decimal(101), status=Status.MODIFIED)
    restated = replace(first.desired, price=Decimal(101))
    assert ask(dearer, one, two, inputs=inputs) == Modify(1, restated)
    assert ask(dearer, replace(one, accepted=restated), two, inputs=inputs) == Modify(2, restated)
    assert ask(an_order(status=Status.CANCELLED), one, two, inputs=replace(inputs, under_way={1})) == Cancel(2)
    assert ask(an_order(quantity=130), one, two, inputs=inputs) == Cancel(2)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (UnfilledAction.CANCEL, Cancel(1, Reason.UNFILLED)),
        (UnfilledAction.ALERT, Reason.UNFILLED),
        (UnfilledAction.REPRICE, OrderType.MARKET),
    ],
)
def test_an_entry_that_rests_after_the_leaders_was_filled_is_seen_to(action: UnfilledAction, expected: object) -> None:
    policy = replace(POLICY, unfilled_action=action)
    traded = an_order(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    waiting = ask(traded, resting(), policy=policy)
    assert isinstance(waiting, Wait)
    assert waiting.until == NOW + timedelta(seconds=60)
    decision = ask(traded, resting(), policy=policy, now=NOW + timedelta(seconds=60))
    match decision:
        case Modify(desired=desired):
            assert desired.order_type is expected
            repriced = resting(accepted=desired, reason=Reason.UNFILLED)
            assert ask(traded, repriced, policy=policy, now=NOW + timedelta(seconds=600)) == Done()
        case Cancel():
            assert decision == expected
        case flag:
            assert flag.reason is expected  # type: ignore[union-attr]


def test_a_late_copy_has_its_own_time_to_fill() -> None:
    """It was placed ten minutes after the leader's fill: only from then on can it rest for too long."""
    traded = an_order(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    placed = NOW + timedelta(minutes=10)
    late = resting(created_at=placed)
    waiting = ask(traded, late, now=placed + timedelta(seconds=1))
    assert isinstance(waiting, Wait)
    assert waiting.until == placed + timedelta(seconds=60)
    assert ask(traded, late, now=placed + timedelta(seconds=60)) == Cancel(1, Reason.UNFILLED)


def test_an_order_that_was_not_sent_after_all_is_explained() -> None:
    cancelled = resting(stage=Stage.ENDED, cancel_asked=True, order=an_order(status=Status.CANCELLED, quantity=130))
    unsent = resting(n=2, stage=Stage.NONE, desired=None, accepted=None)
    decision = ask(an_order(status=Status.CANCELLED), cancelled, unsent)
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.NOT_NEEDED


def test_what_ended_without_us_stays_ended() -> None:
    for status in (Status.CANCELLED, Status.REJECTED, Status.EXPIRED):
        ended = resting(stage=Stage.ENDED, order=an_order(status=status, quantity=130, filled_quantity=65))
        assert ask(an_order(quantity=520), ended) == Done()


def test_a_price_that_the_exchange_would_refuse_is_refused_by_us() -> None:
    wrong = an_order(price=Decimal("100.03"))
    assert isinstance(ask(wrong), Place), "the leader's broker has just taken it"
    decision = ask(wrong, now=NOW + timedelta(minutes=1))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.PRICE_RULE
    assert "100.03" in decision.detail


COPIES = st.builds(
    resting,
    n=st.integers(0, 3),
    part=st.sampled_from(Part),
    stage=st.sampled_from(Stage),
    reason=st.sampled_from([None, *Reason]),
    cancelling=st.booleans(),
    cancel_asked=st.booleans(),
    modifications=st.integers(0, 30),
    order=st.builds(
        an_order, status=st.sampled_from(Status), quantity=st.just(130), filled_quantity=st.sampled_from([0, 65, 130])
    ),
).map(lambda copy: copy if copy.n else replace(copy, stage=Stage.NONE))


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
        after_market=st.booleans(),
    ),
    copies=st.lists(COPIES, max_size=4, unique_by=lambda copy: copy.n),
    allocated=st.one_of(
        st.none(),
        st.builds(
            Allocated,
            parts=st.sampled_from([(), (Part.ENTRY,), (Part.EXIT,), (Part.EXIT, Part.ENTRY)]),
            entry=st.one_of(st.none(), st.integers(0, 10).map(lambda lots: Size(lots * 65, "any"))),
            entry_at_most=st.integers(0, 10).map(lambda lots: lots * 65),
            exit_open=st.integers(0, 10).map(lambda lots: lots * 65),
        ),
    ),
    inputs=st.builds(
        DecisionInput,
        instrument=st.sampled_from([None, NIFTY]),
        master_read=st.booleans(),
        gate_open=st.booleans(),
        largest=st.sampled_from([None, 65, 1755]),
        under_way=st.sets(st.integers(0, 3)),
    ),
    age=st.integers(0, 7200),
)
def test_every_situation_has_an_answer_that_may_be_sent(  # type: ignore[no-untyped-def]
    leader, copies, allocated, inputs, age
) -> None:
    decision = decide(leader, copies, allocated, inputs, POLICY, NOW + timedelta(seconds=age))
    by_number = {copy.n: copy for copy in copies if copy.n}
    if isinstance(decision, Place | Modify):
        assert allocated is not None
        assert decision.desired.quantity % 65 == 0
        assert decision.desired.quantity > 0
    if isinstance(decision, Place):
        assert decision.n not in inputs.under_way
        assert decision.n not in by_number or by_number[decision.n].stage is Stage.NONE
        assert inputs.gate_open or decision.part is Part.EXIT
        beside = sum(
            copy.quantity if copy.is_open else copy.filled_quantity
            for copy in by_number.values()
            if copy.part is decision.part
        )
        if decision.part is Part.ENTRY:
            assert beside + decision.desired.quantity <= max(beside, allocated.entry_at_most, allocated.entry.quantity)
    if isinstance(decision, Modify):
        assert decision.desired.quantity > by_number[decision.n].filled_quantity
    if isinstance(decision, Modify | Cancel):
        assert by_number[decision.n].stage is Stage.LIVE
        assert decision.n not in inputs.under_way
        assert not by_number[decision.n].cancelling


def test_what_was_not_sent_and_has_become_too_old_is_explained_beside_what_was_cancelled() -> None:
    """Of two slices the one was lost over night, and the other cancelled because the leader had wanted less."""
    unsent = resting(stage=Stage.NONE, desired=None, accepted=None)
    cancelled = resting(n=2, stage=Stage.ENDED, cancel_asked=True, order=an_order(status=Status.CANCELLED, quantity=65))
    traded = an_order(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    decision = ask(traded, unsent, cancelled, now=NOW + timedelta(seconds=3601))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.MISSED_TOO_OLD


def test_what_is_left_to_close_waits_for_the_next_session() -> None:
    """One slice has filled; the other was not sent, and now the market is closed for the night."""
    closes = an_order(id="flat1", side=Side.SELL, status=Status.TRADED, order_type=OrderType.MARKET)
    order = an_order(status=Status.TRADED, quantity=130, filled_quantity=130)
    filled = resting(part=Part.CLOSE, stage=Stage.ENDED, order=order)
    unsent = resting(n=2, part=Part.CLOSE, stage=Stage.NONE, desired=None, accepted=None)
    allocated, inputs = Allocated((Part.CLOSE,), closing=260), replace(OPEN, hours=load_market_hours())
    decision = decide(closes, (filled, unsent), allocated, inputs, POLICY, NOW + timedelta(hours=12))
    assert isinstance(decision, Wait)
    assert decision.until is not None


def test_what_is_to_be_cancelled_is_not_brought_to_the_market_while_its_cancellation_waits() -> None:
    """A stop is cancelled, the broker does not do so, and the next try waits: it must not take what is not held."""
    leader = an_order(side=Side.SELL, status=Status.CANCELLED)
    copy = resting(part=Part.EXIT)
    held = replace(OPEN, is_held=lambda action: isinstance(action, Cancel))
    later = NOW + timedelta(minutes=5)
    for inputs in (OPEN, held):
        decision = decide(leader, [copy], Allocated((Part.EXIT,)), inputs, POLICY, later)
        assert not isinstance(decision, Modify)
