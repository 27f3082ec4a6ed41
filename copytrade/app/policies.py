"""From the settings to the policies of the engine: how a follower copies, its limits and its budget."""

from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from copytrade.brokers.budget import DAY, Window
from copytrade.brokers.tokens.lifecycle import TokenPolicy
from copytrade.common import wall_clock
from copytrade.core.decide.decisions import Policy
from copytrade.core.decide.desired_order import OrderTypePolicy
from copytrade.core.decide.filters import EVERYTHING
from copytrade.core.decide.legs.group import GroupPolicy
from copytrade.core.decide.risk_limits import RiskLimits
from copytrade.core.engine.engine import MarketRules
from copytrade.core.ledger.sizing import SizingPolicy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.market.trading_day import TradingDay
from copytrade.core.model.orders import IST
from copytrade.settings import Copying, Follower, Limits, Reads, Recovery, Settings, Tokens

#: Seconds that a day's result is valid, at least, and how many reads of it may fail before it is not.
RESULT_VALID_FOR, RESULT_READS = 60.0, 6


def policy_of(follower: Copying, recovery: Recovery) -> Policy:
    """Return how a follower copies. ``copying_since`` is replaced by the time that the database holds."""
    return Policy(
        instruments=follower.instruments,
        sizing=SizingPolicy(
            strategy=follower.sizing,
            ratio=follower.ratio,
            lots=follower.lots if isinstance(follower.lots, int) else 1,
            factors=follower.lots if isinstance(follower.lots, dict) else {},
            risk_percent=follower.risk_percent,
            max_lots=follower.max_lots,
            max_order_value=follower.max_order_value,
        ),
        copying_since=wall_clock.now(),
        enabled=follower.enabled,
        mode=follower.mode,
        late_after=follower.late_after,
        max_missed_age=follower.max_missed_age,
        max_price_deviation=follower.max_price_deviation,
        terms=OrderTypePolicy(
            market_as=follower.market_as,
            market_protection_percent=follower.market_protection_percent,
            stop_market_as=follower.stop_market_as,
            stop_limit_percent=follower.stop_limit_percent,
        ),
        unfilled_after=follower.unfilled_after,
        unfilled_action=follower.unfilled_action,
        unfilled_exit_action=follower.unfilled_exit_action,
        risk_limits=risk_limits_of(follower, recovery),
        dry_run=follower.dry_run,
        groups=groups_of(follower),
    )


def groups_of(follower: Copying) -> GroupPolicy | None:
    """Return how a follower copies legs that belong together, None where each is copied by itself."""
    if not follower.group_within:
        return None
    return GroupPolicy(follower.group_within, follower.group_wait, follower.group_action)


def policy_of_leader(follower: Follower, leader: str, recovery: Recovery) -> Policy:
    """Return how a follower copies one leader: limits of the whole account bind what is copied of him as well."""
    policy, own = policy_of(follower.copying_of(leader), recovery), risk_limits_of(follower, recovery)
    if policy.risk_limits is None or own is None:
        return policy
    limits = replace(
        policy.risk_limits,
        max_open_lots=_least(policy.risk_limits.max_open_lots, own.max_open_lots),
        max_orders_per_day=_least(policy.risk_limits.max_orders_per_day, own.max_orders_per_day),
    )
    return replace(policy, risk_limits=limits)


def _least(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def risk_limits_of(follower: Copying, recovery: Recovery) -> RiskLimits | None:
    """Return a follower's limits, None if it has none."""
    limits = RiskLimits(
        max_daily_loss=follower.max_daily_loss,
        on_breach=follower.on_breach,
        max_open_lots=follower.max_open_lots,
        max_orders_per_day=follower.max_orders_per_day,
        allowed=follower.allowed,
        blocked=follower.blocked,
        trade_from=follower.trade_from,
        trade_until=follower.trade_until,
        result_valid_for=max(RESULT_VALID_FOR, RESULT_READS * recovery.result_interval),
    )
    return limits if limits.is_any_set else None


def needs_capital(follower: Follower) -> bool:
    """Whether a follower's size or limits depend on the capital at the start of the day."""
    loss = follower.max_daily_loss
    return any(one.sizing.needs_capital for one in follower.all_copying) or bool(loss and loss.is_percent)


def needs_holdings(follower: Follower) -> bool:
    """Whether shares are copied, so that those in the depository count as held."""
    kinds = {kind for one in follower.all_copying for kind in one.instruments}
    return EVERYTHING in kinds or "EQUITY" in kinds


def first_from(recovery: Recovery) -> datetime:
    """Return the time from which the first start with a database copies orders."""
    now = wall_clock.now()
    if recovery.start_from == "now":
        return now
    return now.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)


def market_rules_of(settings: Settings) -> MarketRules:
    """Return the market's rules; the paper broker never closes.

    Raises MarketHoursUnusable for an unusable calendar.
    """
    market = settings.market
    calendar = Path(market.calendar) if market.calendar else None
    is_bound = market.hours == "exchange" and settings.mode != "paper"
    hours = load_market_hours(calendar) if is_bound else None
    return MarketRules(load_freeze_table(market.freeze), hours)


def trading_day_of(settings: Settings) -> TradingDay:
    """Return the hours of what the followers copy."""
    return TradingDay(market_rules_of(settings).hours, kinds_of(settings))


def kinds_of(settings: Settings) -> set[str]:
    """Return the kinds of instruments that any follower copies, by the master's words."""
    return {kind for follower in settings.followers for one in follower.all_copying for kind in one.instruments}


def windows_of(limits: Limits) -> list[Window]:
    """Return the windows of the order budget."""
    return [
        Window(limits.per_second, 1.0),
        Window(limits.per_minute, 60.0, limits.per_minute * limits.reserve_percent // 100),
        Window(limits.per_hour, 3600.0, limits.per_hour * limits.reserve_percent // 100),
        Window(limits.per_day, DAY, limits.per_day * limits.reserve_percent // 100, daily=True),
    ]


def read_windows_of(reads: Reads) -> list[Window]:
    """Return the windows of an account's reads, the shortest first."""
    return [Window(reads.per_second, 1.0), Window(reads.per_minute, 60.0), Window(reads.per_hour, 3600.0)]


def token_policy_of(tokens: Tokens) -> TokenPolicy:
    """Return when tokens are replaced."""
    seconds = (tokens.renew_before, tokens.warn_before, tokens.attempt_interval)
    return TokenPolicy(*(timedelta(seconds=value) for value in seconds))
