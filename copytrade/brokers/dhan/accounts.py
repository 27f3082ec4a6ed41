"""An account at the broker: decoding of fills, positions, holdings, funds and the profile.

The readers raise :class:`~copytrade.brokers.dhan.json_values.UnreadableError` if a value that
decides is invalid: the units and instrument of a position, or the funds. Any other invalid value counts as absent.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from copytrade.brokers.api import Profile
from copytrade.brokers.dhan.decode import PRODUCTS, SEGMENTS, SIDES, multiplier_of
from copytrade.brokers.dhan.json_values import Fields, Lenient, UnreadableError
from copytrade.core.model.accounts import IpAddresses
from copytrade.core.model.orders import ZERO, InstrumentKey, Product, Side

#: The values that say whether orders from here are accepted; others say nothing.
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

    Closed positions stay in the day's list with 0. ``bought_today`` and ``sold_today`` are the day's fills,
    ``realised`` and ``unrealised`` its profit in rupees; None if the broker does not say. ``multiplier`` is how many
    priced units one unit of quantity stands for (documented for currency and commodity).
    """

    key: InstrumentKey
    product: Product
    symbol: str
    net_quantity: int
    bought_today: int
    sold_today: int
    buy_average: Decimal
    sell_average: Decimal
    realised: Decimal | None = None
    unrealised: Decimal | None = None
    multiplier: Decimal | None = None

    @property
    def profit(self) -> Decimal | None:
        """The sum of both parts of its profit, None if one is not known."""
        return None if self.realised is None or self.unrealised is None else self.realised + self.unrealised


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


def read_trade(fields: Fields) -> Trade:
    """Read one row of the trade book."""
    rest = Lenient(fields)
    return Trade(
        order_id=fields.required_identifier("orderid"),
        exchange_trade_id=rest.identifier("exchangetradeid"),
        side=fields.choice("transactiontype", SIDES),
        key=_key(fields),
        product=fields.choice("producttype", PRODUCTS),
        quantity=fields.quantity("tradedquantity"),
        price=fields.price("tradedprice"),
        exchange_at=rest.time("exchangetime"),
    )


def read_position(fields: Fields) -> Position | None:
    """Read one row of the positions; None for one in an unknown segment: nothing there is copied."""
    if (segment := fields.text("exchangesegment").upper()) and segment not in SEGMENTS:
        return None
    if fields.raw("netqty") is None:
        raise UnreadableError("netqty is missing")
    rest, key = Lenient(fields), _key(fields)
    return Position(
        key=key,
        product=fields.choice("producttype", PRODUCTS),
        symbol=rest.text("tradingsymbol"),
        net_quantity=fields.quantity("netqty", smallest=-(10**9)),
        bought_today=rest.quantity("daybuyqty"),
        sold_today=rest.quantity("daysellqty"),
        buy_average=rest.price("buyavg"),
        sell_average=rest.price("sellavg"),
        realised=rest.amount("realizedprofit"),
        unrealised=rest.amount("unrealizedprofit"),
        multiplier=multiplier_of(rest, key.segment),
    )


def read_holding(fields: Fields) -> Holding:
    """Read one row of the holdings."""
    rest = Lenient(fields)
    return Holding(
        security_id=fields.required_identifier("securityid"),
        symbol=rest.text("tradingsymbol"),
        isin=rest.text("isin"),
        total_quantity=fields.quantity("totalqty"),
        available_quantity=rest.quantity("availableqty"),
        average_cost=rest.price("avgcostprice"),
    )


def read_fund_limit(fields: Fields) -> FundLimit:
    """Read the funds. The balance is misspelled on the wire; both spellings are read."""
    rest = Lenient(fields)
    return FundLimit(
        available_balance=fields.required_amount("availabelbalance", "availablebalance"),
        sod_limit=fields.required_amount("sodlimit"),
        utilized=rest.amount("utilizedamount") or ZERO,
        collateral=rest.amount("collateralamount") or ZERO,
        withdrawable=rest.amount("withdrawablebalance") or ZERO,
    )


def read_profile(fields: Fields) -> Profile:
    """Read the profile. Its times are written 24/11/2026 09:15, Indian time."""
    rest = Lenient(fields)
    return Profile(
        client_id=fields.required_identifier("dhanclientid"),
        token_valid_until=rest.time("tokenvalidity"),
        segments=tuple(word for part in rest.text("activesegment").split(",") if (word := part.strip())),
    )


def read_addresses(fields: Fields) -> IpAddresses:
    """Read which addresses are registered, and whether orders from here are accepted.

    Only the registered addresses are documented; the other fields were seen in production (2026).
    """
    known = [name for name in ("primaryip", "secondaryip") if fields.raw(name) is not None]
    allowed = _VERDICTS.get(_word(fields.raw("ordersallowed")))
    return IpAddresses(
        registered=tuple(address for name in known if (address := fields.text(name))) if known else None,
        detected=fields.text("detectedip"),
        allowed=_VERDICTS.get(_word(fields.raw("ipmatchstatus"))) if allowed is None else allowed,
    )


def _word(value: object) -> str:
    return str(value).strip().upper()


def _key(fields: Fields) -> InstrumentKey:
    return InstrumentKey(fields.choice("exchangesegment", SEGMENTS), fields.required_identifier("securityid"))
