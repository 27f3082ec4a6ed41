"""The outcome of a request: accepted, refused or unknown.

A request whose reply was lost may have been executed: its outcome is unknown, and it is never repeated blindly.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")
Value = TypeVar("Value", covariant=True)  # noqa: PLC0105 (reads better than Value_co in every signature)

#: Characters of a reply kept in :class:`HttpExchange`.
RESPONSE_TEXT_LIMIT = 2_000


class Refusal(StrEnum):
    """The kind of a refusal."""

    NOT_SENT = "not_sent"  #: it never left: no connection, no name, no TLS
    RATE_LIMITED = "rate_limited"  #: 429, DH-904, 805
    TOKEN = "token"  # noqa: S105  #: 401, DH-901, "Invalid Token", 807 to 810
    ADDRESS = "address"  #: the sender's IP address is not allowed: DH-911, "Invalid IP"
    VALIDATION = "validation"  #: DH-905
    ORDER = "order"  #: DH-906: a business reason
    ACCOUNT = "account"  #: DH-902, DH-903
    OTHER = "other"  #: any other error that the broker named


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """One request and its reply, for the audit trail. Holds no secrets.

    ``payload_json`` is the request's body, "" without one. ``status`` is None when no reply came. ``response_text`` is
    cut at RESPONSE_TEXT_LIMIT characters. ``duration_ms`` runs from the call to the reply's first byte, or to the end
    without one.
    """

    method: str
    path: str
    payload_json: str
    status: int | None
    response_text: str
    duration_ms: float


@dataclass(frozen=True, slots=True)
class _Answered:
    """The fields of every outcome."""

    exchange: HttpExchange = field(kw_only=True)

    @property
    def http_status(self) -> int | None:
        """The reply's HTTP status; None when no reply came."""
        return self.exchange.status


@dataclass(frozen=True, slots=True)
class Accepted(_Answered, Generic[Value]):
    """The broker accepted the request: a reply 2xx of the documented shape."""

    value: Value


@dataclass(frozen=True, slots=True)
class Refused(_Answered):
    """The request was certainly not executed. ``code`` is the broker's ("DH-905", "808") or ""."""

    refusal: Refusal
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown(_Answered):
    """The request may or may not have been executed; for a read: nothing was learned."""

    cause: str


Outcome = Accepted[T] | Refused | Unknown
