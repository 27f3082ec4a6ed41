"""Super orders: an entry whose exits, a target and a stop, the broker arms as it fills. One exit ends the other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from copytrade.paper.exchange.family_rules import FamilyRules
from copytrade.paper.exchange.matching import Exchange
from copytrade.paper.exchange.orders import NO_PRICE, Family, PaperOrder, Ticket, order_error
from copytrade.paper.exchange.trailing import Trail

REMARKS = "Super Order"
STOP, TARGET = 2, 3
WORDS = {STOP: "DUMMY", TARGET: "ACTIVE"}


@dataclass(slots=True)
class SuperOrder:
    """An entry and its exits by leg number. ``prices`` are those wished, without a leg that is not wanted.

    ``orders`` are the exits that are armed. ``ended`` is set once nothing will be armed any more.
    """

    entry: PaperOrder
    prices: dict[int, Decimal]
    trail: Trail
    orders: dict[int, PaperOrder] = field(default_factory=dict)
    ended: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether an exit has traded and none is left."""
        exits = self.orders.values()
        return bool(exits) and all(one.is_ended for one in exits) and any(one.status == "TRADED" for one in exits)


class SuperOrders:
    """The super orders of every account. ``told`` sends a frame; ``later`` does something after so many seconds."""

    def __init__(
        self,
        exchange: Exchange,
        told: Callable[[PaperOrder], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self.rules = FamilyRules()
        self._exchange = exchange
        self._told = told
        self._later = later
        self._by_entry: dict[str, SuperOrder] = {}
        self._by_exit: dict[str, SuperOrder] = {}

    def place(self, client_id: str, ticket: Ticket, prices: dict[int, Decimal], jump: Decimal) -> SuperOrder:
        """Take an entry and the prices of its exits; a MARKET entry may have filled when this returns."""
        made: list[SuperOrder] = []

        def born(entry: PaperOrder) -> None:
            anchor = entry.price or self._exchange.prices[entry.instrument.key]
            made.append(SuperOrder(entry, prices, Trail(jump, anchor)))
            self._by_entry[entry.id] = made[0]

        self._exchange.place(client_id, ticket, born)
        if self.rules.dormant_frames and not made[0].entry.is_ended:
            for waiting in self.dormant(made[0]):
                self._told(waiting)
        return made[0]

    def find(self, client_id: str, entry_id: str) -> SuperOrder:
        """Return a super order by its entry. Raises Refusal where there is none."""
        found = self._by_entry.get(entry_id)
        if found is None or found.entry.client_id != client_id:
            raise order_error("Order not found")
        return found

    def all(self, client_id: str) -> Iterator[SuperOrder]:
        """Return an account's super orders of the day, oldest first."""
        return (self._by_entry[order.id] for order in self._exchange.orders(client_id) if order.id in self._by_entry)

    def dormant(self, family: SuperOrder) -> list[PaperOrder]:
        """Return the exits that wait for the entry, as the broker tells of them: with its id and no quantity."""
        waiting = [] if family.ended else [leg for leg in family.prices if leg not in family.orders]
        entry = family.entry
        return [self._exchange.shadow(entry.id, entry.client_id, _exit(family, leg, 0), WORDS[leg]) for leg in waiting]

    def change_entry(self, family: SuperOrder, change: dict[str, object], prices: dict[int, Decimal]) -> None:
        """Change an entry that waits or has filled in part, and its exits' prices. The change must be checked."""
        for leg, price in prices.items():
            self._reprice(family, leg, price)
        self._exchange.modify(family.entry, change)

    def change_exit(self, family: SuperOrder, leg: int, price: Decimal) -> None:
        """Change the price of an exit, armed or not. Raises Refusal if it has ended or was changed too often."""
        order = family.orders.get(leg)
        if leg not in family.prices or (order is not None and order.is_ended):
            raise order_error("Order is already closed and cannot be modified")
        if order is not None and order.modifications >= self.rules.leg_modifications:
            raise order_error("Maximum number of modifications exceeded")
        self._reprice(family, leg, price)

    def cancel(self, family: SuperOrder, leg: int) -> None:
        """Cancel an exit, which cannot come back, or the entry (leg 1) and what the rules say. Raises Refusal."""
        if leg != 1:
            if leg not in family.prices:
                raise order_error("Order not found")
            if (order := family.orders.get(leg)) is not None:
                self._exchange.cancel(order)
            del family.prices[leg]
            return
        if family.entry.status == "TRADED" and self.rules.on_cancel != "legs":
            raise order_error(self.rules.cancel_text)
        keeps = self.rules.on_cancel == "rest" and family.entry.filled
        family.ended = not keeps
        if family.entry.status != "TRADED":
            self._exchange.cancel(family.entry)
        if not keeps:
            self._end_exits(family)

    def changed(self, order: PaperOrder) -> None:
        """Arm exits as an entry fills, and end one exit as the other has filled."""
        if (family := self._by_entry.get(order.id)) is not None:
            if order.filled and not family.ended and (self.rules.arms_in_parts or order.is_ended):
                self._arm(family)
        elif (family := self._by_exit.get(order.id)) is not None and order.filled and not family.ended:
            self._exit_filled(family, order)

    def price_moved(self, key: tuple[str, str]) -> None:
        """Move the stops that trail an instrument's price."""
        for family in list(self._by_entry.values()):
            stop = family.orders.get(STOP)
            if stop is None or stop.is_ended or not stop.is_stop or stop.instrument.key != key:
                continue
            trigger = family.trail.moved(stop, self._exchange.prices[key])
            if trigger is not None:
                self._exchange.restate(stop, {"trigger_price": trigger}, tells=self.rules.trailing_frames)

    def tells(self, order: PaperOrder) -> bool:
        """Return whether the socket tells of an order: not of exits without ``leg_frames``."""
        return self.rules.leg_frames or order.family is None or order.family.leg == 1 or not self._is_exit(order)

    def _is_exit(self, order: PaperOrder) -> bool:
        return order.family is not None and str(order.family.algo_order) in self._by_entry

    def _reprice(self, family: SuperOrder, leg: int, price: Decimal) -> None:
        family.prices[leg] = price
        order = family.orders.get(leg)
        if order is not None and not order.is_ended:
            order.modifications += 1
            self._exchange.restate(order, {"trigger_price" if order.is_stop else "price": price})

    def _arm(self, family: SuperOrder) -> None:
        """Have each exit stand with what the entry has filled."""
        filled = family.entry.filled
        for leg in sorted(family.prices):
            order = family.orders.get(leg)
            if order is None:
                self._exchange.place(
                    family.entry.client_id, _exit(family, leg, filled), lambda o: self._born(family, o)
                )
            elif not order.is_ended and order.quantity < filled:
                self._exchange.restate(order, {"quantity": filled})

    def _born(self, family: SuperOrder, order: PaperOrder) -> None:
        assert order.family is not None  # noqa: S101 (made with one)
        family.orders[order.family.leg] = order
        self._by_exit[order.id] = family

    def _exit_filled(self, family: SuperOrder, order: PaperOrder) -> None:
        """Shrink the other exit by what one has filled, or end it."""
        if order.is_ended and not family.ended:
            family.ended = True
            if not family.entry.is_ended:
                self._exchange.cancel(family.entry)
        if self.rules.other_leg_after:
            self._later(self.rules.other_leg_after, lambda: self._meet(family, order))
        else:
            self._meet(family, order)

    def _meet(self, family: SuperOrder, order: PaperOrder) -> None:
        if order.is_ended:
            self._end_exits(family)
            return
        for other in family.orders.values():
            if other is not order and not other.is_ended and other.quantity > order.remaining > other.filled:
                self._exchange.restate(other, {"quantity": order.remaining})

    def _end_exits(self, family: SuperOrder) -> None:
        for order in family.orders.values():
            if not order.is_ended:
                self._exchange.cancel(order)


def _exit(family: SuperOrder, leg: int, quantity: int) -> Ticket:
    """Return an exit's order: a target is a limit order, a stop triggers a market order."""
    entry, price = family.entry, family.prices[leg]
    return Ticket(
        side="SELL" if entry.side == "BUY" else "BUY",
        instrument=entry.instrument,
        quantity=quantity,
        order_type="LIMIT" if leg == TARGET else "STOP_LOSS_MARKET",
        product=entry.product,
        price=price if leg == TARGET else NO_PRICE,
        trigger_price=price if leg == STOP else NO_PRICE,
        correlation_id=entry.correlation_id,
        source=entry.source,
        family=Family(leg, int(entry.id), "API" if entry.source == "P" else "FAST", REMARKS),
    )
