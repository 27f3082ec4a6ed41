"""The paper broker as a Python object: a server in a thread of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec
import uvicorn

from copytrade.paper.exchange.forever_orders import ForeverOrders
from copytrade.paper.exchange.instruments import standard_instruments
from copytrade.paper.exchange.matching import NO_MISHAPS, PER_SECOND, Exchange, Mishaps, PaperAccount
from copytrade.paper.exchange.orders import PaperOrder
from copytrade.paper.exchange.super_orders import SuperOrders
from copytrade.paper.knobs import Knobs
from copytrade.paper.server import wire
from copytrade.paper.server.account_status import AccountStatuses
from copytrade.paper.server.connections import Connections
from copytrade.paper.server.family_routes import FamilyRoutes
from copytrade.paper.server.faults import Faults
from copytrade.paper.server.feeds import Feeds
from copytrade.paper.server.forever_routes import ForeverRoutes
from copytrade.paper.server.remote import control_route
from copytrade.paper.server.rest import BrokerServer
from copytrade.paper.server.rewriting import Fields, Told
from copytrade.paper.server.showing import Showing
from copytrade.paper.server.tokens import Tokens

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: A script that drives the broker from its own loop until it is cancelled.
Script = Callable[["PaperBroker"], Coroutine[Any, Any, None]]


class PaperBroker(Knobs):
    """A Dhan on loopback. Use as a context manager; every method may be called from any thread.

    ``tick_interval`` is seconds between moves of all prices, None for prices that stand still until they are set.
    ``mishaps`` happen by chance. Without ``auto_fill_market`` a new MARKET order rests until a price is set or a fill
    is forced. ``control`` lets another process drive it over HTTP. ``port`` 0 is any. Without ``tells_transit``
    the sockets skip the status TRANSIT, which is documented but was never captured.
    ``master_rows`` is the minimum length of the instrument master. More than ``per_second`` order requests of one
    account in any second are refused.
    """

    def __init__(
        self,
        accounts: Sequence[PaperAccount],
        *,
        seed: int = 1,
        tick_interval: float | None = None,
        mishaps: Mishaps = NO_MISHAPS,
        auto_fill_market: bool = True,
        script: Script | None = None,
        control: bool = False,
        port: int = 0,
        tells_transit: bool = True,
        per_second: int = PER_SECOND,
        master_rows: int = 0,
    ) -> None:
        self._tells_transit = tells_transit
        self.faults = Faults(seed)
        self.showing = Showing()
        self._tick_interval = tick_interval
        self._script = script
        self.exchange = Exchange(
            accounts,
            standard_instruments(datetime.now(wire.IST).date()),
            seed=seed,
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            changed=self._changed,
            mishaps=mishaps,
            auto_fill_market=auto_fill_market,
        )
        self.super_orders = SuperOrders(self.exchange, self._publish, self._later)
        self.forever_orders = ForeverOrders(self.exchange, self._publish, lambda: self.super_orders.rules)
        self.exchange.price_moved = self._price_moved
        connections = Connections(port)
        self.account_statuses = AccountStatuses()
        self.tokens = Tokens(accounts, lambda: datetime.now(UTC))
        self.feeds = Feeds(self.tokens.works, self.faults, connections, self.account_statuses, self.showing)
        self.received = BrokerServer(
            self.exchange,
            self.feeds,
            self.faults,
            connections,
            self.account_statuses,
            self.tokens,
            self.showing,
            FamilyRoutes(self.exchange, self.super_orders, self.showing, self.account_statuses),
            ForeverRoutes(self.exchange, self.forever_orders),
            master_rows,
            per_second,
        )
        self._listening = connections.listener
        port = self._listening.getsockname()[1]
        self.rest_url = f"http://127.0.0.1:{port}/v2"
        self.feed_url = f"ws://127.0.0.1:{port}"
        self.auth_url = f"http://127.0.0.1:{port}"
        self.instruments_url = f"http://127.0.0.1:{port}/instruments.csv"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self.received.app([control_route(self)] if control else []),
                http=connections.protocol(),
                ws="websockets-sansio",
                log_config=None,
                access_log=False,
                date_header=False,  # ours is set by the broker's own clock
                lifespan="off",
                ws_ping_interval=10.0,
                timeout_keep_alive=60,
            )
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="paper-broker", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server; return when it accepts connections. Raises RuntimeError if it does not start."""
        self._thread.start()
        self._running.wait()
        if not self._server.started:
            raise RuntimeError("the paper broker did not start")

    def stop(self) -> None:
        """Stop the server, with connections still open."""
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join()

    def wait_until(self, condition: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
        """Wait until a condition holds, and return its value. Raises TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"did not happen in {timeout:g} s: {what or condition}")
            time.sleep(0.005)
        return found

    def call(self, work: Callable[[], T]) -> T:
        """Run a function on the server's loop; return or raise what it does."""
        if self._loop is None:
            raise RuntimeError("the paper broker has not been started")
        if threading.current_thread() is self._thread:
            return work()

        async def on_the_loop() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(on_the_loop(), self._loop).result()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._running.set()  # also after a failed start

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        serving = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        while not (self._server.started or serving.done()):
            await asyncio.sleep(0.005)
        self._running.set()
        beside = [asyncio.create_task(_told(self._wander(self._tick_interval)))] if self._tick_interval else []
        if self._script is not None:
            beside.append(asyncio.create_task(_told(self._script(self))))
        await serving
        for task in beside:
            task.cancel()
        self.feeds.close()

    async def _wander(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            self.exchange.wander()

    def _changed(self, order: PaperOrder) -> None:
        if self.super_orders.tells(order):
            self._publish(order)
        self.super_orders.changed(order)

    def _price_moved(self, key: tuple[str, str]) -> None:
        self.super_orders.price_moved(key)
        self.forever_orders.price_moved(key)

    def _later(self, seconds: float, work: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_later(seconds, work)

    def _publish(self, order: PaperOrder) -> None:
        if order.status == "TRANSIT" and not self._tells_transit:
            return
        if self.showing.hides(order.id):
            return
        frame = wire.frame(order, self.exchange.prices[order.instrument.key])
        if self.showing.rewritings:
            frame["Data"] = self.showing.rewritings.told(Told.FRAME, order.client_id, cast("Fields", frame["Data"]))
        self.feeds.publish(order.client_id, msgspec.json.encode(frame).decode())


async def _told(work: Awaitable[None]) -> None:
    """Run a task beside the server, and log its failure."""
    try:
        await work
    except Exception:
        _log.exception("The paper broker goes on without what failed beside it")
