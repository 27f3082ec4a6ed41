"""The data of the ledger: what is held by copying, and what each leader order was allocated."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import msgspec

from copytrade.core.model.orders import ZERO, InstrumentKey, Order, Product, Side


class Ratio(msgspec.Struct, frozen=True, gc=False):
    """A follower's size as a fraction of the leader's, with the arithmetic that gave it, for the record."""

    value: Fraction
    arithmetic: str


NO_UNITS = Fraction(0)


class Role(StrEnum):
    """What a leader order was to the leader's position, judged at first sight against what he had filled.

    An exit for more than he holds crosses zero: what is left over enters on the other side.
    """

    ENTRY = "entry"
    EXIT = "exit"


class Part(StrEnum):
    """What an order of the follower's is for; an exit and an entry where the leader's order crosses zero.

    FLATTEN takes back what exits took beyond what was held, on the other side than the leader's order: a target and a
    stop that rest side by side may both fill before the one can be shrunk for the other. A TWIN is an order that the
    broker took although it was proven not to exist, so that it was sent again: it is cancelled, and what it fills is
    flattened. CLOSE takes all that is held, whatever the leader does.
    """

    ENTRY = "entry"
    EXIT = "exit"
    FLATTEN = "flatten"
    TWIN = "twin"
    CLOSE = "close"


class LineKey(NamedTuple):
    """The key of a ledger line: what is copied of one leader in an instrument and product.

    ``leader`` is "" where there is only one, and for a line of an account, in which the broker nets all leaders' lines.
    """

    key: InstrumentKey
    product: Product
    leader: str = ""

    @property
    def account(self) -> "LineKey":
        """The line of the account in which the broker nets this one."""
        return LineKey(self.key, self.product) if self.leader else self

    def of(self, leader: str) -> "LineKey":
        """Return the line of a leader in the same instrument and product."""
        return LineKey(self.key, self.product, leader) if self.leader != leader else self


class NotHis(NamedTuple):
    """Units, signed, that an order with an id of ours has filled on the leader's account on a day.

    The sum of earlier days has no order id.
    """

    order_id: str
    day: date
    units: int


class Line(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One follower's dealings in one instrument and product of one leader. Positions are units, short ones negative.

    * ``leader_position``: what the leader has filled; ``held``: what the follower has filled by copying.
    * ``level``: what the follower should hold, by its copied entries and the leader's exits since; ``residue``: the
      units that rounding keeps back. The exact level is the sum of both.
    * ``ahead``: units that the follower has entered on a side that the leader has not reached yet, by an order that
      crosses zero. They belong to the level once he has left the other side.
    * ``lost``: units that were closed by other hands.
    * ``ratio``: kept while a position is open; None if each entry is sized by itself.
    * ``elsewhere``: units of ``held`` in another product, by product, after one of the accounts converted its position.
    * ``left``: units that were left in the account as the follower's own, when he was removed.
    * ``not_his``: fills of orders with ids of ours on the leader's account. They are in that account's positions, and
      not in ``leader_position``.
    * ``opened``: a number that is greater the later the line was opened; 0 where there is only one leader.
    """

    key: LineKey
    leader_position: int = 0
    held: int = 0
    level: int = 0
    residue: Fraction = NO_UNITS
    lost: int = 0
    ratio: Ratio | None = None
    lot_size: int = 1
    elsewhere: tuple[tuple[Product, int], ...] = ()
    not_his: tuple[NotHis, ...] = ()
    ahead: int = 0
    left: int = 0
    opened: int = 0

    def due(self, direction: int) -> int:
        """Return how many units the follower should hold on a side, 1 for long and -1 for short."""
        return max(0, self.level * direction) + max(0, self.ahead * direction)

    @property
    def leader_net(self) -> int:
        """What the leader's account holds, whoever traded it."""
        return self.leader_position + sum(one.units for one in self.not_his)

    def held_in(self, product: Product) -> int:
        """Return how many of the held units the account has in a product, signed."""
        if product is self.key.product:
            return self.held - sum(units for _, units in self.elsewhere)
        return dict(self.elsewhere).get(product, 0)

    @property
    def products(self) -> tuple[Product, ...]:
        """The products in which the account may have units, the line's own first."""
        return (self.key.product, *(product for product, _ in self.elsewhere))


class Allocation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How one leader order was judged for one follower at first sight, and how much of it has filled since.

    * ``base``: the leader's filled position at first sight.
    * ``reach``: how much of the unfilled quantity is an exit; the rest is an entry. It grows if other orders bring the
      leader to the opposite side, as with two stops around a market.
    * ``carry``: the residue that the entry began with; ``residue``: what it has added to the line's.
    * ``wanted``: the whole entry in units, sized for ``leader_quantity``; ``forgone``: the part that is not wanted any
      more because the leader has exited; ``exited``: what he had left of it before it had a size or was due.
    * ``counted``: the follower's fills that belong to the level; ``leader_filled``: the leader's counted fills;
      ``leader_exited``: those of them that were exits.
    * ``excess``: what the follower's exit took beyond what was held, and the fills of duplicates; ``doubled``: the
      duplicates' part that is not flattened yet.
    * ``sized_alone``: the entry has a size of its own, computed at the price ``sized_at``; its ratio is that size over
      the leader's, and ``leader_quantity`` is his filled quantity once the order ended early.
    * ``slice_after``: the leader order right before this one, if the two may be slices of one.
    """

    leader_order_id: str
    trade_date: date
    created_at: datetime
    line: LineKey
    side: Side
    role: Role
    base: int
    reach: int = 0
    ratio: Ratio | None = None
    carry: Fraction = NO_UNITS
    residue: Fraction = NO_UNITS
    wanted: int = 0
    exited: Fraction = NO_UNITS
    forgone: int = 0
    counted: int = 0
    leader_quantity: int = 0
    leader_filled: int = 0
    leader_exited: int = 0
    excess: int = 0
    doubled: int = 0
    sized_alone: bool = False
    sized_at: Decimal = ZERO
    slice_after: str = ""

    @property
    def due(self) -> int:
        """How many units of the entry the follower should have in all."""
        return max(0, self.wanted - self.forgone)

    def exit_of(self, quantity: int) -> int:
        """Return how much of a quantity of the leader's order reduces his position, filled units included."""
        if not self.reach:
            return self.leader_exited
        return self.leader_exited + min(max(0, quantity - self.leader_filled), self.reach)

    def entry_of(self, quantity: int) -> int:
        """Return how much of a quantity of the leader's order adds to his position, filled units included."""
        return max(0, quantity - self.exit_of(quantity))

    @property
    def leader_entered(self) -> int:
        """How many units the leader has got that added to his position."""
        return self.leader_filled - self.leader_exited

    @property
    def is_exit(self) -> bool:
        """Whether any of it takes, or took, from the leader's position."""
        return self.reach > 0 or self.leader_exited > 0


class Working(msgspec.Struct, frozen=True, gc=False):
    """An exit for computing its share: the leader's unfilled units, and the follower's units that may still fill.

    Limits and stops are two chains that rest side by side (a target and a stop). ``is_final``: the follower's order
    ended without our request, so that it takes nothing more. ``at_market``: it fills before all resting orders.
    """

    leader_order_id: str
    side: Side
    is_stop: bool
    leader_open: int
    has_filled: bool
    open: int
    is_final: bool
    at_market: bool = False


def line_of(order: Order) -> LineKey:
    """Return the line to which an order belongs: a leader's, or the account's for a follower's own order."""
    return LineKey(order.key, order.product, order.leader)
