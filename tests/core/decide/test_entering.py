"""The limits on what a follower enters: each has its reason, and none holds an exit or a cancellation back."""

from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Cancel, Modify, Place, Skip, Wait
from copytrade.core.decide.risk_limits import Breach, LimitsUsed, LossLimit, RiskLimits, trading_day
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.accounts import Result
from copytrade.core.model.copies import Copy
from copytrade.core.model.orders import IST, InstrumentKey, Order, OrderType, Product, Segment, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.asking import NIFTY, OPEN, POLICY, ask, knows_positions, resting
from tests.core.engine.policies import LOT, MARKET_RULES, policy
from tests.core.orders import NOW, OPTION, an_order

#: What a follower with every limit may enter now: 2 lots are open, 8 entries were sent, and it has lost 400.
LIMITS = RiskLimits(
    max_daily_loss=LossLimit(Decimal(1000)),
    max_open_lots=4,
    max_orders_per_day=9,
    allowed=frozenset({"NIFTY"}),
    blocked=frozenset({"NSE_EQ"}),
    trade_from=time(9, 20),
    trade_until=time(15, 0),
)
STANDING = LimitsUsed(result=Result(Decimal(-400), NOW), limit=Decimal(1000), open_lots=2, entries_today=8)


def protected(used: LimitsUsed = STANDING, limits: RiskLimits = LIMITS, **asked):  # type: ignore[no-untyped-def]
    leader = asked.pop("leader", an_order())
    return ask(
        leader,
        *asked.pop("copies", ()),
        policy=replace(POLICY, risk_limits=limits),
        inputs=replace(OPEN, limits_used=lambda: used),
        **asked,
    )


def test_an_entry_within_every_limit_is_placed() -> None:
    assert isinstance(protected(), Place)


BEYOND = [
    (replace(STANDING, breach="too much"), LIMITS, Reason.MAX_DAILY_LOSS),
    (replace(STANDING, open_lots=3), LIMITS, Reason.MAX_OPEN_LOTS),
    (replace(STANDING, entries_today=9), LIMITS, Reason.MAX_ORDERS_PER_DAY),
    (STANDING, replace(LIMITS, allowed=frozenset({"BANKNIFTY"})), Reason.NOT_ALLOWED),
    (STANDING, replace(LIMITS, blocked=frozenset({"NIFTY-DEC2026-26000-CE"})), Reason.BLOCKED),
    (STANDING, replace(LIMITS, blocked=frozenset({"NIFTY"})), Reason.BLOCKED),
    (STANDING, replace(LIMITS, blocked=frozenset({"NSE_FNO"})), Reason.BLOCKED),
    (STANDING, replace(LIMITS, trade_from=time(10, 16)), Reason.OUTSIDE_WINDOW),
    (STANDING, replace(LIMITS, trade_until=time(10, 15)), Reason.OUTSIDE_WINDOW),
]


@pytest.mark.parametrize(("used", "limits", "reason"), BEYOND)
def test_an_entry_beyond_a_limit_is_skipped_with_its_reason(
    used: LimitsUsed, limits: RiskLimits, reason: Reason
) -> None:
    decision = protected(used, limits)
    assert isinstance(decision, Skip)
    assert decision.reason is reason
    assert reason.is_provisional


@pytest.mark.parametrize(("used", "limits", "reason"), BEYOND)
def test_an_order_that_rests_is_not_enlarged_beyond_a_limit_but_follows_the_leader_otherwise(
    used: LimitsUsed, limits: RiskLimits, reason: Reason
) -> None:
    larger = an_order(status=Status.MODIFIED, quantity=520, price=Decimal("101.00"))
    decision = protected(used, limits, leader=larger, copies=[resting()])
    assert isinstance(decision, Modify)
    assert (decision.desired.quantity, decision.desired.price) == (130, Decimal("101.00"))
    smaller = protected(used, limits, leader=replace(larger, quantity=130), copies=[resting()])
    assert isinstance(smaller, Modify)
    assert smaller.desired.quantity == 65
    assert protected(used, limits, leader=an_order(status=Status.CANCELLED), copies=[resting()]) == Cancel(1)


@pytest.mark.parametrize(
    "change", [{"result": None}, {"result": Result(Decimal(0), NOW - timedelta(61))}, {"limit": None}]
)
def test_without_a_recent_result_or_a_capital_entries_wait_where_a_loss_is_limited(change: dict[str, object]) -> None:
    unknown = replace(STANDING, **change)  # type: ignore[arg-type]
    assert isinstance(protected(unknown), Wait)
    assert isinstance(protected(unknown, replace(LIMITS, max_daily_loss=None)), Place)
    assert protected(unknown, leader=an_order(status=Status.CANCELLED), copies=[resting()]) == Cancel(1)


def test_an_entry_before_the_window_is_looked_at_when_it_opens() -> None:
    decision = protected(limits=replace(LIMITS, trade_from=time(10, 16)))
    assert isinstance(decision, Skip)
    assert decision.until == datetime(2026, 11, 23, 10, 16, tzinfo=IST)
    assert isinstance(protected(limits=replace(LIMITS, trade_from=time(10, 15))), Place)


def test_a_loss_limit_is_rupees_or_a_part_of_the_capital() -> None:
    assert LossLimit(Decimal(5000)).rupees(None) == 5000
    part = LossLimit(Decimal("2.5"), is_percent=True)
    assert (part.rupees(Decimal(200_000)), part.rupees(None), str(part)) == (5000, None, "2.5%")


def test_the_night_belongs_to_the_trading_day_before_it() -> None:
    assert trading_day(datetime(2026, 11, 24, 7, 59, tzinfo=IST)).day == 23
    assert trading_day(datetime(2026, 11, 24, 8, 0, tzinfo=IST)).day == 24


# The desk, which counts.


def an_engine(limits: RiskLimits, capitals: Capitals = Capitals(), *copies: Copy) -> CopyEngine:  # noqa: B008 (a value)
    engine = CopyEngine("alice", replace(policy(Decimal(1)), risk_limits=limits), capitals, MARKET_RULES)
    engine.load(copies, (), (), NOW - timedelta(hours=1), 0.0)
    engine.know_instruments({OPTION: NIFTY})
    knows_positions(engine)
    engine.set_gate(is_open=True)
    return engine


def market(number: int, lots: int, side: Side = Side.BUY, **changes: object) -> Order:
    return an_order(
        id=f"{number}", side=side, quantity=lots * LOT, order_type=OrderType.MARKET, price=Decimal(0), **changes
    )


def sent(engine: CopyEngine, *leaders: Order, now: datetime = NOW) -> list[str]:
    """Have the leader place orders; return whose copies are sent, each accepted at once and resting."""
    for leader in leaders:
        engine.leader_changed(leader, None)
    engine.scheduler.consider(now)
    ids = []
    while picked := engine.scheduler.pick(now):
        leader, action = picked
        copy = engine.begin(leader, action, now).after
        engine.execution.settle((leader.id, action.n), transitions.accepted(copy, f"F{leader.id}", None), 1.0)
        ids.append(leader.id)
        engine.scheduler.consider(now)
    return ids


def filled(engine: CopyEngine, leader: Order) -> None:
    order = replace(
        leader,
        id=f"F{leader.id}",
        correlation_id=f"ct-{leader.id}-1",
        status=Status.TRADED,
        filled_quantity=leader.quantity,
    )
    engine.own_orders.seen(order, None)


def reason_of(engine: CopyEngine, leader_order_id: str) -> Reason | None:
    return next(copy.reason for copy, leader in engine.everything() if leader.id == leader_order_id)


def test_open_lots_are_what_is_held_and_what_may_be_live_on_every_line() -> None:
    other = InstrumentKey(Segment.NSE_FNO, "45679")
    engine = an_engine(RiskLimits(max_open_lots=3))
    engine.know_instruments({OPTION: NIFTY, other: NIFTY})
    first, second, third = market(1, 2), market(2, 2, key=other), market(3, 1, product=Product.INTRADAY)
    assert sent(engine, first, second, third) == ["1", "3"]
    assert reason_of(engine, "2") is Reason.MAX_OPEN_LOTS
    filled(engine, first)
    assert sent(engine, market(4, 1, key=other)) == []
    leaving = market(5, 2, Side.SELL, status=Status.TRADED, filled_quantity=2 * LOT)
    engine.leader_changed(replace(first, status=Status.TRADED, filled_quantity=2 * LOT), None)
    assert sent(engine, leaving) == ["5"]
    filled(engine, leaving)
    assert sent(engine, market(6, 2, key=other)) == ["6"]


def test_what_was_decided_with_a_lot_to_spare_is_judged_again_when_another_has_taken_it() -> None:
    engine = an_engine(RiskLimits(max_open_lots=1))
    other = InstrumentKey(Segment.NSE_FNO, "45679")
    engine.know_instruments({OPTION: NIFTY, other: replace(NIFTY, underlying="BANKNIFTY")})
    assert sent(engine, market(1, 1), market(2, 1, key=other)) == ["1"]


def test_entries_are_counted_by_the_day_and_exits_are_not() -> None:
    engine = an_engine(RiskLimits(max_orders_per_day=2))
    first, second = market(1, 1), market(2, 1)
    assert sent(engine, first, second) == ["1", "2"]
    assert sent(engine, market(3, 1)) == []
    assert reason_of(engine, "3") is Reason.MAX_ORDERS_PER_DAY
    for leader in (first, second):
        filled(engine, leader)
        engine.leader_changed(replace(leader, status=Status.TRADED, filled_quantity=LOT), None)
    assert sent(engine, market(4, 2, Side.SELL)) == ["4"]
    tomorrow = NOW + timedelta(days=1)
    assert sent(engine, market(5, 1, product=Product.INTRADAY, created_at=tomorrow), now=tomorrow) == ["5"]
    copies = [copy for copy, _ in engine.everything()]
    again = an_engine(RiskLimits(max_orders_per_day=2), Capitals(), *copies)
    assert sent(again, market(6, 1)) == []


@pytest.mark.parametrize("limit", [LossLimit(Decimal(1000)), LossLimit(Decimal(2), is_percent=True)])
def test_a_loss_that_is_reached_ends_entries_for_the_trading_day_once(limit: LossLimit) -> None:
    limits, capitals = RiskLimits(max_daily_loss=limit), Capitals(follower=Decimal(50_000))
    engine = an_engine(limits, capitals)
    assert engine.know_result(Result(Decimal("-999.99"), NOW)) is None
    assert sent(engine, market(1, 1)) == ["1"]
    breach = engine.know_result(Result(Decimal(-1000), NOW))
    assert breach is not None
    assert Breach.read(str(breach)) == breach
    assert engine.know_result(Result(Decimal(-2000), NOW)) is None
    assert engine.know_result(Result(Decimal(500), NOW)) is None
    assert sent(engine, market(2, 1)) == []
    assert reason_of(engine, "2") is Reason.MAX_DAILY_LOSS
    filled(engine, market(1, 1))
    engine.leader_changed(market(1, 1, status=Status.TRADED, filled_quantity=LOT), None)
    assert sent(engine, market(3, 1, Side.SELL)) == ["3"]
    again = an_engine(limits, capitals)
    again.know_breach(breach)
    again.know_result(Result(Decimal(0), NOW))
    assert sent(again, market(4, 1)) == []
    tomorrow = NOW + timedelta(days=1)
    assert sent(again, market(5, 1, created_at=tomorrow), now=tomorrow) == []
    again.know_result(Result(Decimal(0), tomorrow))
    assert sent(again, now=tomorrow) == ["4", "5"]
    assert not again.limit_usage.is_breached(tomorrow)


def test_a_part_of_a_capital_that_is_not_known_lets_nothing_in() -> None:
    engine = an_engine(RiskLimits(max_daily_loss=LossLimit(Decimal(2), is_percent=True)))
    assert engine.know_result(Result(Decimal(-1000), NOW)) is None
    assert sent(engine, market(1, 1)) == []
    engine.know_capital(Decimal(100_000))
    assert sent(engine) == ["1"]
