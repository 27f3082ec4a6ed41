"""The open connections, kept so that one can be broken as a network breaks it: without a word."""

import asyncio
from weakref import WeakValueDictionary

from starlette.requests import HTTPConnection
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connections:
    """Knows the transport of every connection by its remote address."""

    def __init__(self) -> None:
        self._transports: WeakValueDictionary[object, asyncio.Transport] = WeakValueDictionary()

    def reset(self, connection: HTTPConnection) -> None:
        """Break a connection: no close frame, no last chunk."""
        if connection.client and (transport := self._transports.get(tuple(connection.client))):
            transport.abort()

    def protocol(self) -> type[H11Protocol]:
        """Return the HTTP protocol that remembers its connections here."""
        transports = self._transports

        class Protocol(H11Protocol):
            """HTTP/1.1 as ever, but remembered."""

            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                transports[transport.get_extra_info("peername")] = transport

        return Protocol
