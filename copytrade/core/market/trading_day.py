"""When any of the kinds of instruments that are copied trades, and when the day is over for all of them."""

from collections.abc import Iterable
from datetime import date, datetime, time

from copytrade.core.market.calendar import InstrumentClass
from copytrade.core.market.sessions import MarketHours, MarketState, Session
from copytrade.core.model.orders import IST

#: The end of a day whose market hours are not known, or do not bind.
UNKNOWN_END = time(23, 45)

#: The classes of the master's kinds.
_CLASSES = {
    "EQUITY": (InstrumentClass.CASH_FNO_UNDERLYING, InstrumentClass.CASH_OTHER),
    **dict.fromkeys(("OPTIDX", "FUTIDX"), (InstrumentClass.INDEX_DERIVATIVES,)),
    **dict.fromkeys(("OPTSTK", "FUTSTK"), (InstrumentClass.STOCK_DERIVATIVES,)),
    **dict.fromkeys(("OPTCUR", "FUTCUR"), (InstrumentClass.CURRENCY,)),
    **dict.fromkeys(("OPTFUT", "FUTCOM"), (InstrumentClass.MCX_NON_AGRI, InstrumentClass.MCX_AGRI)),
}


class TradingDay:
    """The hours of some kinds of instruments, by the master's words; an unknown word stands for all kinds."""

    def __init__(self, hours: MarketHours | None, kinds: Iterable[str]) -> None:
        """Without ``hours`` the market is never said to be closed."""
        self._hours = hours
        self.change(kinds)

    def change(self, kinds: Iterable[str]) -> None:
        """Go by the hours of other kinds from now on."""
        self._classes = {one for kind in kinds for one in _CLASSES.get(kind, InstrumentClass)}

    def is_on(self, at: datetime) -> bool:
        """Whether one of them trades, or may: outside the dates that the hours cover nobody knows."""
        return self._hours is None or any(state.session is not Session.CLOSED for state in self._states(at))

    def is_over(self, at: datetime) -> bool:
        """Whether nothing more happens on this day, whether or not something did."""
        today = at.astimezone(IST).date()
        return self._hours is not None and all(
            state.session is Session.CLOSED
            and state.phase is None
            and (state.next_opening is None or state.next_opening.date() > today)
            for state in self._states(at)
        )

    def end(self, day: date) -> datetime | None:
        """Return when the last session of a day ends, None if there is none."""
        if self._hours is None or not self._hours.covers(day):
            return datetime.combine(day, UNKNOWN_END, IST)
        ends = [end for one in self._classes if (end := self._hours.end(one, day)) is not None]
        return max(ends, default=None)

    def _states(self, at: datetime) -> list[MarketState]:
        return [self._hours.state(one, at) for one in self._classes] if self._hours else []
