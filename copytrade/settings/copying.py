"""How a follower copies."""

from datetime import time
from decimal import Decimal
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from copytrade.core.decide.decisions import Mode, UnfilledAction
from copytrade.core.decide.desired_order import MarketAs, StopMarketAs
from copytrade.core.decide.legs.group import GroupAction
from copytrade.core.decide.risk_limits import OnBreach
from copytrade.core.ledger.sizing import Strategy
from copytrade.core.model.orders import AmoTime
from copytrade.settings.values import Loss, Lots, Names, Percent, Positive, Seconds, Section

#: The balance at the start of the day, with pledged collateral.
WITH_COLLATERAL: Final = "sod_and_collateral"


class Copying(Section):
    """The keys of [copy]; a follower may set each for itself."""

    enabled: bool = True
    mode: Mode = Mode.ORDERS
    sizing: Strategy = Strategy.CAPITAL_PROPORTIONAL
    ratio: Positive = Decimal(1)
    lots: Lots = 1
    capital: Literal["sod", "sod_and_collateral"] | Positive = "sod"
    risk_percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(1)
    instruments: frozenset[str] = Field(default=frozenset({"OPTIDX", "OPTSTK"}), min_length=1)
    max_lots: int | None = Field(default=None, ge=1)
    max_order_value: Positive | None = None
    late_after: Seconds = 5.0
    max_missed_age: Seconds = 3600.0
    max_price_deviation: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(2)
    amo_time: AmoTime = AmoTime.OPEN
    market_as: MarketAs = MarketAs.MARKET
    market_protection_percent: Percent = Decimal(5)
    stop_market_as: StopMarketAs = StopMarketAs.STOP_LIMIT
    stop_limit_percent: Percent = Decimal(5)
    unfilled_after: Seconds = 60.0
    unfilled_action: UnfilledAction = UnfilledAction.CANCEL
    unfilled_exit_action: UnfilledAction = UnfilledAction.REPRICE
    dry_run: bool = False
    max_daily_loss: Loss | None = None
    on_breach: OnBreach = OnBreach.CLOSE_ONLY
    max_open_lots: int | None = Field(default=None, ge=1)
    max_orders_per_day: int | None = Field(default=None, ge=1)
    allowed: Names = frozenset()
    blocked: Names = frozenset()
    trade_from: time | None = None
    trade_until: time | None = None
    group_within: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    group_wait: Seconds = 30.0
    group_action: GroupAction = GroupAction.SKIP

    @model_validator(mode="after")
    def _window_is_open_some_time(self) -> Self:
        """Refuse a time window in which no entry would ever be possible."""
        ends = [moment for moment in (self.trade_from, self.trade_until) if moment is not None]
        if any(moment.tzinfo is not None for moment in ends):
            raise ValueError("trade_from and trade_until are times of day in India, like 09:20, without a zone")
        if len(ends) == 2 and ends[0] >= ends[1]:
            raise ValueError("trade_from must be before trade_until")
        return self

    @model_validator(mode="after")
    def _groups_have_time(self) -> Self:
        """Refuse groups whose time is over before their legs can be known."""
        if self.group_within >= self.group_wait:
            raise ValueError(
                f"group_wait is {self.group_wait:g} s: it must be longer than group_within, {self.group_within:g} s"
            )
        return self

    @model_validator(mode="after")
    def _lots_fit_the_sizing(self) -> Self:
        """Refuse factors by underlying where no ratio is multiplied."""
        if isinstance(self.lots, dict) and self.sizing.sizes_each_order:
            raise ValueError(f'[copy.lots] multiplies a ratio by underlying, and sizing = "{self.sizing}" has none')
        return self
