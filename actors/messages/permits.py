"""Permission to send a request, and what the rate limiter is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from actors.runtime.actor import ActorDied, ActorUp
from actors.runtime.address import Recipient
from copytrade.core.model.lane import Lane


@dataclass(frozen=True, slots=True)
class PermitId:
    """One permit of one incarnation of a follower."""

    epoch: int
    number: int


@dataclass(frozen=True, slots=True)
class PermitGranted:
    """One request may be sent."""

    permit: PermitId


@dataclass(frozen=True, slots=True)
class PermitDelayed:
    """The budget allows no request in this lane for so many ``seconds``, as far as is known. Told once a wait."""

    permit: PermitId
    lane: Lane
    seconds: float


PermitNews = PermitGranted | PermitDelayed


@dataclass(frozen=True, slots=True)
class RequestPermit:
    """Grant a permit as soon as the budget allows. Asking again with the same id moves the request to a new lane."""

    follower: str
    permit: PermitId
    lane: Lane
    reply_to: Recipient[PermitNews]


@dataclass(frozen=True, slots=True)
class SettlePermit:
    """The permit's request has been answered, at a monotonic time."""

    follower: str
    permit: PermitId
    at: float


@dataclass(frozen=True, slots=True)
class ReleasePermit:
    """The permit was not needed."""

    follower: str
    permit: PermitId


@dataclass(frozen=True, slots=True)
class RequestsLoaded:
    """When the requests of the last day were answered, in monotonic seconds, by account."""

    answered: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class RequestsCarried:
    """When another node's requests of an account were answered, in monotonic seconds: count these, and no others."""

    follower: str
    answered: Sequence[float]


@dataclass(frozen=True, slots=True)
class RequestsCounted:
    """When the requests of each account's last day were answered, in monotonic seconds."""

    answered: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class CountRequests:
    """Tell how many requests each account has had answered."""

    reply_to: Recipient[RequestsCounted]


RateLimiterMessage = (
    RequestPermit
    | SettlePermit
    | ReleasePermit
    | RequestsLoaded
    | RequestsCarried
    | CountRequests
    | ActorUp
    | ActorDied
)
