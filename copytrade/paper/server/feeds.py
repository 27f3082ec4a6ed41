"""The order-update sockets and what is sent to them. No acknowledgement, no replay, no snapshot."""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from copytrade.paper.server.account_status import AccountStatuses
from copytrade.paper.server.connections import Connections
from copytrade.paper.server.faults import Faults
from copytrade.paper.server.showing import Showing

_LOGIN_CODE = 42


@dataclass(frozen=True, slots=True)
class SentFrame:
    """A message as it went out; ``at`` is monotonic seconds, when its last byte had been handed to the network."""

    at: float
    message: str | bytes


class _Socket:
    """One connection of an account, with a queue of messages to send; None ends it."""

    def __init__(self, connection: WebSocket) -> None:
        self.connection = connection
        self.outgoing: asyncio.Queue[str | bytes | None] = asyncio.Queue()


class Feeds:
    """All order-update sockets. Runs on the server's loop."""

    def __init__(
        self,
        token_works: Callable[[str, str], bool],
        faults: Faults,
        connections: Connections,
        account_statuses: AccountStatuses,
        showing: Showing,
    ) -> None:
        self._showing = showing
        self._account_statuses = account_statuses
        self._token_works = token_works
        self._faults = faults
        self._connections = connections
        #: The messages sent to the accounts that are watched.
        self.sent: dict[str, list[SentFrame]] = {}
        self._sockets: dict[str, set[_Socket]] = defaultdict(set)
        self._muted: set[str] = set()
        self._refused_until = 0.0

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection: the login first, then updates."""
        if self._refused_until > time.monotonic():
            await websocket.close()
            return
        await websocket.accept()
        try:
            client_id = self._login(await websocket.receive_text())
        except (WebSocketDisconnect, KeyError):
            return
        if client_id is None:
            await websocket.send_bytes(b"\x00\x01")
            await websocket.close(1000)
            return
        socket = _Socket(websocket)
        self._sockets[client_id].add(socket)
        listening = asyncio.create_task(_until_gone(websocket, socket))
        try:
            while (message := await socket.outgoing.get()) is not None:
                if isinstance(message, str):
                    await websocket.send_text(message)
                else:
                    await websocket.send_bytes(message)
                if client_id in self.sent:
                    self.sent[client_id].append(SentFrame(self._connections.sent(websocket), message))
            await websocket.close(1011)
        except (WebSocketDisconnect, RuntimeError):
            pass  # it went away while something was being sent
        finally:
            listening.cancel()
            self._sockets[client_id].discard(socket)

    def publish(self, client_id: str, message: str) -> None:
        """Send an order update, changed by a fault if there is one, with this account's delay."""
        fault = self._faults.take_frame(client_id)
        delay = self._showing.lags(client_id).feed + (fault.delay if fault else 0.0)
        for _ in range(fault.copies if fault else 1):
            for listener in self._showing.listeners(client_id):
                if delay:
                    asyncio.get_running_loop().call_later(delay, self.send, listener, message)
                else:
                    self.send(listener, message)

    def send(self, client_id: str, message: str | bytes) -> None:
        """Send a message to every connection of an account, unless it is muted."""
        if client_id not in self._muted:
            for socket in self._sockets[client_id]:
                socket.outgoing.put_nowait(message)

    def watch(self, client_id: str) -> None:
        """Record from now on what is sent to an account."""
        self.sent.setdefault(client_id, [])

    def drop(self, client_id: str, refuse_for: float = 0.0, *, reset: bool = False) -> None:
        """End an account's connections, by a close frame or a reset, and refuse handshakes for some seconds."""
        self._refused_until = max(self._refused_until, time.monotonic() + refuse_for)
        for socket in self._sockets[client_id]:
            if reset:
                self._connections.reset(socket.connection)
            socket.outgoing.put_nowait(None)

    def mute(self, client_id: str, *, muted: bool = True) -> None:
        """Silence an account's connections but keep them open, or end that."""
        (self._muted.add if muted else self._muted.discard)(client_id)

    def connections(self, client_id: str) -> int:
        """Return the number of an account's connections."""
        return len(self._sockets[client_id])

    def close(self) -> None:
        """End every connection."""
        for client_id in list(self._sockets):
            self.drop(client_id)

    def _login(self, text: str) -> str | None:
        try:
            request = json.loads(text)["LoginReq"]
            client_id = str(request["ClientId"])
            if request["MsgCode"] == _LOGIN_CODE and self._token_works(client_id, request["Token"]):
                return None if self._account_statuses.of(client_id).feed_refused else client_id
        except (ValueError, KeyError, TypeError):
            pass  # not a login at all: refused like a wrong one
        return None


async def _until_gone(websocket: WebSocket, socket: _Socket) -> None:
    """Wait until the other side closes; its messages are ignored."""
    try:
        while True:
            await websocket.receive()
    except (WebSocketDisconnect, RuntimeError):
        socket.outgoing.put_nowait(None)
