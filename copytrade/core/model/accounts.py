"""What is known of an account: addresses, funds, budget, result."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address

import msgspec

from copytrade.core.model.orders import ZERO

#: The part of an account's capital that may be left uncounted without a warning.
LARGE_PART = Decimal("0.25")


class IpAddresses(msgspec.Struct, frozen=True, gc=False):
    """What the broker says of an account's addresses. ``detected`` is where it sees us, "" where it does not say.

    ``registered`` is None where it does not say either; ``allowed`` is its own verdict, None without one.
    """

    registered: tuple[str, ...] | None
    detected: str = ""
    allowed: bool | None = None

    def accepts(self, source_address: str) -> bool | None:
        """Return whether orders from this address are accepted, None if that is not known."""
        if self.allowed is not None or self.registered is None:
            return self.allowed
        registered = {_normal(address) for address in self.registered}
        if not registered:
            return False
        if self.detected:
            return _normal(self.detected) in registered
        # A local address may be translated on the way: that it is not registered proves nothing.
        return True if source_address and _normal(source_address) in registered else None


class Funds(msgspec.Struct, frozen=True, gc=False):
    """Rupees: what can be spent now, what the day began with, and what pledged shares add to that."""

    available: Decimal
    start_of_day: Decimal
    collateral: Decimal = ZERO

    def capital(self, *, with_collateral: bool) -> Decimal:
        """Return what the account is sized by."""
        return self.start_of_day + self.collateral if with_collateral else self.start_of_day

    def lacks_much(self, *, with_collateral: bool) -> bool:
        """Whether a large part of what the account has is not counted."""
        return not with_collateral and self.collateral > LARGE_PART * max(ZERO, self.start_of_day + self.collateral)


class Master(msgspec.Struct, frozen=True, gc=False):
    """The instrument master: how many instruments of the kinds that are copied it has, and of which day it is."""

    instruments: int = 0
    of: date | None = None
    problem: str = ""


class Budget(msgspec.Struct, frozen=True, gc=False):
    """Order requests of today: sent, allowed, and kept from entries."""

    used: int
    per_day: int
    reserve: int


class Facts(msgspec.Struct, frozen=True, gc=False):
    """The results of an account's checks; None or "" is what was not asked, or not answered.

    ``sends`` is whether orders are sent for it: not for the leader, nor in a dry run; reading is allowed from anywhere.
    ``kinds`` are the instrument kinds that it copies, ``needs_capital`` whether it is sized by its start-of-day limit.
    ``logs_in``: with PIN and TOTP it gets itself a token where there is none that works.
    ``problem`` says why the broker did not answer, ``no_source`` why nothing can be sent from the address that is set.
    ``skew`` is seconds to add to our clock to have the broker's. ``feed`` is "" for a login that was taken, else why it
    was not. ``pending`` counts orders with our ids that rest at the broker. ``with_collateral`` is whether what is
    pledged counts as capital.
    """

    name: str
    is_leader: bool
    client_id: str
    kinds: frozenset[str]
    needs_capital: bool
    now: datetime
    source_address: str = ""
    sends: bool = True
    logs_in: bool = False
    has_token: bool = True
    problem: str = ""
    no_source: str = ""
    token_refused: str = ""
    account_refused: str = ""
    token_of: str = ""
    token_until: datetime | None = None
    segments: tuple[str, ...] = ()
    address_refused: str = ""
    addresses: IpAddresses | None = None
    funds: Funds | None = None
    skew: float | None = None
    feed: str | None = None
    feed_in_use: bool = False
    master: Master | None = None
    pending: int | None = None
    budget: Budget | None = None
    with_collateral: bool = False

    @property
    def detected(self) -> str:
        """The address at which the broker sees the account, "" where it has not said."""
        return self.addresses.detected if self.addresses else ""


def _normal(address: str) -> str:
    """Return an address in its normal form for comparison; other text is only stripped."""
    try:
        return str(ip_address(address.strip()))
    except ValueError:
        return address.strip()


class Result(msgspec.Struct, frozen=True, gc=False):
    """An account's result of the day in rupees, closed and open positions together; negative for a loss.

    ``realised`` and ``unrealised`` are its two parts, None if they were not told.
    """

    rupees: Decimal
    at: datetime
    realised: Decimal | None = None
    unrealised: Decimal | None = None


class AccountType(StrEnum):
    """Whose order it is."""

    LEADER = "leader"
    FOLLOWER = "follower"
