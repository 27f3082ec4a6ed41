"""A lease on an account: the right of one node to trade it, for some seconds at a time.

All times are monotonic seconds of the node's own clock. A lease counts from the moment at which its last write was
begun, not from the answer: the bus counts from later, so it never frees a lease that its holder believes to have.
"""

from dataclasses import dataclass

from copytrade.core.model.lane import Lane

#: A lease is renewed when this part of it has passed, and entries stop when that part has.
RENEWED_AFTER, ENTRIES_UNTIL = 0.25, 0.5


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease that this node has taken. ``revision`` is the bus's, ``began`` when its last write was begun."""

    epoch: int
    revision: int
    began: float
    length: float

    @property
    def renew_at(self) -> float:
        """When it should be renewed."""
        return self.began + RENEWED_AFTER * self.length

    @property
    def ends(self) -> float:
        """From when on another node may have it."""
        return self.began + self.length

    def may_enter(self, now: float) -> bool:
        """Whether entries may leave."""
        return now < self.began + ENTRIES_UNTIL * self.length

    def is_held(self, now: float) -> bool:
        """Whether nobody else can have it."""
        return now < self.ends


class Fence:
    """What stands between a follower and his account: the lease as its keeper knows it.

    The lease keeper alone writes it; the follower's gateway and the token keeper read it before each request. There is
    one for an account as long as the process lives.
    """

    def __init__(self, *, logs_in: bool) -> None:
        """``logs_in``: the account has PIN and TOTP, so that whoever takes it over ends the token that we have."""
        self.logs_in = logs_in
        #: The lease, None where this node has none.
        self.lease: Lease | None = None

    def is_held(self, now: float) -> bool:
        """Whether the account is certainly this node's."""
        return self.lease is not None and self.lease.is_held(now)

    def refusal(self, lane: Lane, now: float) -> str:
        """Return why a request must not leave now, "" if it may.

        After the end of a lease that could not be renewed, exits and cancellations go on where a successor has to log
        in: the broker then refuses our token. Where he cannot log in, nothing else would stop us.
        """
        lease = self.lease
        if lease is None:
            return "another node may have the lease"
        if not lease.is_held(now) and not self.logs_in:
            return "the lease has ended"
        if lane not in (Lane.CANCEL, Lane.EXIT) and not lease.may_enter(now):
            return "the lease was not renewed in time for an entry"
        return ""
