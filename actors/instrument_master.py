"""Reads the instrument master, in the background: nothing on the hot path waits for it."""

import time

from loguru import logger

from actors.base import ActorDied, ActorUp, Address, GuardedActor, Incarnation
from actors.clock import Clock
from actors.messages import InstrumentMasterMessage, InstrumentsLoaded, LoadInstruments, WantInstruments
from copytrade.instrument_file import read_instruments
from copytrade.instruments import Instruments, MasterUnusable
from copytrade.logs import fields

#: How long to wait before another try, in seconds.
RETRY_AFTER = 30.0


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
            instruments = read_instruments(self._location)[0]
        except (OSError, ValueError, MasterUnusable) as error:
            logger.warning("Instrument master unreadable {}", fields(location=self._location, problem=error))
            self._clock.tell_later(RETRY_AFTER, self.seat, LoadInstruments())
            return
        self._instruments = instruments
        seconds = f"{time.monotonic() - started:.1f}"
        logger.info("Instruments loaded {}", fields(instruments=len(instruments), seconds=seconds))
        for address in self._wanted_by.values():
            address.tell(InstrumentsLoaded(instruments))
