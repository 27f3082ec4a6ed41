"""Leases on accounts that several nodes may trade: who is told when one comes or goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from actors.messages.tokens import LoginTried
from copytrade.core.lease.record import Carried
from copytrade.storage.records import Record


@dataclass(frozen=True, slots=True)
class LeaseWanted:
    """Take the lease of an account as soon as it is free; ``homes`` says who should have it, the first before others.

    ``traded`` is the last epoch by which this node traded it, 0 where it never has.
    """

    account: str
    homes: tuple[str, ...]
    traded: int = 0


@dataclass(frozen=True, slots=True)
class LeaseUnwanted:
    """Give the lease of an account up and take it no more."""

    account: str


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """This node may trade an account from now on.

    ``is_foreign``: another node may have traded it since this one did. Its ``records`` are what it has written of it,
    None if nothing current is known. ``carried`` is what its lease carried, if that is known. ``was_released``: it has
    given the lease up in order, with nothing under way.
    """

    account: str
    epoch: int
    is_foreign: bool
    before: str = ""
    records: Sequence[Record] | None = ()
    carried: Carried | None = None
    tried: LoginTried | None = None
    was_released: bool = False


@dataclass(frozen=True, slots=True)
class LeaseRenewed:
    """A lease allows entries again."""


@dataclass(frozen=True, slots=True)
class LeaseGone:
    """Another node has the account, or is to have it: stop trading it."""

    account: str


@dataclass(frozen=True, slots=True)
class AccountLeft:
    """Nothing of an account is under way any more, and nothing will be: its lease may be given up."""

    account: str


@dataclass(frozen=True, slots=True)
class MoveLease:
    """Stop trading an account and give its lease to a node, "" for whoever takes it."""

    account: str
    to: str


LeaseNews = LeaseTaken | LeaseGone
