"""Where the instrument master comes from: what actors may know of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from copytrade.core.model.instruments import Instruments


@dataclass(frozen=True, slots=True)
class Master:
    """The instruments as they were at ``read_at``."""

    instruments: Instruments
    read_at: datetime


class MasterUnreadable(Exception):
    """The instrument master cannot be read from its source: the message says why."""


class InstrumentSource(Protocol):
    """Reads the instrument master, and keeps the last one."""

    def seconds_until_renewed(self, now: datetime) -> float:
        """Return the seconds until the master has to be read again."""
        ...

    def read(self) -> Master:
        """Return today's master. Raises MasterUnreadable."""
        ...

    def kept(self) -> Master | None:
        """Return the master that was read last, of whatever day; None where there is none that is usable."""
        ...
