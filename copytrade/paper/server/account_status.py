"""What the broker has on file about each account, for a test to change: where it sends from, and what it trades."""

from collections import defaultdict
from dataclasses import dataclass
from email.utils import formatdate

from copytrade.paper.exchange.orders import Refusal

#: What may be traded, in the words of the profile.
ALL_SEGMENTS = ("Equity", "Derivative", "Currency", "Commodity")

#: The profile's words by the last part of an exchange segment's name.
_SEGMENT_WORDS = {"EQ": "Equity", "FNO": "Derivative", "CURRENCY": "Currency", "COMM": "Commodity"}

_INVALID_IP = Refusal(400, "DH-905", "Input_Exception", "Invalid IP")


@dataclass(slots=True)
class AccountStatus:
    """One account. ``addresses`` are those it has registered, the primary first; None lets it send from any."""

    addresses: tuple[str, ...] | None = None
    segments: tuple[str, ...] = ALL_SEGMENTS
    data_plan: str = "Deactive"
    feed_refused: bool = False

    def check_address(self, address: str) -> None:
        """Refuse an order request from an address that is not registered."""
        if not self._accepts(address):
            raise _INVALID_IP

    def check_segment(self, segment: str) -> None:
        """Refuse an order in a segment that is not active."""
        word = _SEGMENT_WORDS[segment.rpartition("_")[2]]
        if word not in self.segments:
            raise Refusal(400, "DH-903", "Account_Error", f"{word} segment is not active for this account")

    def addresses_as_seen_from(self, address: str) -> dict[str, object]:
        """Return the answer to /ip/getIP, with what production was seen to add to the documented fields."""
        primary, secondary, *_ = (*((address,) if self.addresses is None else self.addresses), "", "")
        allowed = self._accepts(address)
        return {
            "primaryIP": primary,
            "secondaryIP": secondary,
            "modifyDatePrimary": "2026-04-01" if primary else "",
            "modifyDateSecondary": "2026-04-01" if secondary else "",
            "detectedIP": address,
            "ipMatchStatus": "MATCH" if allowed else "MISMATCH",
            "ordersAllowed": allowed,
        }

    def _accepts(self, address: str) -> bool:
        return self.addresses is None or address in self.addresses


class AccountStatuses:
    """Every account's, and how far the broker's own clock is from ours, in seconds."""

    def __init__(self) -> None:
        self._account_statuses: dict[str, AccountStatus] = defaultdict(AccountStatus)
        self.clock_skew = 0.0

    def of(self, client_id: str) -> AccountStatus:
        """Return an account's, to be read and changed."""
        return self._account_statuses[client_id]

    def date(self, now: float) -> str:
        """Return the Date header of a reply at ``now``, epoch seconds."""
        return formatdate(now + self.clock_skew, usegmt=True)
