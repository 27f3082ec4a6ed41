"""Lots and multipliers of contracts: from the instrument master, and from the broker's orders and positions.

The lot is in the master and in the frames of the order-update socket; where they differ, the order that the leader's
broker took is right. The multiplier of commodity and currency contracts is in frames and in rows of positions, not in
the broker's compact master; where they differ, limits reckon with the largest.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from copytrade.core.model.instruments import Instrument, from_order
from copytrade.core.model.orders import InstrumentKey, Order, Status

#: States of orders that say nothing about their contract: the broker has not accepted them.
_NOT_TAKEN = frozenset({Status.TRANSIT, Status.REJECTED})


class Differs(msgspec.Struct, frozen=True, gc=False):
    """The broker contradicts itself about a contract: about ``what``, and ``how``, with what is done about it."""

    key: InstrumentKey
    symbol: str
    what: str
    how: str


class Contracts:
    """The instrument master, and the terms that orders and positions show."""

    __slots__ = ("_last", "_lots", "_made", "_master", "_multipliers", "_news", "_told")

    def __init__(self) -> None:
        self._master: Mapping[InstrumentKey, Instrument] | None = None
        self._lots: dict[InstrumentKey, int] = {}
        self._multipliers: dict[InstrumentKey, frozenset[Decimal]] = {}
        self._made: dict[tuple[InstrumentKey, int, Decimal | None], Instrument] = {}
        self._told: set[tuple[InstrumentKey, str]] = set()
        #: What was asked for last, with the answer: an order is asked for several times in a row.
        self._last: tuple[Order, Instrument | None] | None = None
        self._news: list[Differs] = []

    @property
    def master(self) -> Mapping[InstrumentKey, Instrument] | None:
        """What trades, None before the instrument master has been read."""
        return self._master

    def know_master(self, master: Mapping[InstrumentKey, Instrument]) -> None:
        """Take the instrument master; what orders told before another day's is forgotten, but for multipliers."""
        if master is not self._master:
            self._last = None
            self._master = master
            self._lots.clear()
            self._made.clear()
            self._told.clear()

    def see(self, order: Order) -> None:
        """Take the lot and multiplier that a leader order shows."""
        if order.lot_size:
            self._last = None
            self._lots[order.key] = order.lot_size
        if order.multiplier:
            self.know_multipliers({order.key: order.multiplier})

    def know_multipliers(self, told: Mapping[InstrumentKey, Decimal]) -> None:
        """Take multipliers that orders or positions show."""
        for key, multiplier in told.items():
            known = self._multipliers.get(key, frozenset())
            if multiplier not in known:
                self._last = None
                self._multipliers[key] = known | {multiplier}

    def take_differences(self) -> list[Differs]:
        """Return what the broker contradicts itself about and was not taken yet: each once a contract and master."""
        found, self._news = self._news, []
        return found

    def of(self, order: Order) -> Instrument | None:
        """Return an order's instrument, None if neither master nor feed describes it."""
        if self._last is None or self._last[0] is not order:
            self._last = order, self._found(order)
        return self._last[1]

    def _found(self, order: Order) -> Instrument | None:
        instrument = self._master.get(order.key) if self._master is not None else None
        known = instrument or from_order(order)
        if known is None:
            return None
        lot_size = known.lot_size if instrument is None else self._lot_size(order, known)
        multiplier = self._multiplier(order.key, known) if order.key.segment.has_multiplier else known.multiplier
        if lot_size == known.lot_size and multiplier == known.multiplier:
            return known
        made = order.key, lot_size, multiplier
        if made not in self._made:
            self._made[made] = replace(known, lot_size=lot_size, multiplier=multiplier)
        return self._made[made]

    def _lot_size(self, order: Order, known: Instrument) -> int:
        """Return the lot of an order: its own if the broker gives one that fits it, else the master's."""
        told = order.lot_size or self._lots.get(order.key)
        if order.status in _NOT_TAKEN or told == known.lot_size:
            return known.lot_size
        if told and order.quantity % told == 0:
            self._tell(order.key, known, "lot", f"the order's is {told}, the master's {known.lot_size}: {told} is used")
            return told
        if order.quantity % known.lot_size:
            how = f"{order.quantity} units are no whole lots of the master's {known.lot_size}: nothing is entered"
            self._tell(order.key, known, "lot", how)
        return known.lot_size

    def _multiplier(self, key: InstrumentKey, known: Instrument) -> Decimal | None:
        """Return the largest known multiplier, None if there is none."""
        told = self._multipliers.get(key, frozenset())
        if known.multiplier is not None:
            told |= {known.multiplier}
        if len(told) > 1:
            words = " and ".join(map(str, sorted(told)))
            self._tell(key, known, "multiplier", f"{words} are told: limits reckon with {max(told)}")
        return max(told, default=None)

    def _tell(self, key: InstrumentKey, known: Instrument, what: str, how: str) -> None:
        if (key, what) not in self._told:
            self._told.add((key, what))
            self._news.append(Differs(key, known.symbol, what, how))
