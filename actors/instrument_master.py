"""Reads the instrument master in the background: nothing on an order's way waits for it."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loguru import logger

from actors.messages.instruments import InstrumentMasterMessage, InstrumentsLoaded, WantInstruments
from actors.messages.positions import NetRead
from actors.messages.reads import GapRecoveryMessage, ReadNet
from actors.runtime.actor import ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from copytrade.brokers.instrument_source import InstrumentSource, Master, MasterUnreadable
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields, over
from copytrade.common.measures import Figure
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import IST, InstrumentKey

#: Seconds before a failed read is repeated.
RETRY_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class LoadInstruments:
    """Read the instrument master, for this incarnation."""

    epoch: int


@dataclass(frozen=True, slots=True)
class MasterRead:
    """The reader thread has the instrument master, or says why not; then ``kept`` is that of an earlier day."""

    epoch: int
    master: Master | None
    problem: str = ""
    kept: Master | None = None


InstrumentMasterInbox = InstrumentMasterMessage | LoadInstruments | MasterRead


class InstrumentMaster(GuardedActor[InstrumentMasterInbox]):
    """Owns the instruments, and has a thread read them again each morning.

    If they cannot be read, those of an earlier day are used and an alert is sent. So it is for each instrument that the
    leader holds and the master does not have.
    """

    def __init__(
        self,
        life: Incarnation[InstrumentMasterInbox],
        clock: Clock,
        source: InstrumentSource,
        recovery: Recipient[GapRecoveryMessage],
        leaders: Sequence[str],
    ) -> None:
        """``leaders`` are the accounts whose positions are checked for unknown instruments."""
        super().__init__(life)
        self._clock = clock
        self._source = source
        self._recovery = recovery
        self._leaders = leaders
        self._master: Master | None = None
        self._wanted_by: dict[str, Recipient[InstrumentsLoaded]] = {}
        self._failing = False
        self._waits_for_positions = False
        self._unknown: set[InstrumentKey] = set()

    def set_up(self) -> None:
        """Begin to read."""
        self._read()

    def receive(self, message: InstrumentMasterInbox) -> None:
        """Read, or tell what was read."""
        match message:
            case LoadInstruments(epoch) if epoch == self.epoch:
                self._read()
            case MasterRead(epoch) if epoch == self.epoch:
                self._take(message)
            case WantInstruments(reply_to):
                self._wanted_by[reply_to.name] = reply_to
                if self._master is not None:
                    reply_to.tell(InstrumentsLoaded(self._master.instruments))
            case NetRead(_, net):
                self._waits_for_positions = False
                self._look_for_unknown(net)
            case ActorUp(name) if name == self._recovery.name and self._waits_for_positions:
                self._ask_for_positions()
            case _:
                pass

    def figures(self) -> dict[str, Figure]:
        """Return how many instruments are known, and when they were read."""
        if self._master is None:
            return {"instruments": 0}
        read_at = f"{self._master.read_at.astimezone(IST):%Y-%m-%dT%H:%M}"
        return {"instruments": len(self._master.instruments), "of": read_at}

    def _read(self) -> None:
        arguments = (self.address, self.epoch, self._source, self._master is None)
        threading.Thread(target=_read, args=arguments, name="instruments-reader", daemon=True).start()

    def _take(self, read: MasterRead) -> None:
        if read.master is None:
            self._cannot_read(read)
            return
        if self._failing:
            self._failing = False
            over("instruments", "", "Instrument master can be read again")
        self._use(read.master)
        until_renewed = self._source.seconds_until_renewed(wall_clock.now())
        self._clock.tell_later(until_renewed, self.address, LoadInstruments(self.epoch))

    def _cannot_read(self, read: MasterRead) -> None:
        """Use what there is, and try again soon."""
        if read.kept is not None:
            self._use(read.kept)
        of = f"{self._master.read_at.astimezone(IST):%Y-%m-%d}" if self._master else "none"
        why = fields(in_use=of, problem=read.problem)
        if self._failing:
            logger.warning("Instrument master still unreadable {}", why)
        else:
            text = "Instrument master unreadable, again in {:.0f}s {}"
            alert("instruments", "", text, RETRY_AFTER, why, level="ERROR")
        self._failing = True
        self._clock.tell_later(RETRY_AFTER, self.address, LoadInstruments(self.epoch))

    def _use(self, master: Master) -> None:
        self._master = master
        for address in self._wanted_by.values():
            address.tell(InstrumentsLoaded(master.instruments))
        self._ask_for_positions()

    def _ask_for_positions(self) -> None:
        self._waits_for_positions = True
        for leader in self._leaders:
            self._recovery.tell(ReadNet(leader, holdings=False, reply_to=self.address))

    def _look_for_unknown(self, net: Mapping[LineKey, int]) -> None:
        """Alert, once for each, about instruments of the leader's positions that the master does not have."""
        known = self._master.instruments if self._master else {}
        unknown = {line.key for line in net if line.key not in known} - self._unknown
        self._unknown |= unknown
        for segment, security_id in sorted(unknown):
            what = fields(segment=segment, security_id=security_id)
            text = "Instrument unknown, nothing is entered in it {}"
            alert("unknown_instrument", security_id, text, what)


def _read(address: Address[InstrumentMasterInbox], epoch: int, source: InstrumentSource, has_none: bool) -> None:
    """Read the master, in a thread of its own; tell MasterRead in the end."""
    began = time.monotonic()
    try:
        master = source.read()
        seconds = round(time.monotonic() - began, 1)
        logger.info("Instruments loaded {}", fields(instruments=len(master.instruments), seconds=seconds))
        read = MasterRead(epoch, master)
    except MasterUnreadable as error:
        read = MasterRead(epoch, None, str(error), source.kept() if has_none else None)
    except Exception as error:  # an exception in a thread would otherwise end in silence
        logger.opt(exception=error).error("Reading the instrument master failed unexpectedly")
        read = MasterRead(epoch, None, f"{type(error).__name__}: {error}")
    address.tell(read)
