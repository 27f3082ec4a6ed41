"""The exchange in memory: accounts, order books, prices that move, matching. Pure but for its injected clock."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from copytrade.paper.instruments import PaperInstrument
from copytrade.paper.orders import NO_PRICE, PaperOrder, Ticket, order_error

#: How far a MARKET order that came over the API may go from the last price; there it rests as a LIMIT.
PROTECTION = Decimal("0.10")


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """An account at the paper broker. ``funds`` are rupees."""

    client_id: str
    access_token: str
    funds: Decimal = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class PaperPosition:
    """What an account bought and sold today of one instrument in one product."""

    instrument: PaperInstrument
    product: str
    bought: int
    bought_value: Decimal
    sold: int
    sold_value: Decimal

    @property
    def net(self) -> int:
        """Units held; negative for a short."""
        return self.bought - self.sold


class Exchange:
    """Takes orders, fills them as prices move, and tells ``changed`` of everything that happens to an order."""

    def __init__(
        self,
        accounts: Sequence[PaperAccount],
        instruments: Sequence[PaperInstrument],
        *,
        seed: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        changed: Callable[[PaperOrder], None],
        partial_fills: float = 0.0,
    ) -> None:
        self._accounts = {account.client_id: account for account in accounts}
        self.instruments = {(item.segment, item.security_id): item for item in instruments}
        self.prices = {key: item.price for key, item in self.instruments.items()}
        self._orders: dict[str, dict[str, PaperOrder]] = {client_id: {} for client_id in self._accounts}
        self._resting: dict[tuple[str, str], list[PaperOrder]] = {key: [] for key in self.instruments}
        self._random = random.Random(seed)  # noqa: S311 (prices)
        self._now = now
        self._monotonic = monotonic
        self._changed = changed
        self._partial_fills = partial_fills
        self._last_id = 0
        #: When the accounts' tokens end; a token lives 24 hours.
        self.tokens_valid_until = now() + timedelta(hours=24)

    def account(self, client_id: str) -> PaperAccount | None:
        """Return an account, or None."""
        return self._accounts.get(client_id)

    def orders(self, client_id: str) -> Iterator[PaperOrder]:
        """Return an account's orders, oldest first."""
        return iter(self._orders[client_id].values())

    def order(self, client_id: str, order_id: str) -> PaperOrder:
        """Return one order. Raises Refusal where there is none."""
        order = self._orders[client_id].get(order_id)
        if order is None:
            raise order_error("Order not found")
        return order

    def place(self, client_id: str, ticket: Ticket) -> PaperOrder:
        """Take an order: it is in transit, then accepted or rejected by risk management, then perhaps filled."""
        now = self._now()
        order = PaperOrder(
            id=self._next_id(),
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
            created_at=now,
            updated_at=now,
            accepted_at=self._monotonic(),
        )
        self._orders[client_id][order.id] = order
        self._changed(order)
        needed, available = self._value(order, order.quantity), self.available(client_id)
        if needed > available:
            self.reject(order, f"You have insufficient funds. Please add Rs.{needed - available:,.2f} to trade.")
            return order
        self._accept(order)
        return order

    def modify(self, order: PaperOrder, change: Mapping[str, object]) -> None:
        """Change a resting order's parameters, which have been checked."""
        for name, value in change.items():
            setattr(order, name, value)
        order.modifications += 1
        order.triggered = False
        self._note(order, order.status, "Modified", "CONFIRMED")
        self._match(order)

    def cancel(self, order: PaperOrder) -> None:
        """Cancel what is left of an order. Raises Refusal if it has ended."""
        if order.is_ended:
            raise order_error(f"Order is already {order.status.lower()} and cannot be cancelled")
        self._note(order, "CANCELLED", "Cancelled", "CONFIRMED")

    def reject(self, order: PaperOrder, reason: str) -> None:
        """Reject an order, as risk management or the exchange does."""
        self._note(order, "REJECTED", "Rejected", f"RMS:{order.id}:{reason}")

    def expire(self, order: PaperOrder) -> None:
        """End an order because its time is over."""
        self._note(order, "EXPIRED", "Expired", "CONFIRMED")

    def trigger(self, order: PaperOrder) -> None:
        """Wake a stop order: from now on it is a limit order."""
        order.triggered = True
        order.price = order.price or self.prices[self._key(order)]
        order.order_type = "LIMIT"
        self._note(order, order.status, "Triggered", "CONFIRMED")

    def fill(self, order: PaperOrder, quantity: int | None = None, price: Decimal | None = None) -> None:
        """Fill an order, in part or all that is left, at a price or its own."""
        quantity = min(quantity or order.remaining, order.remaining)
        if quantity <= 0:
            raise order_error("Nothing is left to fill")
        at = price or order.price or self.prices[self._key(order)]
        order.filled += quantity
        order.value += at * quantity
        order.last_price = at
        order.exchange_at = self._now()
        order.trades.append((quantity, at, order.exchange_at))
        if order.filled == order.quantity:
            self._note(order, "TRADED", "Traded", "TRADE CONFIRMED")
        else:
            self._note(order, "PART_TRADED", "PART_TRADED", "TRADE CONFIRMED")

    def set_price(self, key: tuple[str, str], price: Decimal) -> None:
        """Move an instrument's price, and fill what it reaches."""
        self.prices[key] = price
        self._resting[key] = [order for order in self._resting[key] if not order.is_ended]
        for order in self._resting[key]:
            self._match(order)

    def move(self, key: tuple[str, str], ticks: int) -> None:
        """Move an instrument's price by so many ticks."""
        tick = self.instruments[key].tick
        self.set_price(key, max(tick, self.prices[key] + ticks * tick))

    def wander(self) -> None:
        """Move every price by a tick or so, by chance."""
        for key in self.prices:
            self.move(key, self._random.choice((-1, 0, 0, 1)))

    def positions(self, client_id: str) -> list[PaperPosition]:
        """Return what the account has traded today, by instrument and product."""
        sums: dict[tuple[str, str, str], PaperPosition] = {}
        for order in self.orders(client_id):
            if not order.filled:
                continue
            key = (*self._key(order), order.product)
            was = sums.get(key) or PaperPosition(order.instrument, order.product, 0, NO_PRICE, 0, NO_PRICE)
            buys, sells = (order.filled, order.value), (0, NO_PRICE)
            if order.side == "SELL":
                buys, sells = sells, buys
            sums[key] = PaperPosition(
                order.instrument,
                order.product,
                was.bought + buys[0],
                was.bought_value + buys[1],
                was.sold + sells[0],
                was.sold_value + sells[1],
            )
        return list(sums.values())

    def available(self, client_id: str) -> Decimal:
        """Return the rupees that no position and no working order blocks."""
        blocked = sum((self._value(order, order.remaining) for order in self.orders(client_id)), NO_PRICE)
        held = sum(
            (
                abs(position.net) * self.prices[position.instrument.segment, position.instrument.security_id]
                for position in self.positions(client_id)
            ),
            NO_PRICE,
        )
        return self._accounts[client_id].funds - blocked - held

    def _accept(self, order: PaperOrder) -> None:
        order.exchange_id = f"11{order.id}"
        order.exchange_at = self._now()
        if order.order_type == "MARKET" and order.source == "P":
            # The broker turns a MARKET order that comes over its API into a price-protected LIMIT (since March 2026).
            tick, last = order.instrument.tick, self.prices[self._key(order)]
            order.order_type = "LIMIT"
            order.price = max(tick, (last * (1 + PROTECTION * order.sign)) // tick * tick)
        self._resting[self._key(order)].append(order)
        self._note(order, "PENDING", "Pending", "CONFIRMED")
        if not order.after_market:
            self._match(order)
        if order.validity == "IOC" and not order.is_ended:
            self.cancel(order)

    def _match(self, order: PaperOrder) -> None:
        """Trigger and fill an order as far as the price allows."""
        if order.is_ended or order.after_market:
            return
        price = self.prices[self._key(order)]
        if order.order_type in ("STOP_LOSS", "STOP_LOSS_MARKET"):
            if (price - order.trigger_price) * order.sign < 0:
                return
            self.trigger(order)
        if order.order_type == "LIMIT" and (price - order.price) * order.sign > 0:
            return
        lots = order.remaining // order.instrument.lot_size
        if lots > 1 and self._random.random() < self._partial_fills:
            self.fill(order, self._random.randrange(1, lots) * order.instrument.lot_size, price)
        else:
            self.fill(order, None, price)

    def _note(self, order: PaperOrder, status: str, word: str, reason: str) -> None:
        order.status, order.word, order.reason = status, word, reason
        order.updated_at = self._now()
        self._changed(order)

    def _value(self, order: PaperOrder, quantity: int) -> Decimal:
        return (order.price or self.prices[self._key(order)]) * quantity if order.side == "BUY" else NO_PRICE

    def _next_id(self) -> str:
        """Return an id that no run before this one has given out: it grows with the wall clock."""
        self._last_id = max(self._last_id + 1, int(self._now().timestamp() * 1000) * 100)
        return str(self._last_id)

    @staticmethod
    def _key(order: PaperOrder) -> tuple[str, str]:
        return order.instrument.segment, order.instrument.security_id
