"""The instruments, and what the instrument master is told."""

from dataclasses import dataclass

from actors.messages.positions import NetRead
from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.core.model.instruments import Instruments


@dataclass(frozen=True, slots=True)
class InstrumentsLoaded:
    """The instrument master has been read."""

    instruments: Instruments


@dataclass(frozen=True, slots=True)
class WantInstruments:
    """Tell me the instruments once they are read."""

    reply_to: Recipient[InstrumentsLoaded]


InstrumentMasterMessage = WantInstruments | NetRead | ActorUp | ActorDied
