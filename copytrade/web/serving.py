"""The process of the board: listens, serves until it is told to stop, and leaves nothing behind."""

import asyncio
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from weakref import WeakValueDictionary

import uvicorn
from loguru import logger
from starlette.requests import Request
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.app.commands.pause import operator
from copytrade.app.paths import recognise
from copytrade.common.redaction import hide
from copytrade.settings import Settings, secrets_of
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.files.lock_file import mismatch
from copytrade.web.access.visitors import FIRST_LINK_LIFE
from copytrade.web.application import application
from copytrade.web.board import Board
from copytrade.web.board_file import AT, LINK, BoardFile, remove_board, write_board
from copytrade.web.live.publisher import Update, prepared
from copytrade.web.live.reader import Reader
from copytrade.web.live.view import View
from copytrade.web.page.regions import Regions
from copytrade.web.routes.login import link_of

#: Connections at once; more are answered with 503.
MOST_CONNECTIONS = 256

#: Seconds within which a connection has to make its first request.
FIRST_REQUEST_WITHIN = 10.0


def serve(settings: Settings, *, shows_link: bool, until: Callable[[], object] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, or until ``until`` returns; return the exit code.

    It prints where the board is, and with ``shows_link`` a link that logs in once.
    """
    for secret in secrets_of(settings):
        hide(secret)
    listening = None
    try:
        recognise(settings)
        if why := mismatch(settings.store.database):
            return _not_served(f"the database {why}")
        listening = _listening(settings.board.host, settings.board.port)
        if settings.board.tls_cert and settings.board.tls_key:
            _see_that_they_fit(settings.board.tls_cert, settings.board.tls_key)
    except DatabaseUnusable as error:
        return _not_served(str(error))
    except OSError as error:
        if listening is not None:
            listening.close()
        return _not_served(f"{settings.board.listen}: {error.strerror or error}")
    return asyncio.run(_Serving(settings, listening).run(until, shows_link=shows_link))


class _Serving:
    """The server, the reader and the file, from the start to the stop."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings = settings
        self._listening = listening
        self._transports: WeakValueDictionary[object, asyncio.Transport] = WeakValueDictionary()
        self._board = Board(settings, abort=self._abort)
        config = uvicorn.Config(
            application(self._board),
            http=_registering(self._transports),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
            ssl_certfile=settings.board.tls_cert,
            ssl_keyfile=settings.board.tls_key,
        )
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._server = _Server(config, self._stop)

    async def run(self, until: Callable[[], object] | None, *, shows_link: bool) -> int:
        """Serve; return the exit code."""
        loop = asyncio.get_running_loop()
        reader = Reader(self._settings, self._board.reads, self._publishing(loop))
        file = BoardFile(self._url(), self._board.visitors.key)
        try:
            write_board(self._settings.store.database, file)
        except OSError as error:
            return _not_served(str(error))
        try:
            reader.start()
            if until is not None:
                threading.Thread(target=_wait, args=[until, loop, self._stop], daemon=True).start()
            print(f"{AT}{file.url}", flush=True)
            if shows_link:
                print(f"{LINK}{link_of(file.url, self._board.visitors.link(operator(), FIRST_LINK_LIFE))}", flush=True)
            await self._server.serve(sockets=[self._listening])
        finally:
            reader.stop()
            remove_board(self._settings.store.database, file)
        return 0

    def _url(self) -> str:
        board, port = self._settings.board, self._listening.getsockname()[1]
        own = board.allowed_hosts[0] if board.allowed_hosts and not board.is_on_loopback else board.host
        host = f"[{own}]" if ":" in own and not own.startswith("[") else own
        return f"{'https' if board.tls_cert else 'http'}://{host}:{port}/"

    def _stop(self) -> None:
        self._server.should_exit = True
        self._board.publisher.end_all()

    def _publishing(self, loop: asyncio.AbstractEventLoop) -> Callable[[View], object]:
        """Return what the reader calls with each view: it prepares the view in the reader's thread."""
        before: Regions = {}

        def publish(view: View) -> None:
            nonlocal before
            update: Update = prepared(view, before)
            before = update.regions
            try:
                loop.call_soon_threadsafe(self._board.publisher.take, update)
            except RuntimeError:  # the loop has ended
                logger.debug("A view came after the end")

        return publish

    def _abort(self, request: Request) -> None:
        """Reset the connection of a client that reads nothing."""
        if request.client and (transport := self._transports.get(tuple(request.client))):
            transport.abort()


class _Server(uvicorn.Server):
    """A server that ends the streams of events at a signal: it would wait for them."""

    def __init__(self, config: uvicorn.Config, stop: Callable[[], object]) -> None:
        super().__init__(config)
        self._stop = stop

    def handle_exit(self, _sig: int, _frame: object) -> None:
        """Stop, from a signal's handler."""
        asyncio.get_running_loop().call_soon_threadsafe(self._stop)


def _not_served(why: str) -> int:
    print(f"no board: {why}", file=sys.stderr)
    return EXIT_UNUSABLE


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens. Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _see_that_they_fit(tls_cert: str, tls_key: str) -> None:
    """Raise OSError if certificate and key cannot be used together."""
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(tls_cert, tls_key)


def _registering(transports: "WeakValueDictionary[object, asyncio.Transport]") -> type[HttpToolsProtocol]:
    """Return an HTTP protocol that notes its connections by the client's address."""

    class Protocol(HttpToolsProtocol):
        """HTTP/1.1 with noted connections. One that asks nothing is ended."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            transports[transport.get_extra_info("peername")[:2]] = transport
            self.loop.call_later(FIRST_REQUEST_WITHIN, self._end_if_silent)

        def _end_if_silent(self) -> None:
            if getattr(self, "cycle", None) is None:  # it is annotated as if there always were one
                self.transport.abort()

    return Protocol


def _wait(until: Callable[[], object], loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    until()
    with suppress(RuntimeError):  # it has stopped already
        loop.call_soon_threadsafe(stop)
