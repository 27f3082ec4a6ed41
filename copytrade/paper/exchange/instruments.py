"""The instruments of the paper exchange, and its master in the columns of Dhan's compact CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import count, islice

_HEAD = (
    "SEM_EXM_EXCH_ID,SEM_SEGMENT,SEM_SMST_SECURITY_ID,SEM_INSTRUMENT_NAME,SEM_EXPIRY_CODE,SEM_TRADING_SYMBOL,"
    "SEM_LOT_UNITS,SEM_CUSTOM_SYMBOL,SEM_EXPIRY_DATE,SEM_STRIKE_PRICE,SEM_OPTION_TYPE,SEM_TICK_SIZE,SEM_EXPIRY_FLAG,"
    "SEM_EXCH_INSTRUMENT_TYPE,SEM_SERIES,SM_SYMBOL_NAME"
)

_SEGMENT_LETTERS = {
    "NSE_EQ": ("NSE", "E"),
    "NSE_FNO": ("NSE", "D"),
    "BSE_EQ": ("BSE", "E"),
    "BSE_FNO": ("BSE", "D"),
    "MCX_COMM": ("MCX", "M"),
    "NSE_CURRENCY": ("NSE", "C"),
    "BSE_CURRENCY": ("BSE", "C"),
}


@dataclass(frozen=True, slots=True)
class PaperInstrument:
    """One tradable thing. Prices are rupees; ``freeze`` is the maximum units of an order.

    A unit is worth its price times the ``multiplier``, which is 1 except for commodities and currencies.
    """

    segment: str
    security_id: str
    kind: str
    symbol: str
    display: str
    lot_size: int
    tick: Decimal
    price: Decimal
    freeze: int
    expiry: date | None = None
    strike: Decimal = Decimal(0)
    option_type: str = "XX"
    multiplier: int = 1

    @property
    def key(self) -> tuple[str, str]:
        """Segment and id: an id is unique only within its segment."""
        return self.segment, self.security_id

    @property
    def underlying(self) -> str:
        """The name before the first dash of its symbol."""
        return self.symbol.split("-", maxsplit=1)[0]

    @property
    def exchange(self) -> str:
        """NSE, BSE or MCX."""
        return _SEGMENT_LETTERS[self.segment][0]

    @property
    def segment_letter(self) -> str:
        """E for equity, D for derivatives, M for commodity."""
        return _SEGMENT_LETTERS[self.segment][1]

    @property
    def is_cash(self) -> bool:
        """Whether it is a share."""
        return self.segment in ("NSE_EQ", "BSE_EQ")


def standard_instruments(today: date) -> list[PaperInstrument]:
    """Return a small market: index options of three underlyings, a future, a stock option and three shares.

    Lots and freeze quantities are those published for late 2026.
    """
    expiry = today + timedelta(days=(1 - today.weekday()) % 7 or 7)
    instruments = []
    for underlying, segment, first_id, spot, step, lot, freeze, premium in (
        ("NIFTY", "NSE_FNO", 45670, 26000, 50, 65, 1800, 100),
        ("BANKNIFTY", "NSE_FNO", 51000, 58000, 100, 30, 600, 240),
        ("SENSEX", "BSE_FNO", 82000, 85000, 100, 20, 1000, 310),
    ):
        for number in range(10):
            kind, word = ("CE", "CALL") if number % 2 == 0 else ("PE", "PUT")
            strike = spot + (number // 2 - 2) * step
            instruments.append(
                PaperInstrument(
                    segment=segment,
                    security_id=str(first_id + number),
                    kind="OPTIDX",
                    symbol=f"{underlying}-{expiry:%b%Y}-{strike}-{kind}",
                    display=f"{underlying} {expiry:%d %b} {strike} {word}".upper(),
                    lot_size=lot,
                    tick=Decimal("0.05"),
                    price=Decimal(premium + 10 * (number // 2)),
                    freeze=freeze,
                    expiry=expiry,
                    strike=Decimal(strike),
                    option_type=kind,
                )
            )
    month = f"{expiry:%b%Y}"
    instruments += [
        PaperInstrument(
            "NSE_FNO",
            "35001",
            "FUTIDX",
            f"NIFTY-{month}-FUT",
            "NIFTY FUT",
            65,
            Decimal("0.10"),
            Decimal(26040),
            1800,
            expiry,
        ),
        PaperInstrument(
            "NSE_FNO",
            "60001",
            "OPTSTK",
            f"RELIANCE-{month}-1400-CE",
            "RELIANCE 1400 CALL",
            500,
            Decimal("0.05"),
            Decimal(28),
            50000,
            expiry,
            Decimal(1400),
            "CE",
        ),
        PaperInstrument(
            "NSE_EQ", "2885", "EQUITY", "RELIANCE", "Reliance Industries", 1, Decimal("0.10"), Decimal(1395), 10**7
        ),
        PaperInstrument("NSE_EQ", "1594", "EQUITY", "INFY", "Infosys", 1, Decimal("0.10"), Decimal(1510), 10**7),
        PaperInstrument(
            "NSE_EQ", "11536", "EQUITY", "TCS", "Tata Consultancy", 1, Decimal("0.10"), Decimal(3100), 10**7
        ),
    ]
    return instruments


def master_csv(instruments: list[PaperInstrument], rows: int = 0) -> str:
    """Return the instrument master. Ticks are in paise there (seen in the published file).

    With ``rows`` it is filled up to that length with contracts that do not trade.
    """
    lines = [_HEAD]
    for item in instruments:
        lines.append(
            f"{item.exchange},{item.segment_letter},{item.security_id},{item.kind},0,{item.symbol},{item.lot_size}.0,"
            f"{item.display},{item.expiry or ''},{item.strike},{item.option_type},{item.tick * 100:.4f},"
            f"{'W' if item.expiry else ''},{'OP' if item.option_type != 'XX' else 'ES'},"
            f"{'EQ' if item.is_cash else 'XX'},{item.underlying}"
        )
    lines += islice(_padding(), max(0, rows - len(instruments)))
    return "\n".join(lines) + "\n"


def _padding() -> Iterator[str]:
    """Yield rows in the mix of the published file: mostly options on shares, then on indices, shares, the rest."""
    expiries = [date(2026, 12, 29), date(2027, 1, 26), date(2027, 2, 23)]
    for number in count(1_000_000):
        share, strike = f"SHARE{number // 400 % 500}", 100 + number % 400 * 5
        expiry = expiries[number % 3]
        match number % 10:
            case 0:
                yield f"NSE,E,{number},EQUITY,0,S{number},1.0,Share {number},,,XX,5.0000,,ES,EQ,S{number}"
            case 1:
                yield f"BSE,E,{number},EQUITY,0,B{number},1.0,Share {number},,,XX,1.0000,,ES,A,B{number}"
            case 2:
                yield (
                    f"MCX,M,{number},OPTFUT,0,GOLD-{expiry:%d%b%Y}-{strike}-CE,1.0,GOLD {strike} CALL,"
                    f"{expiry} 23:30:00,{strike}.00000,CE,50.0000,M,OPTFUT,XX,GOLD"
                )
            case 3:
                yield f"NSE,I,{number},INDEX,0,INDEX{number},1.0,Index {number},0001-01-01,,XX,5.0000,N,INDEX,X,"
            case 4 | 5:
                yield (
                    f"BSE,D,{number},OPTIDX,0,SENSEX-{expiry:%b%Y}-{strike}-PE,20.0,SENSEX {strike} PUT,"
                    f"{expiry} 15:30:00,{strike}.00000,PE,5.0000,W,OP,XX,SENSEX"
                )
            case _:
                yield (
                    f"NSE,D,{number},OPTSTK,0,{share}-{expiry:%b%Y}-{strike}-CE,{500 + number // 400 % 500}.0,"
                    f"{share} {strike} CALL,{expiry} 14:30:00,{strike}.00000,CE,5.0000,M,OP,XX,{share}"
                )
