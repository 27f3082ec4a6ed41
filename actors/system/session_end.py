"""When the session of a day ends for what the followers copy."""

from collections.abc import Iterable
from datetime import date, datetime, time

from copytrade.core.market.calendar import InstrumentClass
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.orders import IST

#: The end of a day whose market hours are not known, or do not bind.
UNKNOWN_END = time(23, 45)

#: The classes of the master's kinds; any other kind may be of any class.
_CLASSES = {
    "OPTIDX": (InstrumentClass.INDEX_DERIVATIVES,),
    "FUTIDX": (InstrumentClass.INDEX_DERIVATIVES,),
    "OPTSTK": (InstrumentClass.STOCK_DERIVATIVES,),
    "FUTSTK": (InstrumentClass.STOCK_DERIVATIVES,),
    "EQUITY": (InstrumentClass.CASH_FNO_UNDERLYING, InstrumentClass.CASH_OTHER),
    "OPTCUR": (InstrumentClass.CURRENCY,),
    "FUTCUR": (InstrumentClass.CURRENCY,),
}


class Sessions:
    """Ends of sessions, by the market's hours and the kinds of instruments that are copied."""

    def __init__(self, hours: MarketHours | None, kinds: Iterable[str]) -> None:
        self._hours = hours
        self._classes = {one for kind in kinds for one in _CLASSES.get(kind, tuple(InstrumentClass))}

    def end(self, day: date) -> datetime | None:
        """Return when the last session of a day ends, None if there is none."""
        if self._hours is None or not self._hours.covers(day):
            return datetime.combine(day, UNKNOWN_END, IST)
        ends = [end for one in self._classes if (end := self._hours.end(one, day)) is not None]
        return max(ends, default=None)
