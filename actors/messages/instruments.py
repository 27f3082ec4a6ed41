"""The instruments, and what the instrument master is told."""

from dataclasses import dataclass

from actors.messages.positions import NetRead
from actors.runtime.actor import ActorDied, ActorUp, Recipient
from copytrade.brokers.instrument_source import Master
from copytrade.core.model.instruments import Instruments


@dataclass(frozen=True, slots=True)
class InstrumentsLoaded:
    """The instrument master has been read."""

    instruments: Instruments


@dataclass(frozen=True, slots=True)
class WantInstruments:
    """Tell me the instruments once they are read."""

    reply_to: Recipient[InstrumentsLoaded]


@dataclass(frozen=True, slots=True)
class LoadInstruments:
    """Read the instrument master: told by one incarnation to itself."""

    epoch: int


@dataclass(frozen=True, slots=True)
class MasterRead:
    """The reader thread has the instrument master, or says why not; ``kept`` is then what there is of another day."""

    epoch: int
    master: Master | None
    problem: str = ""
    kept: Master | None = None


InstrumentMasterMessage = WantInstruments | LoadInstruments | MasterRead | NetRead | ActorUp | ActorDied
