"""The scripted leader: a trading session that repeats for ever, so that a newcomer sees everything happen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from copytrade.paper.broker import PaperBroker
from copytrade.paper.orders import PaperOrder, Refusal, Ticket
from copytrade.paper.validation import check_change, check_ticket

NIFTY = ("NSE_FNO", "45674")
NIFTY_PUT = ("NSE_FNO", "45675")
BANKNIFTY = ("NSE_FNO", "51004")
SENSEX = ("BSE_FNO", "82004")
SHARES = ("NSE_EQ", "2885")

Key = tuple[str, str]


@dataclass(slots=True)
class ScriptedLeader:
    """Trades on the leader's account as a person at the broker's web site would; ``speed`` 2 is twice as fast."""

    broker: PaperBroker
    client_id: str
    speed: float = 1.0
    _burst: list[PaperOrder] = field(default_factory=list)

    async def trade(self) -> None:
        """Repeat the session for ever."""
        await self._pause(1.0)
        while True:
            await self._limit_order()
            stop = await self._protective_stop()
            await self._cancelled_order()
            await self._trades_while_the_feed_is_down(stop)
            await self._what_is_skipped()
            await self._burst_of_orders()
            await self._exit(stop)

    async def _limit_order(self) -> None:
        """Enter with a limit order that is modified twice and then filled as the price comes down to it."""
        price = self._price(NIFTY)
        order = self._place(NIFTY, "BUY", 4, price=price - 2)
        await self._pause(1.0)
        self._modify(order, price=price - 1)
        await self._pause(1.0)
        self._modify(order, quantity=6 * order.instrument.lot_size)
        await self._pause(1.0)
        await self._move_to(NIFTY, price - 1)

    async def _protective_stop(self) -> PaperOrder:
        trigger = self._price(NIFTY) - 20
        await self._pause(1.0)
        return self._place(NIFTY, "SELL", 6, order_type="STOP_LOSS", trigger_price=trigger, price=trigger - 1)

    async def _cancelled_order(self) -> None:
        order = self._place(BANKNIFTY, "BUY", 3, price=self._price(BANKNIFTY) - 15)
        await self._pause(1.0)
        self._try(lambda: self.broker.exchange.cancel(order))
        await self._pause(1.0)

    async def _trades_while_the_feed_is_down(self, stop: PaperOrder) -> None:
        resting = self._place(BANKNIFTY, "BUY", 2, price=self._price(BANKNIFTY) - 12)
        await self._pause(0.5)
        self.broker.feeds.drop(self.client_id, refuse_for=3.0 / self.speed)
        await self._pause(1.0)
        self._place(NIFTY_PUT, "BUY", 4, price=self._price(NIFTY_PUT) - 3)
        self._try(lambda: self.broker.exchange.cancel(resting))
        self._modify(stop, trigger_price=stop.trigger_price + 5, price=stop.price + 5)
        await self._pause(5.0)
        await self._move_to(NIFTY_PUT, self._price(NIFTY_PUT) - 3)

    async def _what_is_skipped(self) -> None:
        """Buy shares, which are not copied by default, and one lot, which is too little for a small follower."""
        self._place(SHARES, "BUY", 10, price=self._price(SHARES) - 1, product="INTRADAY")
        await self._pause(1.0)
        self._place(NIFTY, "BUY", 1, price=self._price(NIFTY) - 3, validity="IOC")
        await self._pause(1.0)
        self._place(SENSEX, "BUY", 4, order_type="MARKET")
        await self._pause(2.0)

    async def _burst_of_orders(self) -> None:
        """Place fifteen orders within a second, and cancel them one after the other."""
        self._burst = []
        for number in range(15):
            key = (NIFTY, BANKNIFTY, SENSEX)[number % 3]
            self._burst.append(self._place(key, "BUY", 2, price=self._price(key) - 20 - number))
            await self._pause(0.06)
        await self._pause(8.0)
        for order in self._burst:
            self._try(lambda order=order: self.broker.exchange.cancel(order))  # type: ignore[misc]
            await self._pause(0.3)
        await self._pause(4.0)

    async def _exit(self, stop: PaperOrder) -> None:
        """Take the stop away and sell everything."""
        self._try(lambda: self.broker.exchange.cancel(stop))
        await self._pause(1.0)
        for position in self.broker.exchange.positions(self.client_id):
            key = (position.instrument.segment, position.instrument.security_id)
            if position.net and not position.instrument.is_cash:
                lots = abs(position.net) // position.instrument.lot_size
                self._place(key, "SELL" if position.net > 0 else "BUY", lots, order_type="MARKET")
                await self._pause(1.0)
        for order in list(self.broker.exchange.orders(self.client_id)):
            if not order.is_ended:
                self._try(lambda order=order: self.broker.exchange.cancel(order))  # type: ignore[misc]
        await self._pause(8.0)

    def _price(self, key: Key) -> Decimal:
        return self.broker.exchange.prices[key]

    def _place(self, key: Key, side: str, lots: int, **parameters: object) -> PaperOrder:
        instrument = self.broker.exchange.instruments[key]
        ticket = Ticket(side, instrument, lots * instrument.lot_size, source="W", **parameters)  # type: ignore[arg-type]
        check_ticket(ticket)
        return self.broker.exchange.place(self.client_id, ticket)

    def _modify(self, order: PaperOrder, **changes: object) -> None:
        names = ("order_type", "validity", "quantity", "price", "trigger_price", "disclosed_quantity")
        whole = {name: getattr(order, name) for name in names} | changes

        def change() -> None:
            check_change(order, whole)
            self.broker.exchange.modify(order, whole)

        self._try(change)

    async def _move_to(self, key: Key, price: Decimal) -> None:
        """Move the price to where it is wanted, a few ticks at a time, past everybody's orders there."""
        tick = self.broker.exchange.instruments[key].tick
        while self._price(key) > price:
            self.broker.exchange.move(key, -4)
            await self._pause(0.1)
        self.broker.exchange.set_price(key, price - tick)

    def _try(self, action: Callable[[], None]) -> None:
        """Do something with an order; it may have been filled meanwhile."""
        try:
            action()
        except Refusal:
            return

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)
