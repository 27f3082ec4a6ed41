"""How much of each limit a follower has used, kept up to date as results are read and copies change."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

from copytrade.core.decide.risk_limits import Breach, LimitsUsed, RiskLimits, trading_day
from copytrade.core.ledger.positions import Positions
from copytrade.core.model.accounts import Result
from copytrade.core.model.copies import Copy, CopyId, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import IST
from copytrade.core.model.reasons import Reason


class LimitUsage:
    """Counts against a follower's ``positions`` while it has limits."""

    def __init__(
        self, risk_limits: RiskLimits | None, positions: Positions, of_leaders: Sequence[RiskLimits] = ()
    ) -> None:
        """``of_leaders`` are limits for what is copied of one leader: what is counted is the whole account."""
        self._take(risk_limits, of_leaders)
        self._positions = positions
        #: The account's result of the day as it was last read.
        self.result: Result | None = None
        self._breach: Breach | None = None
        self._entries: defaultdict[date, set[CopyId]] = defaultdict(set)
        self._entering: dict[CopyId, Copy] = {}

    def _take(self, risk_limits: RiskLimits | None, of_leaders: Sequence[RiskLimits]) -> None:
        self._protection = risk_limits or RiskLimits()
        #: Whether there is any limit.
        self.is_set = risk_limits is not None or bool(of_leaders)
        every = (self._protection, *of_leaders)
        self._counts_lots = any(one.max_open_lots is not None for one in every)
        self._counts_orders = any(one.max_orders_per_day is not None for one in every)

    def change(
        self, risk_limits: RiskLimits | None, copies: Iterable[Copy], of_leaders: Sequence[RiskLimits] = ()
    ) -> None:
        """Hold entries against other limits from now on; ``copies`` are all that are known."""
        self._take(risk_limits, of_leaders)
        for copy in copies:
            self.count((copy.leader_order_id, copy.n), copy)

    def know_breach(self, breach: Breach) -> None:
        """Take over a breach of the daily loss limit from the database."""
        self._breach = breach

    def know_result(self, result: Result, capital: Decimal | None) -> Breach | None:
        """Take the account's result of the day; return the breach of the daily loss limit if it is a new one."""
        self.result = result
        limit, day = self._limit(capital), trading_day(result.at)
        if limit is None or result.rupees > -limit or self.is_breached(result.at):
            return None
        self._breach = Breach(day, f"result {result.rupees:.2f}, of which {-limit:.2f} is allowed")
        return self._breach

    def lacks_result(self, now: datetime) -> bool:
        """Whether the account's result of the day is unknown or too old."""
        if self.result is None or trading_day(self.result.at) != trading_day(now):
            return True
        return (now - self.result.at).total_seconds() > self._protection.result_valid_for

    def is_breached(self, now: datetime) -> bool:
        """Whether the day's loss has been reached on the trading day of ``now``."""
        return self.is_set and self._breach is not None and self._breach.day == trading_day(now)

    def count(self, copy_id: CopyId, copy: Copy) -> None:
        """Count a copy against the daily and open limits, if it is an entry or was one."""
        if not self.is_set or (copy.part is not Part.ENTRY and copy_id not in self._entering):
            return
        sent = self._entries[copy.trade_date]
        is_unsent = copy.stage is Stage.NONE and copy.reason is not Reason.DRY_RUN
        (sent.discard if is_unsent else sent.add)(copy_id)
        if copy.is_open and copy.part is Part.ENTRY:
            self._entering[copy_id] = copy
        else:
            self._entering.pop(copy_id, None)

    def forget_before(self, day: date) -> None:
        """Forget how many entries were sent on days before one."""
        for past in [past for past in self._entries if past < day]:
            del self._entries[past]

    def limits_used(self, capital: Decimal | None, now: datetime) -> LimitsUsed:
        """Return how much of the limits that are set is used."""
        breach, limit, result, lots, sent = "", None, None, 0, 0
        if self._protection.max_daily_loss is not None:
            limit, today = self._limit(capital), trading_day(now)
            if self._breach is not None and self._breach.day == today:
                breach = self._breach.detail
            if self.result is not None and trading_day(self.result.at) == today:
                result = self.result
        if self._counts_lots:
            lots = self._positions.holdings.lots_held() + sum(
                copy.exposure // self._positions.ledger.lot_size(order_id)
                for (order_id, _), copy in self._entering.items()
            )
        if self._counts_orders:
            sent = len(self._entries.get(now.astimezone(IST).date(), ()))
        return LimitsUsed(breach, result, limit, lots, sent)

    def _limit(self, capital: Decimal | None) -> Decimal | None:
        limit = self._protection.max_daily_loss
        return limit.rupees(capital) if limit else None
