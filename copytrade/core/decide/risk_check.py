"""The pre-trade risk check: why a follower may not enter, whatever the leader does."""

from datetime import datetime

from copytrade.common.counts import counted
from copytrade.core.decide.decisions import DecisionInput, Mode, Policy, Skip, Wait
from copytrade.core.decide.risk_limits import LimitsUsed, LossLimit, RiskLimits
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.orders import IST, Order
from copytrade.core.model.reasons import Reason


def forbidden(
    leader: Order, more: int, instrument: Instrument, policy: Policy, inputs: DecisionInput, now: datetime
) -> Skip | Wait | None:
    """Return why the follower may not enter ``more`` units of a leader order now, None if it may."""
    if not policy.enabled:
        return Skip(Reason.COPYING_DISABLED, policy.pause or "enabled = false in the settings")
    if policy.mode is Mode.MONITOR:
        return Skip(Reason.COPYING_DISABLED, 'mode = "monitor" in the settings: nothing is entered, exits go on')
    if inputs.second_copier:
        return Skip(Reason.SECOND_COPIER, "orders of ours that are not in our database: another copier is at work")
    if policy.risk_limits is None:
        return None
    return _beyond(policy.risk_limits, inputs.limits_used(), leader, more, instrument, now)


def _beyond(
    risk_limits: RiskLimits, limits_used: LimitsUsed, leader: Order, more: int, instrument: Instrument, now: datetime
) -> Skip | Wait | None:
    """Return the first limit that an entry would exceed."""
    if risk_limits.max_daily_loss is not None and (
        lost := _lost(risk_limits, risk_limits.max_daily_loss, limits_used, now)
    ):
        return lost
    if (risk_limits.allowed or risk_limits.blocked) and (unwanted := _unwanted(risk_limits, leader, instrument)):
        return unwanted
    if closed := _outside(risk_limits, now):
        return closed
    if risk_limits.max_orders_per_day is not None and limits_used.entries_today >= risk_limits.max_orders_per_day:
        sent = counted(limits_used.entries_today, "entry has", "entries have")
        return Skip(Reason.MAX_ORDERS_PER_DAY, f"{sent} been sent today")
    if risk_limits.max_open_lots is not None:
        lots = more // instrument.lot_size
        if limits_used.open_lots + lots > risk_limits.max_open_lots:
            detail = f"{counted(lots, 'lot')} to {limits_used.open_lots} open, of at most {risk_limits.max_open_lots}"
            return Skip(Reason.MAX_OPEN_LOTS, detail)
    return None


def _lost(risk_limits: RiskLimits, limit: LossLimit, limits_used: LimitsUsed, now: datetime) -> Skip | Wait | None:
    if limits_used.breach:
        return Skip(Reason.MAX_DAILY_LOSS, limits_used.breach)
    if limits_used.limit is None:
        return Wait(f"the capital of which {limit} may be lost is not known yet")
    if limits_used.result is None:
        return Wait("the day's result is not known yet")
    age = (now - limits_used.result.at).total_seconds()
    if age > risk_limits.result_valid_for:
        return Wait(f"the day's result was last read {age:.0f} s ago")
    return None


def _unwanted(risk_limits: RiskLimits, leader: Order, instrument: Instrument) -> Skip | None:
    """Return the skip of an order in what is not allowed, or blocked."""
    names = {
        name.upper() for name in (instrument.underlying, instrument.symbol, leader.symbol, leader.key.segment) if name
    }
    if found := names & risk_limits.blocked:
        return Skip(Reason.BLOCKED, f"{', '.join(sorted(found))} is blocked")
    if risk_limits.allowed and not names & risk_limits.allowed:
        return Skip(Reason.NOT_ALLOWED, f"{instrument.symbol} is not among {', '.join(sorted(risk_limits.allowed))}")
    return None


def _outside(risk_limits: RiskLimits, now: datetime) -> Skip | None:
    """Return the skip of an order outside the window in which the follower enters."""
    if risk_limits.trade_from is None and risk_limits.trade_until is None:
        return None
    local = now.astimezone(IST)
    clock = local.time()
    if risk_limits.trade_from is not None and clock < risk_limits.trade_from:
        opens = datetime.combine(local.date(), risk_limits.trade_from, IST)
        return Skip(Reason.OUTSIDE_WINDOW, f"entries begin at {risk_limits.trade_from:%H:%M}", opens)
    if risk_limits.trade_until is not None and clock >= risk_limits.trade_until:
        return Skip(Reason.OUTSIDE_WINDOW, f"entries ended at {risk_limits.trade_until:%H:%M}")
    return None
