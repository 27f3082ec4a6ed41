"""The paper broker's Python face: a server in a thread of its own, and what a leader at his screen can do."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import msgspec
import uvicorn

from copytrade.paper.exchange.instruments import PaperInstrument, standard_instruments
from copytrade.paper.exchange.matching import NO_MISHAPS, PER_SECOND, Exchange, Mishaps, PaperAccount
from copytrade.paper.exchange.orders import Family, PaperOrder, Ticket, input_error
from copytrade.paper.exchange.validation import check_change, check_ticket
from copytrade.paper.knobs import Knobs
from copytrade.paper.server import wire
from copytrade.paper.server.account_status import ALL_SEGMENTS, AccountStatuses
from copytrade.paper.server.connections import Connections
from copytrade.paper.server.faults import Faults
from copytrade.paper.server.feeds import Feeds, SentFrame
from copytrade.paper.server.remote import control_route
from copytrade.paper.server.rest import BrokerServer, ReceivedRead, ReceivedWrite
from copytrade.paper.server.rewriting import Fields, Told
from copytrade.paper.server.showing import Showing
from copytrade.paper.server.tokens import LoginAttempt, Tokens

T = TypeVar("T")

_log = logging.getLogger(__name__)

#: A script that drives the broker from its own loop until it is cancelled.
Script = Callable[["PaperBroker"], Coroutine[Any, Any, None]]


class PaperBroker(Knobs):
    """A Dhan on loopback. Use as a context manager; every method may be called from any thread.

    ``tick_interval`` is seconds between moves of all prices, None for prices that stand still until they are set.
    ``mishaps`` go wrong by chance. Without ``auto_fill_market`` a new MARKET order rests until a price is set or a fill
    is forced. ``control`` lets another process drive it over HTTP. ``port`` 0 is any. Without ``tells_transit``
    the sockets begin with an accepted order: the status TRANSIT is documented, and no frame with it was ever captured.
    ``master_rows`` is how long the instrument master is at least. More than ``per_second`` order requests of one
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
            changed=self._publish,
            mishaps=mishaps,
            auto_fill_market=auto_fill_market,
        )
        connections = Connections(port)
        self._account_statuses = AccountStatuses()
        self._tokens = Tokens(accounts, lambda: datetime.now(UTC))
        self.feeds = Feeds(self._tokens.works, self.faults, connections, self._account_statuses, self.showing)
        self._broker_server = BrokerServer(
            self.exchange,
            self.feeds,
            self.faults,
            connections,
            self._account_statuses,
            self._tokens,
            self.showing,
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
                self._broker_server.app([control_route(self)] if control else []),
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
        """Start serving; returns when connections are taken. Raises RuntimeError if they cannot be."""
        self._thread.start()
        self._running.wait()
        if not self._server.started:
            raise RuntimeError("the paper broker did not start")

    def stop(self) -> None:
        """Stop serving, whatever is still connected."""
        self._server.force_exit = True
        self._server.should_exit = True
        self._thread.join()

    def instrument(self, security_id: str, segment: str = "NSE_FNO") -> PaperInstrument:
        """Return an instrument. Raises Refusal where there is none."""
        try:
            return self.exchange.instruments[segment, security_id]
        except KeyError:
            raise input_error("Invalid SecurityId") from None

    def place(
        self,
        client_id: str,
        *,
        side: str,
        security_id: str,
        quantity: int,
        segment: str = "NSE_FNO",
        order_type: str = "LIMIT",
        product: str = "MARGIN",
        price: float | str | Decimal = 0,
        trigger_price: float | str | Decimal = 0,
        validity: str = "DAY",
        disclosed_quantity: int = 0,
        after_market: bool = False,
        correlation_id: str = "",
        source: str = "W",
        resting: bool = False,
        leg: int = 1,
        algo_order: int | str | None = None,
        platform: str = "",
        remarks: str = "",
    ) -> str:
        """Place an order as if from the broker's web site; return its id. Raises Refusal.

        One that is ``resting`` waits until a price is set or a fill is forced, a MARKET order too. ``leg`` and the
        words after it are what tells of its family.
        """
        is_plain = (leg, algo_order, platform, remarks) == (1, None, "", "")
        ticket = Ticket(
            side=side,
            instrument=self.instrument(security_id, segment),
            quantity=quantity,
            order_type=order_type,
            product=product,
            validity=validity,
            price=Decimal(str(price)),
            trigger_price=Decimal(str(trigger_price)),
            disclosed_quantity=disclosed_quantity,
            after_market=after_market,
            correlation_id=correlation_id,
            source=source,
            resting=resting,
            family=None if is_plain else Family(leg, algo_order, platform, remarks),
        )
        check_ticket(ticket)
        return self.call(lambda: self.exchange.place(client_id, ticket).id)

    def modify(
        self,
        client_id: str,
        order_id: str,
        *,
        quantity: int | None = None,
        price: float | str | Decimal | None = None,
        trigger_price: float | str | Decimal | None = None,
        order_type: str | None = None,
        validity: str | None = None,
        disclosed_quantity: int | None = None,
    ) -> None:
        """Change what is given of an order; ``quantity`` is the new total. Raises Refusal."""

        def change() -> None:
            order = self.exchange.order(client_id, order_id)
            whole: dict[str, object] = {
                "order_type": order_type or order.order_type,
                "validity": validity or order.validity,
                "quantity": order.quantity if quantity is None else quantity,
                "price": order.price if price is None else Decimal(str(price)),
                "trigger_price": order.trigger_price if trigger_price is None else Decimal(str(trigger_price)),
                "disclosed_quantity": order.disclosed_quantity if disclosed_quantity is None else disclosed_quantity,
            }
            if order_type == "MARKET":
                whole["price"] = Decimal(0)
            if order_type in ("MARKET", "LIMIT"):
                whole["trigger_price"] = Decimal(0)
            check_change(order, whole)
            self.exchange.modify(order, whole)

        self.call(change)

    def cancel(self, client_id: str, order_id: str) -> None:
        """Cancel an order. Raises Refusal."""
        self.call(lambda: self.exchange.cancel(self.exchange.order(client_id, order_id)))

    def fill(
        self, client_id: str, order_id: str, quantity: int | None = None, price: float | str | Decimal | None = None
    ) -> None:
        """Fill an order, in part or all that is left, at a price or its own."""
        at = None if price is None else Decimal(str(price))
        self.call(lambda: self.exchange.fill(self.exchange.order(client_id, order_id), quantity, at))

    def reject(self, client_id: str, order_id: str, reason: str) -> None:
        """Reject an order. Raises Refusal if it has ended."""
        self.call(lambda: self.exchange.reject(self.exchange.order(client_id, order_id), reason))

    def expire(self, client_id: str, order_id: str) -> None:
        """Expire an order. Raises Refusal if it has ended."""
        self.call(lambda: self.exchange.expire(self.exchange.order(client_id, order_id)))

    def trigger(self, client_id: str, order_id: str) -> None:
        """Trigger a stop order without filling it."""
        self.call(lambda: self.exchange.trigger(self.exchange.order(client_id, order_id)))

    def set_price(
        self, security_id: str, price: float | str | Decimal, segment: str = "NSE_FNO", *, thin: bool = False
    ) -> None:
        """Move an instrument's price, filling what it reaches; only a part of each order if the market is thin."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.set_price(key, Decimal(str(price)), thin=thin))

    def halt(self, security_id: str, segment: str = "NSE_FNO") -> None:
        """Halt an instrument: nothing fills or triggers until it is resumed."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.halt(key))

    def resume(self, security_id: str, segment: str = "NSE_FNO") -> None:
        """End a halt, and fill what the price has reached."""
        key = self.instrument(security_id, segment).key
        self.call(lambda: self.exchange.resume(key))

    def orders(self, client_id: str) -> list[dict[str, object]]:
        """Return an account's order-book rows, oldest first."""
        return self.call(lambda: [wire.row(order) for order in self.exchange.orders(client_id)])

    def order(self, client_id: str, order_id: str) -> dict[str, object]:
        """Return one order-book row."""
        return self.call(lambda: wire.row(self.exchange.order(client_id, order_id)))

    def replace_token(self, client_id: str, token: str = "", lives: float = 86_400.0) -> str:
        """Give an account another token for so many seconds, as on the web site; return it. The old one ends."""
        return self.call(lambda: self._tokens.replace(client_id, token, timedelta(seconds=lives)))

    def revoke_token(self, client_id: str) -> None:
        """End an account's token, as a login from elsewhere does. Sockets that have logged in stay."""
        self.call(lambda: self._tokens.revoke(client_id))

    def shorten_token(self, client_id: str, lives: float = 0.0) -> None:
        """Have an account's token expire in so many seconds."""
        self.call(lambda: self._tokens.shorten(client_id, timedelta(seconds=lives)))

    def change_pin(self, client_id: str, pin: str) -> None:
        """Have an account log in with another PIN."""
        self.call(lambda: self._tokens.change_pin(client_id, pin))

    def allow_logins(self, every: float) -> None:
        """Allow a login every so many seconds, and not only every two minutes."""
        self.call(lambda: setattr(self._tokens, "between_logins", timedelta(seconds=every)))

    def token_attempts(self, client_id: str) -> list[LoginAttempt]:
        """Return every login and renewal that was asked for."""
        return self.call(lambda: list(self._tokens.attempts[client_id]))

    def writes(self, client_id: str) -> list[ReceivedWrite]:
        """Return every order request that has come in for an account, the refused ones too."""
        return self.call(lambda: list(self._broker_server.writes[client_id]))

    def reads(self, client_id: str) -> list[ReceivedRead]:
        """Return every read that has come in for an account, the refused ones too."""
        return self.call(lambda: list(self._broker_server.reads[client_id]))

    def feed_connections(self, client_id: str) -> int:
        """Return how many order-update sockets an account has open."""
        return self.call(lambda: self.feeds.connections(client_id))

    def drop_feed(self, client_id: str, refuse_for: float = 0.0, *, reset: bool = False) -> None:
        """End an account's order-update sockets, and refuse every handshake for so many seconds.

        They end with a close frame, or by a reset of the connection.
        """
        self.call(lambda: self.feeds.drop(client_id, refuse_for, reset=reset))

    def mute_feed(self, client_id: str, *, muted: bool = True) -> None:
        """Keep an account's sockets open but silent, or let them speak again."""
        self.call(lambda: self.feeds.mute(client_id, muted=muted))

    def watch(self, client_id: str) -> None:
        """Keep from now on what is sent over an account's order-update sockets."""
        self.call(lambda: self.feeds.watch(client_id))

    def sent_frames(self, client_id: str) -> list[SentFrame]:
        """Return what has been sent over an account's order-update sockets since it was watched."""
        return self.call(lambda: list(self.feeds.sent.get(client_id, ())))

    def send_frame(self, client_id: str, message: str | bytes) -> None:
        """Send anything at all over an account's order-update sockets."""
        self.call(lambda: self.feeds.send(client_id, message))

    def register_addresses(self, client_id: str, *addresses: str) -> None:
        """Have an account send orders from these addresses alone, none if none is given."""
        self._account_statuses.of(client_id).addresses = addresses

    def set_standing(
        self, client_id: str, *, segments: Sequence[str] = ALL_SEGMENTS, data_plan: str = "Deactive"
    ) -> None:
        """Set what an account may trade, in the profile's words, and whether it has the data plan."""
        account_status = self._account_statuses.of(client_id)
        account_status.segments, account_status.data_plan = tuple(segments), data_plan

    def refuse_feed(self, client_id: str, *, refused: bool = True) -> None:
        """Drop an account's logins at the order-update socket although its token works, or take them again."""
        self._account_statuses.of(client_id).feed_refused = refused

    def set_clock(self, skew: float) -> None:
        """Have the broker's clock, as its replies tell it, differ from ours by so many seconds."""
        self._account_statuses.clock_skew = skew

    def wait_until(self, condition: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
        """Wait until a condition holds, and return what it gave. Raises TimeoutError after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"did not happen in {timeout:g} s: {what or condition}")
            time.sleep(0.005)
        return found

    def call(self, work: Callable[[], T]) -> T:
        """Do something on the server's loop and return what it gives; what it raises is raised here."""
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
            self._running.set()  # a start that failed is told, not waited for

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
    """Do work beside the server, whose failure would otherwise be nobody's."""
    try:
        await work
    except Exception:
        _log.exception("The paper broker goes on without what failed beside it")
