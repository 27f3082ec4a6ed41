"""A copy: one order of a follower's for one leader order, or why there is none."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from copytrade.core.model.instruments import ONE
from copytrade.core.model.ledger import Part, Ratio
from copytrade.core.model.orders import ZERO, Order, OrderType, Product, Side, Status, Validity
from copytrade.core.model.reasons import Reason
from copytrade.core.model.rejections import RejectionClass


class Stage(StrEnum):
    """How far a copy's own order has come."""

    NONE = "none"
    PENDING = "pending"
    UNKNOWN = "unknown"
    LIVE = "live"
    ENDED = "ended"


#: Zero as it is shown: a difference of equal prices has the sign of its side, and any number of places.
_NO_SLIPPAGE = Decimal("0.00")

_OPEN = frozenset({Stage.PENDING, Stage.UNKNOWN, Stage.LIVE})


class MappingStatus(StrEnum):
    """The stage as an operator reads it in ``copy_mappings.status``."""

    PENDING = "pending"
    PLACED = "placed"
    FILLED = "filled"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SKIPPED = "skipped"


class DesiredOrder(msgspec.Struct, frozen=True, gc=False):
    """What the follower's order should be: the parameters that a modification restates.

    ``quantity`` is the total. With an ``own_price`` type and price are ours, and do not follow the leader's: a late
    copy's bound, a marketable limit in place of a market order, an exit that has to happen.
    """

    quantity: int
    order_type: OrderType
    price: Decimal
    trigger_price: Decimal
    validity: Validity
    disclosed_quantity: int
    own_price: bool = False


class LatencyBreakdown(msgspec.Struct, frozen=True, gc=False):
    """A copy's latency in milliseconds, each part from the end of the one before.

    The parts end with the decision, the permit, the sent request (its intent is on disk by then), and the broker's
    acceptance.
    """

    decision_ms: float
    permit_ms: float
    request_ms: float
    broker_ms: float

    @property
    def ours_ms(self) -> float:
        """This program's part of the latency."""
        return self.decision_ms + self.permit_ms + self.request_ms


class Copy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One order of a follower's for one leader order.

    There may be several: above the freeze quantity, where the leader's order crosses zero (an exit and an entry
    ``part``), and where one replaces another. ``n`` numbers them; with ``n`` 0 none was sent, and the copy says why.

    ``accepted`` is the last desired order that the broker took, ``refused`` the last that it refused. A desired order
    is compared with these, never with what the broker reads back, which differs (a MARKET order reads back as LIMIT).
    ``desired`` and ``breakdown`` are stored as ``wish`` and ``split``, as earlier versions wrote them. ``replaced`` is
    what the broker had taken before a modification that neither feed nor order book has shown yet; ``modifications``
    counts those that were carried out. A copy is ``cancelling`` from the request on, ``cancel_sent`` once the broker
    has taken it; that it was ever ``cancel_asked`` for stays. ``order`` is the broker's word about ours.
    ``latency_ms`` is the time from the leader's update to the broker's acceptance, ``breakdown`` where it went,
    ``fill_ms`` to the complete fill. ``again`` is an operator's word that what it came to is not the last of it.
    Rupees are price x quantity x ``multiplier``, None where that is not known.
    ``product`` is None for the leader's, and another one where the position that the order closes was converted.
    ``leader`` is whose order it copies, "" where there is only one leader.
    """

    leader_order_id: str
    follower: str
    trade_date: date
    created_at: datetime
    n: int = 0
    part: Part = Part.ENTRY
    stage: Stage = Stage.NONE
    ratio: Ratio | None = None
    strategy: str = ""
    arithmetic: str = ""
    correlation_id: str = ""
    order_id: str = ""
    desired: DesiredOrder | None = msgspec.field(default=None, name="wish")
    accepted: DesiredOrder | None = None
    refused: DesiredOrder | None = None
    cancelling: bool = False
    cancel_sent: bool = False
    cancel_asked: bool = False
    modifications: int = 0
    replaced: DesiredOrder | None = None
    order: Order | None = None
    reason: Reason | None = None
    error: str = ""
    leader_quantity: int = 0
    leader_price: Decimal = ZERO
    latency_ms: float | None = None
    fill_ms: float | None = None
    breakdown: LatencyBreakdown | None = msgspec.field(default=None, name="split")
    again: bool = False
    multiplier: Decimal | None = ONE
    product: Product | None = None
    leader: str = ""

    @property
    def filled_quantity(self) -> int:
        """How many units the follower has got."""
        return self.order.filled_quantity if self.order else 0

    @property
    def follower_price(self) -> Decimal:
        """The average price of the follower's fills, 0 before the first."""
        return self.order.average_price if self.order else ZERO

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can come of it: it was skipped for good, or its order has ended."""
        if self.stage is Stage.NONE:
            return self.reason is not None and not self.reason.is_provisional and not self.again
        return self.stage is Stage.ENDED

    @property
    def is_settled_as_exit(self) -> bool:
        """Whether nothing more can come of it, even if its leader order takes from a position that was copied."""
        is_filtered = self.stage is Stage.NONE and self.reason is not None and self.reason.forbids_entries_alone
        return self.is_settled and not is_filtered

    def side(self, leader: Order) -> Side:
        """Return the side of the follower's order: the leader's, but for one that takes back an excess."""
        return leader.side.opposite if self.part is Part.FLATTEN else leader.side

    @property
    def is_open(self) -> bool:
        """Whether the order may rest at the broker."""
        return self.stage in _OPEN

    @property
    def quantity(self) -> int:
        """The whole order in units, at most: what the broker took or what was asked for since."""
        desired, accepted = self.desired, self.accepted
        if desired is accepted or accepted is None:
            return desired.quantity if desired else 0
        return max(desired.quantity, accepted.quantity) if desired else accepted.quantity

    @property
    def seems_done(self) -> bool:
        """Whether it is an exit that the broker never showed, and that the positions show to be done."""
        return self.part is Part.EXIT and self.stage is Stage.LIVE and self.reason is Reason.INVISIBLE

    @property
    def awaits_end(self) -> bool:
        """Whether a cancellation was sent that may have been carried out, and nothing shows the end yet."""
        return self.cancel_sent or (self.stage is Stage.UNKNOWN and self.cancel_asked)

    @property
    def awaits_sight(self) -> bool:
        """Whether the broker has accepted something of it that neither feed nor order book has shown yet."""
        is_unshown = self.order is None or self.cancel_sent or self.replaced is not None
        return self.stage is Stage.LIVE and is_unshown and not self.seems_done

    @property
    def exposure(self) -> int:
        """How many units may yet be filled: none of an exit that the positions show to be done."""
        return self.quantity - self.filled_quantity if self.is_open and not self.seems_done else 0

    @property
    def lacked_margin(self) -> bool:
        """Whether it is an exit that was rejected for want of margin: that may be there later, and it has to happen.

        An exit needs margin where it takes the account's net position past zero.
        """
        leaves = self.part in (Part.EXIT, Part.FLATTEN) and self.reason is Reason.BROKER_REJECTED
        return leaves and self.error.startswith(f"{RejectionClass.MARGIN}:")

    @property
    def is_final(self) -> bool:
        """Whether the order ended neither by its fill nor at our request: it is not sent again."""
        if self.stage is not Stage.ENDED or self.again or (self.order and self.order.status is Status.TRADED):
            return False
        if self.reason is Reason.INVISIBLE and self.part is not Part.ENTRY:
            return False  # what has to be left is sent again
        if self.lacked_margin:
            return False
        called_off = self.reason is Reason.FLATTENED and self.part is Part.ENTRY
        return not self.cancel_asked or called_off or self.reason is Reason.UNFILLED

    @property
    def status(self) -> MappingStatus:
        """The stage as an operator reads it."""
        match self.stage:
            case Stage.NONE:
                return MappingStatus.SKIPPED if self.reason else MappingStatus.PENDING
            case Stage.PENDING | Stage.UNKNOWN:
                return MappingStatus.PENDING
            case Stage.LIVE:
                return MappingStatus.PLACED
            case Stage.ENDED if self.order is None or self.order.status is Status.REJECTED:
                return MappingStatus.FAILED
            case Stage.ENDED if self.order.status is Status.TRADED:
                return MappingStatus.FILLED
            case Stage.ENDED:
                return MappingStatus.CANCELLED

    def slippage(self, side: Side) -> Decimal | None:
        """Return what the follower paid above the leader, in rupees a unit, or None until both have filled.

        Positive is worse for the follower, whatever the side.
        """
        if not self.follower_price or not self.leader_price:
            return None
        return (self.follower_price - self.leader_price) * side.sign or _NO_SLIPPAGE


#: One order of the follower's: the leader order it is for, and its number there.
CopyId = tuple[str, int]
