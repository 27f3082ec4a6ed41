"""What the broker says of an account: fills, positions, holdings, funds and the token's own profile.

The readers raise :class:`~copytrade.dhan.fields.UnreadableError` where a value cannot be relied on.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from copytrade.account_facts import Addresses
from copytrade.dhan.codec import PRODUCTS, SEGMENTS, SIDES, multiplier_of
from copytrade.dhan.fields import Fields, UnreadableError
from copytrade.orders import IST, InstrumentKey, Product, Side

#: The words for whether orders are taken from here; others say nothing.
_VERDICTS = {
    **dict.fromkeys(("TRUE", "YES", "1", "MATCH", "MATCHED"), True),
    **dict.fromkeys(("FALSE", "NO", "0", "MISMATCH", "NOT_MATCHED"), False),
}


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill at the exchange. ``price`` is rupees, ``quantity`` units."""

    order_id: str
    exchange_trade_id: str
    side: Side
    key: InstrumentKey
    product: Product
    quantity: int
    price: Decimal
    exchange_at: datetime | None


@dataclass(frozen=True, slots=True)
class Position:
    """What one account holds of one instrument in one product; ``net_quantity`` is negative for a short.

    Closed positions stay in the day's list with 0. ``bought_today`` and ``sold_today`` are the day's fills, ``profit``
    is rupees, of what was closed and of what is held; None where the broker does not say. ``multiplier`` is how many
    units of what is priced one unit of quantity stands for (documented for currency and commodity).
    """

    key: InstrumentKey
    product: Product
    symbol: str
    net_quantity: int
    bought_today: int
    sold_today: int
    buy_average: Decimal
    sell_average: Decimal
    profit: Decimal | None = None
    multiplier: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """Shares held from earlier days. The broker's row names no segment: the id is the cash market's."""

    security_id: str
    symbol: str
    isin: str
    total_quantity: int
    available_quantity: int
    average_cost: Decimal


@dataclass(frozen=True, slots=True)
class FundLimit:
    """Rupees: ``available_balance`` includes pledged collateral, ``sod_limit`` is the balance the day began with."""

    available_balance: Decimal
    sod_limit: Decimal
    utilized: Decimal
    collateral: Decimal
    withdrawable: Decimal


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose token this is and until when it is valid; ``segments`` are the broker's words for what may be traded."""

    client_id: str
    token_valid_until: datetime | None
    segments: tuple[str, ...]


def read_trade(fields: Fields) -> Trade:
    """Read one row of the trade book."""
    return Trade(
        order_id=fields.required_identifier("orderid"),
        exchange_trade_id=fields.identifier("exchangetradeid"),
        side=fields.choice("transactiontype", SIDES),
        key=_key(fields),
        product=fields.choice("producttype", PRODUCTS),
        quantity=fields.quantity("tradedquantity"),
        price=fields.price("tradedprice"),
        exchange_at=fields.time("exchangetime"),
    )


def read_position(fields: Fields) -> Position:
    """Read one row of the positions."""
    if fields.raw("netqty") is None:
        raise UnreadableError("netqty is missing")
    key = _key(fields)
    return Position(
        key=key,
        product=fields.choice("producttype", PRODUCTS),
        symbol=fields.text("tradingsymbol"),
        net_quantity=fields.quantity("netqty", smallest=-(10**9)),
        bought_today=fields.quantity("daybuyqty"),
        sold_today=fields.quantity("daysellqty"),
        buy_average=fields.price("buyavg"),
        sell_average=fields.price("sellavg"),
        profit=_profit(fields),
        multiplier=multiplier_of(fields, key.segment),
    )


def read_holding(fields: Fields) -> Holding:
    """Read one row of the holdings."""
    return Holding(
        security_id=fields.required_identifier("securityid"),
        symbol=fields.text("tradingsymbol"),
        isin=fields.text("isin"),
        total_quantity=fields.quantity("totalqty"),
        available_quantity=fields.quantity("availableqty"),
        average_cost=fields.price("avgcostprice"),
    )


def read_fund_limit(fields: Fields) -> FundLimit:
    """Read the funds. The balance is misspelled on the wire; both spellings are read."""
    return FundLimit(
        available_balance=fields.required_amount("availabelbalance", "availablebalance"),
        sod_limit=fields.required_amount("sodlimit"),
        utilized=fields.amount("utilizedamount"),
        collateral=fields.amount("collateralamount"),
        withdrawable=fields.amount("withdrawablebalance"),
    )


def read_profile(fields: Fields) -> Profile:
    """Read the profile. Its times are written 24/11/2026 09:15, Indian time."""
    until = fields.text("tokenvalidity")
    try:
        valid_until = datetime.strptime(until, "%d/%m/%Y %H:%M").replace(tzinfo=IST) if until else None
    except (ValueError, OverflowError):
        raise UnreadableError("tokenvalidity is not a time") from None
    return Profile(
        client_id=fields.required_identifier("dhanclientid"),
        token_valid_until=valid_until,
        segments=tuple(word for part in fields.text("activesegment").split(",") if (word := part.strip())),
    )


def read_addresses(fields: Fields) -> Addresses:
    """Read which addresses are registered, and whether orders from here are taken.

    Documented are the registered ones alone; what else is read here was seen in production (2026).
    """
    known = [name for name in ("primaryip", "secondaryip") if fields.raw(name) is not None]
    allowed = _VERDICTS.get(_word(fields.raw("ordersallowed")))
    return Addresses(
        registered=tuple(address for name in known if (address := fields.text(name))) if known else None,
        detected=fields.text("detectedip"),
        allowed=_VERDICTS.get(_word(fields.raw("ipmatchstatus"))) if allowed is None else allowed,
    )


def _word(value: object) -> str:
    return str(value).strip().upper()


def _profit(fields: Fields) -> Decimal | None:
    if fields.raw("realizedprofit") is None or fields.raw("unrealizedprofit") is None:
        return None
    return fields.amount("realizedprofit") + fields.amount("unrealizedprofit")


def _key(fields: Fields) -> InstrumentKey:
    return InstrumentKey(fields.choice("exchangesegment", SEGMENTS), fields.required_identifier("securityid"))
