"""What the clock and the exchange allow. Live orders are copied at any hour: the leader's broker has taken them."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Skip
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.model.orders import IST, Order, Status
from copytrade.core.model.reasons import Reason
from tests.core.asking import FRESH, OPEN, POLICY, ask
from tests.core.orders import an_order
from tests.support.copier import LEADER, Copier

AT_THE_EXCHANGE = replace(OPEN, hours=load_market_hours())
COPYING = replace(POLICY, copying_since=datetime.fromisoformat("2026-01-01").replace(tzinfo=IST))


def placed(at: str, **changes: object) -> tuple[Order, datetime]:
    """Return an order that the leader placed at this time in India, and the time."""
    moment = datetime.fromisoformat(at).replace(tzinfo=IST)
    return an_order(created_at=moment, updated_at=moment, **changes), moment


@pytest.mark.parametrize("at", ["2026-11-23 09:15:00", "2026-11-23 09:05:00", "2026-11-23 15:29:59"])
def test_what_the_leader_places_now_is_placed_now(at: str) -> None:
    leader, now = placed(at)
    assert isinstance(ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=now), Place)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("2026-11-23 08:00:00", "opens at 09:15"),
        ("2026-11-23 16:00:00", "closed at"),
        ("2026-11-24 11:00:00", "Guru"),
        ("2026-11-28 11:00:00", "weekend"),
    ],
    ids=["before the open", "after the close", "a holiday", "a weekend"],
)
def test_what_comes_late_waits_for_its_session(at: str, why: str) -> None:
    leader, now = placed(at)
    decision = ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=now + timedelta(minutes=1))
    assert isinstance(decision, Skip)
    assert decision.reason is Reason.MARKET_CLOSED
    assert why in decision.detail
    assert decision.until is not None
    assert isinstance(ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=decision.until), Place)


def test_what_was_filled_and_came_after_the_close_is_decided_again_at_the_next_opening() -> None:
    leader, now = placed("2026-11-23 15:29:50", status=Status.TRADED, filled_quantity=260, last_price=Decimal(100))
    policy = replace(COPYING, max_missed_age=7 * 86_400.0)
    closed = ask(leader, inputs=AT_THE_EXCHANGE, policy=policy, now=now + timedelta(minutes=20))
    assert isinstance(closed, Skip)
    assert closed.until is not None
    skipped = replace(FRESH, reason=closed.reason, error=closed.detail)
    assert isinstance(ask(leader, skipped, inputs=AT_THE_EXCHANGE, policy=policy, now=closed.until), Place)
    policy = replace(COPYING, max_missed_age=900.0)
    too_old = ask(leader, skipped, inputs=AT_THE_EXCHANGE, policy=policy, now=closed.until)
    assert isinstance(too_old, Skip)
    assert too_old.reason is Reason.MISSED_TOO_OLD


def test_what_comes_late_within_the_session_is_placed() -> None:
    leader, now = placed("2026-11-23 11:00:00")
    late = now + timedelta(minutes=10)
    assert isinstance(ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=late), Place)


def test_an_after_market_order_has_no_session() -> None:
    leader, now = placed("2026-11-23 20:00:00", after_market=True)
    late = now + timedelta(hours=1)
    assert isinstance(ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=late), Place)


def test_on_a_day_that_nobody_knows_live_orders_are_copied_and_late_ones_refused() -> None:
    leader, now = placed("2031-06-02 11:00:00")
    assert isinstance(ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=now), Place)
    late = ask(leader, inputs=AT_THE_EXCHANGE, policy=COPYING, now=now + timedelta(minutes=1))
    assert isinstance(late, Skip)
    assert late.reason is Reason.MARKET_CLOSED


def test_an_after_market_order_stays_one(copier: Copier) -> None:
    leader = copier.buy(4, after_market=True)
    copier.copy_of(leader, "alice")
    write = copier.broker.writes("1000000101")[0]
    assert write.payload["afterMarketOrder"] is True


def test_through_a_halt_orders_rest_and_fill_when_it_ends(copier: Copier) -> None:
    copier.broker.halt("45674")
    leader = copier.buy(4, "125.00")
    copier.mapping(leader, "bob", "placed")
    copier.broker.modify(LEADER, leader, price="126.00")
    copier.broker.resume("45674")
    copier.mapping(leader, "bob", "filled")
