"""The scripted leader: a trading session that repeats for ever and shows every kind of event.

The script does not fill orders. It moves the market, and orders and copies that rest at a price fill by the same rule.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.instruments import PaperInstrument
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.process import FEED_DOWN

NIFTY = ("NSE_FNO", "45674")
NIFTY_PUT = ("NSE_FNO", "45675")
BANKNIFTY = ("NSE_FNO", "51004")
SENSEX = ("BSE_FNO", "82004")
SHARES = ("NSE_EQ", "2885")

Key = tuple[str, str]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ScriptedLeader:
    """Trades on the leader's account as a person at the broker's web site would; ``speed`` 2 is twice as fast.

    A session takes about a minute at speed 1.
    """

    broker: PaperBroker
    client_id: str
    speed: float = 1.0

    async def trade(self, after: float = 1.0) -> None:
        """Repeat the session for ever, first ``after`` seconds; a refusal ends only the current one."""
        await self._pause(after)
        while True:
            try:
                await self._session()
            except Refusal as refusal:
                _log.warning("The scripted leader's session was cut short: %s", refusal)
            await self._tidy()
            await self._pause(8.0)

    async def _session(self) -> None:
        await self._limit_entry()
        stop = await self._protective_stop()
        await self._cancelled_order()
        await self._trades_while_the_feed_is_down(stop)
        await self._immediate_or_cancel()
        await self._what_is_skipped()
        await self._burst_of_orders()
        await self._exit(stop)

    async def _limit_entry(self) -> None:
        """Enter with a limit order, modified twice; the price comes down to it, and fills a part, then the rest."""
        price = self._price(NIFTY)
        order = self._place(NIFTY, "BUY", 4, price=price - 2)
        await self._pause(0.8)
        self._modify(order, price=price - 1)
        await self._pause(0.8)
        self._modify(order, quantity=6 * self._instrument(NIFTY).lot_size)
        await self._pause(0.8)
        await self._fall_to(NIFTY, price - 1)

    async def _protective_stop(self) -> str:
        """Place a stop for what was bought, and trail it."""
        trigger = self._price(NIFTY) - 20
        stop = self._place(NIFTY, "SELL", 6, order_type="STOP_LOSS", trigger_price=trigger, price=trigger - 1)
        await self._pause(0.8)
        self._modify(stop, trigger_price=trigger + 2, price=trigger + 1)
        return stop

    async def _cancelled_order(self) -> None:
        order = self._place(BANKNIFTY, "BUY", 3, price=self._price(BANKNIFTY) - 15)
        await self._pause(0.8)
        self._cancel(order)
        await self._pause(0.8)

    async def _trades_while_the_feed_is_down(self, stop: str) -> None:
        """Place, cancel and modify while the feed is down."""
        resting = self._place(BANKNIFTY, "BUY", 2, price=self._price(BANKNIFTY) - 12)
        await self._pause(0.6)
        self.broker.drop_feed(self.client_id, refuse_for=FEED_DOWN / self.speed)
        await self._pause(1.0)
        price, trigger = self._price(NIFTY_PUT) - 3, self._price(NIFTY) - 15
        self._place(NIFTY_PUT, "BUY", 4, price=price)
        self._cancel(resting)
        self._modify(stop, trigger_price=trigger, price=trigger - 1)
        await self._pause(5.0)
        await self._fall_to(NIFTY_PUT, price)

    async def _immediate_or_cancel(self) -> None:
        """Place two IOC orders: one fills completely, the other not at all."""
        self._place(BANKNIFTY, "BUY", 2, price=self._price(BANKNIFTY) + 1, validity="IOC")
        await self._pause(1.0)
        self._place(BANKNIFTY, "BUY", 2, price=self._price(BANKNIFTY) - 5, validity="IOC")
        await self._pause(1.0)

    async def _what_is_skipped(self) -> None:
        """Buy shares, which are not copied by default, and one lot, which is too small for a small follower."""
        self._place(SHARES, "BUY", 10, order_type="MARKET", product="INTRADAY")
        await self._pause(1.0)
        self._place(NIFTY, "BUY", 1, price=self._price(NIFTY) - 3)
        await self._pause(1.0)
        self._place(SENSEX, "BUY", 4, order_type="MARKET")
        await self._pause(2.0)

    async def _burst_of_orders(self) -> None:
        """Place fifteen orders within a second, and cancel them one after the other."""
        burst = []
        for number in range(15):
            key = (NIFTY, BANKNIFTY, SENSEX)[number % 3]
            burst.append(self._place(key, "BUY", 2, price=self._price(key) - 20 - number))
            await self._pause(0.06)
        await self._pause(8.0)
        for order in burst:
            self._cancel(order)
            await self._pause(0.3)
        await self._pause(4.0)

    async def _exit(self, stop: str) -> None:
        """Cancel the stop and sell at market what was bought; halts are over by then."""
        self._cancel(stop)
        for key in (NIFTY, NIFTY_PUT, BANKNIFTY, SENSEX, SHARES):
            self.broker.exchange.resume(key)
        await self._pause(1.0)
        for position in self.broker.exchange.positions(self.client_id):
            if position.net:
                lots = abs(position.net) // position.instrument.lot_size
                side = "SELL" if position.net > 0 else "BUY"
                self._place(position.instrument.key, side, lots, order_type="MARKET", product=position.product)
                await self._pause(1.0)

    async def _tidy(self) -> None:
        """Cancel what is left, and bring prices back to the start: else they would drift away within hours."""
        for order in list(self.broker.exchange.orders(self.client_id)):
            if not order.is_ended:
                self._cancel(order.id)
                await self._pause(0.2)
        for key in (NIFTY, NIFTY_PUT, BANKNIFTY, SENSEX, SHARES):
            await self._walk_to(key, self._instrument(key).price)

    async def _fall_to(self, key: Key, price: Decimal) -> None:
        """Let the price fall to a buy order: it fills in part, and completely as the price falls through."""
        await self._walk_to(key, price)
        self.broker.set_price(key[1], price, key[0], thin=True)
        await self._pause(0.8)
        self.broker.set_price(key[1], price - self._instrument(key).tick, key[0])
        await self._pause(0.5)

    async def _walk_to(self, key: Key, price: Decimal) -> None:
        """Move the price to within a few ticks of a target, a few ticks at a time."""
        step = 4 * self._instrument(key).tick
        while abs(difference := price - self._price(key)) > step:
            self.broker.exchange.move(key, 4 if difference > 0 else -4)
            await self._pause(0.1)

    def _price(self, key: Key) -> Decimal:
        return self.broker.exchange.prices[key]

    def _instrument(self, key: Key) -> PaperInstrument:
        return self.broker.exchange.instruments[key]

    def _place(self, key: Key, side: str, lots: int, **parameters: Any) -> str:
        quantity = lots * self._instrument(key).lot_size
        segment, security_id = key
        return self.broker.place(
            self.client_id, side=side, security_id=security_id, segment=segment, quantity=quantity, **parameters
        )

    def _modify(self, order_id: str, **changes: Any) -> None:
        self._unless_too_late(lambda: self.broker.modify(self.client_id, order_id, **changes))

    def _cancel(self, order_id: str) -> None:
        self._unless_too_late(lambda: self.broker.cancel(self.client_id, order_id))

    def _unless_too_late(self, action: Callable[[], None]) -> None:
        """Run an action on an order, which may have been filled meanwhile."""
        try:
            action()
        except Refusal as refusal:
            _log.debug("Too late: %s", refusal)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)
