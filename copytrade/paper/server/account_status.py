"""The status of each account at the broker, for a test to change: its addresses and segments."""

from collections import defaultdict
from dataclasses import dataclass
from email.utils import formatdate

from copytrade.paper.exchange.orders import Refusal

#: All segments, in the words of the profile.
ALL_SEGMENTS = ("Equity", "Derivative", "Currency", "Commodity")

#: The profile's words by the last part of an exchange segment's name.
_SEGMENT_WORDS = {"EQ": "Equity", "FNO": "Derivative", "CURRENCY": "Currency", "COMM": "Commodity"}

_INVALID_IP = Refusal(400, "DH-905", "Input_Exception", "Invalid IP")


@dataclass(slots=True)
class AccountStatus:
    """The status of one account. ``addresses`` are the registered ones, the primary first; None allows any."""

    addresses: tuple[str, ...] | None = None
    segments: tuple[str, ...] = ALL_SEGMENTS
    data_plan: str = "Deactive"
    feed_refused: bool = False

    def check_address(self, address: str) -> None:
        """Raise Refusal for an address that is not registered."""
        if not self._accepts(address):
            raise _INVALID_IP

    def check_segment(self, segment: str) -> None:
        """Raise Refusal for a segment that is not active."""
        word = _SEGMENT_WORDS[segment.rpartition("_")[2]]
        if word not in self.segments:
            raise Refusal(400, "DH-903", "Account_Error", f"{word} segment is not active for this account")

    def addresses_as_seen_from(self, address: str) -> dict[str, object]:
        """Return the answer to /ip/getIP, with the undocumented fields seen in production."""
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
    """The status of every account, and the difference of the broker's clock from ours in seconds."""

    def __init__(self) -> None:
        self._account_statuses: dict[str, AccountStatus] = defaultdict(AccountStatus)
        self.clock_skew = 0.0

    def of(self, client_id: str) -> AccountStatus:
        """Return an account's status, which may be changed."""
        return self._account_statuses[client_id]

    def date(self, now: float) -> str:
        """Return the Date header of a reply at ``now``, epoch seconds."""
        return formatdate(now + self.clock_skew, usegmt=True)
