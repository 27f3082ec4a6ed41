"""Wishes that an account be moved to a node: a key for each account on the bus, with the node's name."""

from collections.abc import Callable

from actors.lease_keeper.claim import Claim
from actors.lease_keeper.messages import MoveRead
from copytrade.bus.keys import KeyBus, Read

#: The bucket of wishes, and the seconds that a wish lives.
MOVES, MOVE_LIVES = "MOVES", 60.0


class Wishes:
    """A part of the lease keeper, in its thread. A wish counts once, for who had the lease when it was written."""

    def __init__(self, node: str, bus: KeyBus, tell: Callable[[MoveRead], object]) -> None:
        self._node = node
        self._bus = bus
        self._tell = tell

    def read(self, claim: Claim) -> None:
        """See whether the account is wanted elsewhere, or whether our wish for it is there."""
        if not claim.is_reading_wish:
            claim.is_reading_wish = True
            account = claim.account
            self._bus.read(MOVES, account, lambda read: self._tell(MoveRead(account, read)))

    def take(self, claim: Claim, read: Read | None) -> str | None:
        """Return to which node the account is to be moved, None to none; wish for one that should be here."""
        claim.is_reading_wish = False
        if read is None:
            return None
        (entry,) = read.entries
        wanted_by = entry.value.decode(errors="replace") if entry.value is not None else ""
        if claim.candidacy.lease is None:
            if claim.is_asked_for and wanted_by != self._node:
                self._bus.write(MOVES, claim.account, self._node.encode(), entry.revision, lambda _written: None)
            return None
        claim.is_asked_for = False
        before, claim.wish = claim.wish, entry.revision
        is_new = before is not None and entry.revision != before
        return wanted_by if is_new and wanted_by not in ("", self._node) else None
