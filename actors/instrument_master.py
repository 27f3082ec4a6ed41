"""Reads the instrument master, in the background: nothing on the hot path waits for it."""

import time
import urllib.request
from collections.abc import Iterable
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from loguru import logger

from actors.base import ActorDied, ActorUp, Address, GuardedActor, Incarnation
from actors.clock import Clock
from actors.messages import InstrumentMasterMessage, InstrumentsLoaded, LoadInstruments, WantInstruments
from copytrade.instruments import Instruments, MasterUnusable, read_master
from copytrade.logs import fields

#: How long to wait before another try, in seconds.
RETRY_AFTER = 30.0

#: How long the download may stand still, in seconds.
TIMEOUT = 30.0


class InstrumentMaster(GuardedActor[InstrumentMasterMessage]):
    """Owns the instruments. It may block while it reads: nobody waits for it, they are told."""

    def __init__(
        self,
        life: Incarnation[InstrumentMasterMessage],
        clock: Clock,
        location: str,
    ) -> None:
        super().__init__(life)
        self._clock = clock
        self._location = location
        self._instruments: Instruments | None = None
        self._wanted_by: dict[str, Address[InstrumentsLoaded]] = {}

    def set_up(self) -> None:
        """Begin to read as the first thing."""
        self.seat.tell(LoadInstruments())

    def receive(self, message: InstrumentMasterMessage) -> None:
        """Read, or tell what was read."""
        match message:
            case LoadInstruments():
                self._load()
            case WantInstruments(reply_to):
                self._wanted_by[reply_to.name] = reply_to
                if self._instruments is not None:
                    reply_to.tell(InstrumentsLoaded(self._instruments))
            case ActorUp() | ActorDied():
                pass

    def figures(self) -> str:
        """Return how many instruments are known."""
        return fields(instruments=len(self._instruments or ()))

    def _load(self) -> None:
        started = time.monotonic()
        try:
            instruments = read_master(lines_of(self._location))
        except (OSError, ValueError, MasterUnusable) as error:
            logger.warning("Instrument master unreadable {}", fields(location=self._location, problem=error))
            self._clock.tell_later(RETRY_AFTER, self.seat, LoadInstruments())
            return
        self._instruments = instruments
        seconds = f"{time.monotonic() - started:.1f}"
        logger.info("Instruments loaded {}", fields(instruments=len(instruments), seconds=seconds))
        for address in self._wanted_by.values():
            address.tell(InstrumentsLoaded(instruments))


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows the broker to another address of its own, but never out of TLS: lots and ticks decide about money."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise OSError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def lines_of(location: str) -> Iterable[str]:
    """Read a file, or what an https URL answers. Raises OSError; plain http is for this machine alone."""
    if not location.startswith(("http://", "https://")):
        with Path(location).open(encoding="utf-8", newline="") as file:
            yield from file
        return
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SecureRedirects())
    with direct.open(location, timeout=TIMEOUT) as response:
        for line in response:
            yield line.decode("utf-8", errors="replace")
