"""The price rules of the exchanges: ticks, limits that trade at once, stops, and how far from the market is too far.

Everything is in rupees and exact. A tick is the instrument master's for that very contract, and more than zero; kinds
are the master's words (OPTIDX, FUTSTK, EQUITY, ...).
"""

from decimal import Decimal
from typing import NamedTuple

from copytrade.core.model.orders import ZERO, OrderType, Segment, Side

_HUNDRED = Decimal(100)


class _Width(NamedTuple):
    percent: Decimal
    least: Decimal

    def at(self, price: Decimal) -> Decimal:
        return max(price * self.percent / _HUNDRED, self.least)


_OPTIONS = _Width(Decimal(40), Decimal(20))

#: NSE's FAQ on limit price protection (begun by NSE/FAOP/54242); of indices at BSE 20251128-56, from 2025-12-01.
_PROTECTION = {
    "OPTIDX": _OPTIONS,
    "OPTSTK": _OPTIONS,
    "FUTIDX": _Width(Decimal(2), Decimal(200)),
    "FUTSTK": _Width(Decimal(3), Decimal("1.5")),
}

#: BSE 20260114-28, in effect from 2026-02-09 by BSE 20260116-61.
_BSE_STOP = {
    "FUTIDX": _Width(Decimal(2), Decimal(200)),
    "OPTIDX": _Width(Decimal(20), Decimal(10)),
}


def to_tick(price: Decimal, tick: Decimal, side: Side, *, outward: bool) -> Decimal:
    """Return the multiple of the tick next to a price, never below one tick.

    ``outward``: a buy up and a sell down, so that it still trades; else the reverse, so that it is no worse.
    """
    return _snap(price, tick, up=(side is Side.BUY) == outward)


def marketable_limit(
    side: Side, reference: Decimal, percent: Decimal, tick: Decimal, band: tuple[Decimal, Decimal] | None
) -> Decimal:
    """Return a limit that trades at once: ``percent`` beyond the market's price, outward to the tick.

    It stays inside ``band``, whose edges are rounded inward, and never falls below one tick. In a band that holds no
    multiple of the tick, the order's own edge counts: the upper one of a buy, the lower one of a sell.
    """
    limit = to_tick(reference * (1 + side.sign * percent / _HUNDRED), tick, side, outward=True)
    if band is None:
        return limit
    lowest, highest = _snap(band[0], tick, up=True), _snap(band[1], tick, up=False)
    return min(max(limit, lowest), highest) if side is Side.BUY else max(min(limit, highest), lowest)


def stop_limit(side: Side, trigger: Decimal, percent: Decimal, tick: Decimal, segment: Segment, kind: str) -> Decimal:
    """Return the limit of a stop: ``percent`` beyond its trigger, above it for a buy and below it for a sell.

    Outward to the tick and at least one tick beyond, but no further than the exchange allows, where that is known,
    and never below one tick: a sell stop with a trigger of one tick has its limit there.
    """
    beyond = max(trigger * percent / _HUNDRED, tick)
    limit = to_tick(trigger + side.sign * beyond, tick, side, outward=True)
    width = stop_width(segment, kind, trigger)
    if width is None:
        return limit
    furthest = to_tick(trigger + side.sign * width, tick, side, outward=False)
    return min(limit, furthest) if side is Side.BUY else max(limit, furthest)


def protection_band(segment: Segment, kind: str, reference: Decimal) -> tuple[Decimal, Decimal] | None:
    """Return the limit price protection of a contract: the lowest price to sell for, and the highest to buy for.

    Options 40 %, or 20 rupees up to a price of 50; index futures 2 %, at least 200 rupees; stock futures 3 %, at
    least 1.5 rupees (NSE's FAQ; BSE 20251128-56). None for what has no such rule: shares, currency, commodities.
    """
    if segment not in (Segment.NSE_FNO, Segment.BSE_FNO) or kind not in _PROTECTION:
        return None
    width = _PROTECTION[kind].at(reference)
    return max(reference - width, ZERO), reference + width


def stop_width(segment: Segment, kind: str, trigger: Decimal) -> Decimal | None:
    """Return how far a stop's limit may be from its trigger, in rupees; None where that is not known.

    BSE alone has published it (20260114-28): index futures 2 % of the trigger, at least 200 rupees; index options
    20 %, at least 10 rupees.
    """
    if segment is not Segment.BSE_FNO or kind not in _BSE_STOP:
        return None
    return _BSE_STOP[kind].at(trigger)


def price_fault(
    side: Side,
    order_type: OrderType,
    price: Decimal,
    trigger_price: Decimal,
    tick: Decimal,
    segment: Segment,
    kind: str,
    reference: Decimal | None,
) -> str | None:
    """Return the first price rule that an order breaks, in words; None if it breaks none.

    Orders without a limit are not judged. ``reference`` is the market's price, against which a plain limit is judged:
    only if it is given, and only where it would buy too high or sell too low. A stop's limit is judged by its distance
    from the trigger alone: the exchange applies its price protection once the stop has been triggered.
    """
    if not order_type.has_limit:
        return None
    if fault := _tick_fault("limit", price, tick):
        return fault
    if order_type is OrderType.STOP_LOSS:
        return _tick_fault("trigger", trigger_price, tick) or _stop_fault(side, price, trigger_price, segment, kind)
    band = None if reference is None else protection_band(segment, kind, reference)
    return None if reference is None or band is None else _protection_fault(side, price, band, reference)


def _snap(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    steps, rest = divmod(price, tick)
    if up and rest > 0:
        steps += 1
    return max(steps, Decimal(1)) * tick


def _tick_fault(name: str, price: Decimal, tick: Decimal) -> str | None:
    if price < tick:
        return f"{name} {_plain(price)} is below one tick, {_plain(tick)}"
    if price % tick:
        return f"{name} {_plain(price)} is not a multiple of the tick {_plain(tick)}"
    return None


def _stop_fault(side: Side, price: Decimal, trigger: Decimal, segment: Segment, kind: str) -> str | None:
    distance = (price - trigger) * side.sign
    if distance < 0:
        relation = "below the trigger {} of a buy" if side is Side.BUY else "above the trigger {} of a sell"
        return f"limit {_plain(price)} is {relation.format(_plain(trigger))} stop"
    width = stop_width(segment, kind, trigger)
    if width is None or distance <= width:
        return None
    allowed = f"the exchange allows {_plain(width)}"
    return f"limit {_plain(price)} is {_plain(distance)} from the trigger {_plain(trigger)}, {allowed}"


def _protection_fault(side: Side, price: Decimal, band: tuple[Decimal, Decimal], reference: Decimal) -> str | None:
    lowest, highest = band
    if side is Side.BUY and price > highest:
        return (
            f"limit {_plain(price)} is above {_plain(highest)}, the most to buy for at a price of {_plain(reference)}"
        )
    if side is Side.SELL and price < lowest:
        return (
            f"limit {_plain(price)} is below {_plain(lowest)}, the least to sell for at a price of {_plain(reference)}"
        )
    return None


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
