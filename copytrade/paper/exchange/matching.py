"""The exchange in memory: accounts, order books, moving prices and matching. Pure, with an injected clock."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.orders import PaperOrder, Ticket, order_error
from copytrade.paper.exchange.portfolio import PaperPosition, Portfolio

#: Average length of a halt, in moves of the market.
HALT_LASTS = 6

#: The reason of a random rejection by risk management.
REJECTED = "Margin Exceeds, Required: 0.00, Available: 0.00"

#: Distance from the last price at which a MARKET order of the API becomes a LIMIT.
PROTECTION = Decimal("0.10")


#: Order requests of one account in any second (in force since March 2026).
PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """An account at the paper broker. ``funds`` are rupees. Without an ``access_token`` it has to log in."""

    client_id: str
    access_token: str = field(repr=False)
    funds: Decimal = Decimal(1_000_000)
    name: str = ""
    pin: str = field(default="", repr=False)
    totp_secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mishaps:
    """Random faults, each with a chance from 0 to 1.

    ``partial_fills`` is for a fill to be partial, ``rejections`` for risk management to reject an order of any account
    but the ``spared`` one. ``halts`` is the share of time that an instrument is halted: nothing fills or triggers.
    """

    partial_fills: float = 0.0
    rejections: float = 0.0
    halts: float = 0.0
    spared: str = ""


NO_MISHAPS = Mishaps()


class Exchange:
    """Takes orders, fills them as prices move, and calls ``changed`` for each change of an order.

    Without ``auto_fill_market`` a new MARKET order rests until a price is set or a fill is forced.
    """

    def __init__(
        self,
        accounts: Sequence[PaperAccount],
        instruments: Sequence[PaperInstrument],
        *,
        seed: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        changed: Callable[[PaperOrder], None],
        mishaps: Mishaps = NO_MISHAPS,
        auto_fill_market: bool = True,
    ) -> None:
        self._accounts = {account.client_id: account for account in accounts}
        self.instruments = {(item.segment, item.security_id): item for item in instruments}
        self.prices = {key: item.price for key, item in self.instruments.items()}
        self._portfolios = {account.client_id: Portfolio(account.funds, monotonic) for account in accounts}
        self._resting: dict[tuple[str, str], list[PaperOrder]] = {key: [] for key in self.instruments}
        self._random = random.Random(seed)  # noqa: S311 (prices)
        self._now = now
        self._monotonic = monotonic
        self._changed = changed
        self._mishaps = mishaps
        self._halted: set[tuple[str, str]] = set()
        self._auto_fill_market = auto_fill_market
        self._last_id = 0
        #: Called after each move of a price, before anything fills.
        self.price_moved: Callable[[tuple[str, str]], None] = lambda _key: None

    def list_instrument(self, instrument: PaperInstrument) -> None:
        """Add an instrument."""
        self.instruments[instrument.key] = instrument
        self.prices[instrument.key] = instrument.price
        self._resting[instrument.key] = []

    def account(self, client_id: str) -> PaperAccount | None:
        """Return an account, or None."""
        return self._accounts.get(client_id)

    def orders(self, client_id: str) -> Iterator[PaperOrder]:
        """Return an account's orders, oldest first."""
        return iter(self._portfolios[client_id].orders.values())

    def order(self, client_id: str, order_id: str) -> PaperOrder:
        """Return one order. Raises Refusal where there is none."""
        order = self._portfolios[client_id].orders.get(order_id)
        if order is None:
            raise order_error("Order not found")
        return order

    def place(
        self, client_id: str, ticket: Ticket, born: Callable[[PaperOrder], None] = lambda _order: None
    ) -> PaperOrder:
        """Take an order: it is in transit, then accepted or rejected by risk management, then perhaps filled.

        ``born`` is called with the order before anybody is told of it.
        """
        order = self._made(self.next_id(), client_id, ticket)
        born(order)
        portfolio = self._portfolios[client_id]
        available = portfolio.available()
        portfolio.add(order)
        self._tell(order)
        needed = portfolio.needed(order, order.price or self.prices[order.instrument.key])
        if needed > available:
            self.reject(order, f"You have insufficient funds. Please add Rs.{needed - available:,.2f} to trade.")
        elif client_id != self._mishaps.spared and self._random.random() < self._mishaps.rejections:
            self.reject(order, REJECTED)
        else:
            self._accept(order, resting=ticket.resting)
        return order

    def shadow(self, order_id: str, client_id: str, ticket: Ticket, word: str) -> PaperOrder:
        """Return an order that is told of and not at the exchange."""
        order = self._made(order_id, client_id, ticket)
        order.status = order.word = word
        return order

    def restate(self, order: PaperOrder, change: Mapping[str, object], *, tells: bool = True) -> None:
        """Change a resting order on the broker's own behalf; without ``tells`` only the lists show it."""
        for name, value in change.items():
            setattr(order, name, value)
        if tells:
            self._note(order, order.status, "Modified", "CONFIRMED")
        else:
            order.updated_at = self._now()
            self._portfolios[order.client_id].changed(order)
            order.remember(self._monotonic())
        self._work(order)

    def _made(self, order_id: str, client_id: str, ticket: Ticket) -> PaperOrder:
        now = self._now()
        return PaperOrder(
            id=order_id,
            client_id=client_id,
            side=ticket.side,
            instrument=ticket.instrument,
            product=ticket.product,
            order_type=ticket.order_type,
            validity=ticket.validity,
            quantity=ticket.quantity,
            price=ticket.price,
            trigger_price=ticket.trigger_price,
            disclosed_quantity=ticket.disclosed_quantity,
            after_market=ticket.after_market,
            correlation_id=ticket.correlation_id,
            source=ticket.source,
            family=ticket.family,
            created_at=now,
            updated_at=now,
            accepted_at=self._monotonic(),
        )

    def modify(self, order: PaperOrder, change: Mapping[str, object]) -> None:
        """Change the parameters of a resting order. They must be checked."""
        for name, value in change.items():
            setattr(order, name, value)
        order.modifications += 1
        self._protect(order)
        self._note(order, order.status, "Modified", "CONFIRMED")
        self._work(order)

    def cancel(self, order: PaperOrder) -> None:
        """Cancel what is left of an order. Raises Refusal if it has ended."""
        if order.is_ended:
            raise order_error(f"Order is already {order.status.lower()} and cannot be cancelled")
        self._end(order, "CANCELLED", "Cancelled", "CONFIRMED")

    def reject(self, order: PaperOrder, reason: str) -> None:
        """Reject an order, as risk management or the exchange does. Raises Refusal if it has ended."""
        self._end(order, "REJECTED", "Rejected", f"RMS:{order.id}:{reason}")

    def expire(self, order: PaperOrder) -> None:
        """End an order because its time is over. Raises Refusal if it has ended."""
        self._end(order, "EXPIRED", "Expired", "CONFIRMED")

    def trigger(self, order: PaperOrder) -> None:
        """Trigger a stop order: it becomes a limit order. Raises Refusal if it is none, or has ended."""
        if order.is_ended or not order.is_stop:
            raise order_error("Nothing is left to trigger")
        order.price = order.price or self.prices[order.instrument.key]
        order.order_type = "LIMIT"
        self._note(order, order.status, "Triggered", "CONFIRMED")

    def fill(self, order: PaperOrder, quantity: int | None = None, price: Decimal | None = None) -> None:
        """Fill an order, in part or all that is left, at a price or its own. Raises Refusal if it has ended."""
        if order.is_ended:
            raise order_error("Nothing is left to fill")
        if order.is_stop:
            self.trigger(order)
        quantity = min(quantity or order.remaining, order.remaining)
        at = price or order.price or self.prices[order.instrument.key]
        order.exchange_id = f"11{order.id}"
        order.filled += quantity
        order.value += at * quantity
        order.last_price = at
        order.exchange_at = self._now()
        order.trades.append((quantity, at, order.exchange_at))
        self._portfolios[order.client_id].fill(order, quantity, at)
        if order.filled == order.quantity:
            self._end(order, "TRADED", "Traded", "TRADE CONFIRMED")
        else:
            self._note(order, "PART_TRADED", "PART_TRADED", "TRADE CONFIRMED")

    def set_price(self, key: tuple[str, str], price: Decimal, *, thin: bool = False) -> None:
        """Move an instrument's price, and fill the orders that it reaches; with ``thin`` each only in part."""
        self.prices[key] = price
        self.price_moved(key)
        self._resting[key] = [order for order in self._resting[key] if not order.is_ended]
        for order in list(self._resting[key]):
            self._match(order, 1.0 if thin else self._mishaps.partial_fills)

    def move(self, key: tuple[str, str], ticks: int) -> None:
        """Move an instrument's price by a number of ticks."""
        tick = self.instruments[key].tick
        self.set_price(key, max(tick, self.prices[key] + ticks * tick))

    def wander(self) -> None:
        """Move every price at random by about a tick, and halt or resume some instruments."""
        for key in self.prices:
            self._halt_by_chance(key)
            if key not in self._halted:
                self.move(key, self._random.choice((-1, 0, 0, 1)))

    def halt(self, key: tuple[str, str]) -> None:
        """Halt an instrument: orders are accepted, changed and cancelled, but nothing fills or triggers."""
        self._halted.add(key)

    def resume(self, key: tuple[str, str]) -> None:
        """End a halt, and fill the orders that the price has reached."""
        self._halted.discard(key)
        self.set_price(key, self.prices[key])

    def _halt_by_chance(self, key: tuple[str, str]) -> None:
        halts = self._mishaps.halts
        if not halts:
            return
        if key in self._halted:
            if halts < 1 and self._random.random() < 1 / HALT_LASTS:
                self.resume(key)
        elif halts >= 1 or self._random.random() < halts / (1 - halts) / HALT_LASTS:
            self.halt(key)

    def positions(self, client_id: str) -> list[PaperPosition]:
        """Return the positions of an account, by instrument and product."""
        return self._portfolios[client_id].positions

    def portfolio(self, client_id: str) -> Portfolio:
        """Return the portfolio of an account."""
        return self._portfolios[client_id]

    def split(self, key: tuple[str, str], old: int, new: int) -> None:
        """Split every holding from before today, and the price: ``new`` units for each ``old``."""
        for portfolio in self._portfolios.values():
            portfolio.split(key, old, new)
        tick = self.instruments[key].tick
        self.set_price(key, max(tick, self.prices[key] * old / new // tick * tick))

    def pass_night(self) -> None:
        """Make it the next day: orders that rest expire, and what is held is from before today."""
        for portfolio in self._portfolios.values():
            for order in [order for order in portfolio.orders.values() if not order.is_ended]:
                self.expire(order)
            portfolio.settle()
        before = self._now
        self._now = lambda: before() + timedelta(days=1)

    def available(self, client_id: str) -> Decimal:
        """Return the rupees that are not blocked by positions and working orders."""
        return self._portfolios[client_id].available()

    def _accept(self, order: PaperOrder, *, resting: bool) -> None:
        self._resting[order.instrument.key].append(order)
        if not order.after_market:
            order.exchange_id = f"11{order.id}"
            order.exchange_at = self._now()
        waits = resting or (order.order_type == "MARKET" and not self._auto_fill_market)
        self._protect(order)
        self._note(order, "PENDING", "Pending", "CONFIRMED")
        if not waits:
            self._work(order)

    def _protect(self, order: PaperOrder) -> None:
        """Turn a MARKET order of the API into a price-protected LIMIT, as the broker does since March 2026."""
        if order.order_type == "MARKET" and order.source == "P":
            tick, last = order.instrument.tick, self.prices[order.instrument.key]
            order.order_type = "LIMIT"
            order.price = max(tick, (last * (1 + PROTECTION * order.sign)) // tick * tick)

    def _work(self, order: PaperOrder) -> None:
        """Fill an order as far as the price allows; cancel the rest of an IOC order."""
        self._match(order, self._mishaps.partial_fills)
        if order.validity == "IOC" and not order.is_ended and not order.after_market:
            self.cancel(order)

    def _match(self, order: PaperOrder, partial_fills: float) -> None:
        """Trigger and fill an order as far as the price allows."""
        if order.is_ended or order.after_market or order.instrument.key in self._halted:
            return
        price = self.prices[order.instrument.key]
        if order.is_stop:
            if (price - order.trigger_price) * order.sign < 0:
                return
            self.trigger(order)
        if order.order_type == "LIMIT" and (price - order.price) * order.sign > 0:
            return
        lots = order.remaining // order.instrument.lot_size
        if lots > 1 and self._random.random() < partial_fills:
            self.fill(order, self._random.randrange(1, lots) * order.instrument.lot_size, price)
        else:
            self.fill(order, None, price)

    def _end(self, order: PaperOrder, status: str, word: str, reason: str) -> None:
        if order.is_ended:
            raise order_error(f"Order is already {order.status.lower()}")
        self._portfolios[order.client_id].end(order)
        self._note(order, status, word, reason)

    def _note(self, order: PaperOrder, status: str, word: str, reason: str) -> None:
        order.status, order.word, order.reason = status, word, reason
        order.updated_at = self._now()
        self._portfolios[order.client_id].changed(order)
        self._tell(order)

    def _tell(self, order: PaperOrder) -> None:
        order.remember(self._monotonic())
        self._changed(order)

    def next_id(self) -> str:
        """Return an order id that no earlier run has used: it grows with the wall clock."""
        self._last_id = max(self._last_id + 1, int(self._now().timestamp() * 1000) * 100)
        return str(self._last_id)
