"""What keeps a follower from entering, whatever the leader does."""

from datetime import datetime

from copytrade.core.decide.decisions import Policy, Situation, Skip, Wait
from copytrade.core.decide.risk_limits import LossLimit, Protection, Standing
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.orders import IST, Order
from copytrade.core.model.reasons import Reason


def forbidden(
    leader: Order, more: int, instrument: Instrument, policy: Policy, situation: Situation, now: datetime
) -> Skip | Wait | None:
    """Return why the follower may not enter ``more`` units of a leader order now, None if it may."""
    if not policy.enabled:
        return Skip(Reason.COPYING_DISABLED, "copying is switched off for this follower")
    if situation.second_copier:
        return Skip(Reason.SECOND_COPIER, "orders of ours that are not in our database: another copier is at work")
    if policy.protection is None:
        return None
    return _beyond(policy.protection, situation.standing(), leader, more, instrument, now)


def _beyond(
    protection: Protection, standing: Standing, leader: Order, more: int, instrument: Instrument, now: datetime
) -> Skip | Wait | None:
    """Return the first limit that stands against an entry."""
    if protection.max_daily_loss is not None and (lost := _lost(protection, protection.max_daily_loss, standing, now)):
        return lost
    if (protection.allowed or protection.blocked) and (unwanted := _unwanted(protection, leader, instrument)):
        return unwanted
    if closed := _outside(protection, now):
        return closed
    if protection.max_orders_per_day is not None and standing.entries_today >= protection.max_orders_per_day:
        return Skip(Reason.MAX_ORDERS_PER_DAY, f"{standing.entries_today} entries have been sent today")
    if protection.max_open_lots is not None:
        lots = more // instrument.lot_size
        if standing.open_lots + lots > protection.max_open_lots:
            detail = f"{lots} lots to {standing.open_lots} open ones, of at most {protection.max_open_lots}"
            return Skip(Reason.MAX_OPEN_LOTS, detail)
    return None


def _lost(protection: Protection, limit: LossLimit, standing: Standing, now: datetime) -> Skip | Wait | None:
    if standing.breach:
        return Skip(Reason.MAX_DAILY_LOSS, standing.breach)
    if standing.limit is None:
        return Wait(f"the capital of which {limit} may be lost is not known yet")
    if standing.result is None:
        return Wait("the day's result is not known yet")
    age = (now - standing.result.at).total_seconds()
    if age > protection.result_valid_for:
        return Wait(f"the day's result was last read {age:.0f} s ago")
    return None


def _unwanted(protection: Protection, leader: Order, instrument: Instrument) -> Skip | None:
    """Return the skip of an order in what is not allowed, or blocked."""
    names = {
        name.upper() for name in (instrument.underlying, instrument.symbol, leader.symbol, leader.key.segment) if name
    }
    if found := names & protection.blocked:
        return Skip(Reason.BLOCKED, f"{', '.join(sorted(found))} is blocked")
    if protection.allowed and not names & protection.allowed:
        return Skip(Reason.NOT_ALLOWED, f"{instrument.symbol} is not among {', '.join(sorted(protection.allowed))}")
    return None


def _outside(protection: Protection, now: datetime) -> Skip | None:
    """Return the skip of an order outside the window in which the follower enters."""
    if protection.trade_from is None and protection.trade_until is None:
        return None
    local = now.astimezone(IST)
    clock = local.time()
    if protection.trade_from is not None and clock < protection.trade_from:
        opens = datetime.combine(local.date(), protection.trade_from, IST)
        return Skip(Reason.OUTSIDE_WINDOW, f"entries begin at {protection.trade_from:%H:%M}", opens)
    if protection.trade_until is not None and clock >= protection.trade_until:
        return Skip(Reason.OUTSIDE_WINDOW, f"entries ended at {protection.trade_until:%H:%M}")
    return None
