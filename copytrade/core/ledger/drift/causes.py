"""Drift as it is reported: how far a follower is from the leader, in shares of one cause each."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

import msgspec

from copytrade.core.model.copies import Copy
from copytrade.core.model.ledger import NO_UNITS, Allocation, LineKey

#: Details of shares that are not final yet.
RESTS, UNDECIDED = "rests", "not decided yet"


class Cause(StrEnum):
    """What a difference is due to."""

    BEFORE_START = "before_start"  #: the leader held it before copying began
    UNSEEN = "unseen"  #: the leader's position changed without an order that was seen
    ROUNDING = "rounding"  #: kept back by rounding down to whole lots
    LIMIT = "limit"  #: the settings allow no more: lots, max_lots, max_order_value
    SKIPPED = "skipped"  #: the reason says why
    REFUSED = "refused"  #: by the broker or the exchange
    UNFILLED = "unfilled"  #: the follower's order rests, or ended without a fill
    AHEAD = "ahead"  #: the follower has filled what the leader has not, or not got
    TWIN = "twin"  #: an order that was proven not to exist, did, and is not flattened yet
    EXTERNAL_CLOSE = "external_close"  #: other hands closed what was copied: the follower's, or the broker's
    MANUAL = "manual"  #: other hands traded it: it is not the copier's
    LEFT = "left"  #: left in the account as the follower's own, when he was removed
    FLATTENED = "flattened"  #: closed by command, or when the day's loss was reached
    UNEXPLAINED = "unexplained"


class Share(msgspec.Struct, frozen=True, gc=False):
    """Signed units of a difference, and their cause. ``detail`` is a reason code or names orders."""

    units: Fraction
    cause: Cause
    detail: str = ""
    leader_order_id: str = ""


class Drift(msgspec.Struct, frozen=True, gc=False):
    """The drift of one line of a follower, in units.

    ``net`` is what the account holds, ``leader`` the leader's position, ``held`` what is held by copying. ``expected``
    is the follower's share of the leader's position before rounding, ``ratio`` the quotient of the two. The shares add
    up to ``difference``. Without a ratio nothing was ever sized, and ``uncopied`` says why.
    """

    line: LineKey
    net: int
    held: int
    leader: int
    ratio: Fraction | None
    lot_size: int
    shares: tuple[Share, ...]
    uncopied: tuple[str, ...] = ()
    expected: Fraction = NO_UNITS

    @property
    def difference(self) -> Fraction:
        """What the account holds beyond ``expected``; negative if it holds less of a long position."""
        return self.net - self.expected


class LeaderOrder(msgspec.Struct, frozen=True, gc=False):
    """A leader order as a follower judged it, and what it sent for it."""

    allocation: Allocation
    copies: Sequence[Copy] = ()


class Fill(NamedTuple):
    """Units that the leader got of an order, or the follower ``by_copying`` an entry."""

    leader_order_id: str
    units: int
    by_copying: bool = False
