"""What a lead says of a leader on the bus, and what nodes ask it, as JSON. Long answers are compressed."""

import zlib
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.encoding import STATE, fraction
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey, Order

T = TypeVar("T")


class Beat(msgspec.Struct, frozen=True, gc=False, tag="beat"):
    """The lead lives: the number of its last news in this ``epoch``, and whether it has missed nothing.

    ``client_id`` is the leader's: a node that means another account by this name takes nothing.
    """

    epoch: int
    n: int
    client_id: str
    gate_open: bool


class OrderTold(msgspec.Struct, frozen=True, gc=False, tag="order"):
    """An order of the leader's as it is now; ``recovered`` if it was read and not told by the feed."""

    epoch: int
    n: int
    order: Order
    recovered: bool = False


class GateTold(msgspec.Struct, frozen=True, gc=False, tag="gate"):
    """The lead may have missed something, or has read since what it had missed."""

    epoch: int
    n: int
    is_open: bool


News = Beat | OrderTold | GateTold


class Question(msgspec.Struct, frozen=True, gc=False):
    """What a node asks the lead of the leader's account: it is answered by a read that begins later."""

    what: Literal["orders", "net", "funds"]
    holdings: bool = False


class OrdersAnswer(msgspec.Struct, frozen=True, gc=False, tag="orders"):
    """The leader's orders of the day. ``skew`` is how many seconds the broker's clock is ahead of the lead's."""

    orders: tuple[Order, ...]
    skew: float | None = None


class NetAnswer(msgspec.Struct, frozen=True, gc=False, tag="net"):
    """What the leader holds: units by line, multipliers by contract, and the day's result."""

    units: tuple[tuple[LineKey, int], ...]
    multipliers: tuple[tuple[InstrumentKey, Decimal], ...] = ()
    result: Result | None = None


class FundsAnswer(msgspec.Struct, frozen=True, gc=False, tag="funds"):
    """What the leader's account is sized by."""

    funds: Funds


class NoAnswer(msgspec.Struct, frozen=True, gc=False, tag="none"):
    """Why the lead cannot answer now."""

    why: str


Answer = OrdersAnswer | NetAnswer | FundsAnswer | NoAnswer

_NEWS: "msgspec.json.Decoder[News]" = msgspec.json.Decoder(News, dec_hook=fraction)
_QUESTION = msgspec.json.Decoder(Question)
_ANSWER: "msgspec.json.Decoder[Answer]" = msgspec.json.Decoder(Answer, dec_hook=fraction)


def live(prefix: str, leader: str) -> str:
    """Return the subject of a leader's news."""
    return f"{prefix}.{leader}.live"


def ask(prefix: str, leader: str, epoch: int) -> str:
    """Return the subject at which the lead of an epoch is asked: one that has been replaced hears nothing there."""
    return f"{prefix}.{leader}.ask.{epoch}"


def written(value: News | Question) -> bytes:
    """Return news or a question as JSON."""
    return STATE.encode(value)


def read_news(payload: bytes) -> News | None:
    """Return what was told, None if it is nothing of ours."""
    return _read(_NEWS, payload)


def read_question(payload: bytes) -> Question | None:
    """Return what was asked, None if it is nothing of ours."""
    return _read(_QUESTION, payload)


def packed(answer: Answer) -> bytes:
    """Return an answer as compressed JSON: a day of 10,000 orders has to fit into a message of the bus, 1 MB."""
    return zlib.compress(STATE.encode(answer), 1)


def unpacked(payload: bytes) -> Answer | None:
    """Return an answer, None if it is nothing of ours."""
    try:
        return _read(_ANSWER, zlib.decompress(payload))
    except zlib.error:
        return None


def _read(decoder: "msgspec.json.Decoder[T]", payload: bytes) -> T | None:
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
