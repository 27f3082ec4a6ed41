"""A leader behind the bus, as a broker's account: his feed, and reads of it that the lead makes."""

import threading
from collections.abc import Callable, Generator
from datetime import datetime
from typing import TypeVar

from pydantic import SecretStr

from copytrade.brokers.api import FeedEnded, Net, OrderBook, OrderGateway, Profile
from copytrade.brokers.outcomes import Accepted, HttpExchange, Outcome, Unknown
from copytrade.brokers.remote.connection import FIRST_WITHIN, LeaderNews
from copytrade.brokers.tokens.token import Token
from copytrade.bus.leader_news import (
    Answer,
    FundsAnswer,
    NetAnswer,
    NoAnswer,
    OrdersAnswer,
    Question,
    ask,
    unpacked,
    written,
)
from copytrade.bus.messages import MessageBus
from copytrade.common import wall_clock
from copytrade.core.model.accounts import Funds, Result
from copytrade.core.model.orders import Order

T = TypeVar("T")

#: In place of the token that a node does not have.
NO_TOKEN = "none"  # noqa: S105

_EXCHANGE = HttpExchange("", "", "", None, "", 0.0)


class RemoteLeader:
    """A ``BrokerAccount`` that sends nothing and needs no token. Use one for feed and reads: they share the epoch."""

    def __init__(self, bus: MessageBus, prefix: str, leader: str, client_id: str) -> None:
        self._bus = bus
        self._prefix = prefix
        self._leader = leader
        self._client_id = client_id
        self._epoch = 0
        self._is_heard = threading.Event()
        self.known_skew: float | None = None

    def gateway(self) -> OrderGateway:
        """Raise: no order is sent for a leader."""
        raise TypeError(f"{self._leader} is a leader, whom a node does not trade for")

    def reader(self) -> "RemoteLeader":
        """Return the reader of the account."""
        return self

    def updates(self) -> "RemoteLeader":
        """Return the source of the account's order updates."""
        return self

    def tokens(self) -> "RemoteLeader":
        """Return the service for the token that is not there."""
        return self

    def connect(self, _token: SecretStr) -> LeaderNews | FeedEnded:
        """Listen to the lead."""
        news = LeaderNews(self._bus, self._prefix, self._leader, self._client_id, self._epoch)
        ended = news.begin()
        if ended is not None:
            return ended
        self._epoch = news.epoch
        self._is_heard.set()
        return news

    def orders(self) -> Outcome[OrderBook]:
        """Have the lead tell its book."""
        began = wall_clock.now()

        def book(answer: Answer) -> OrderBook | None:
            if not isinstance(answer, OrdersAnswer):
                return None
            self.known_skew = answer.skew
            return OrderBook(answer.orders, (), began)

        return self._asked(Question("orders"), book)

    def search(self, correlation_id: str) -> Outcome[tuple[Order, ...]]:
        """Say nothing: nobody searches a leader's orders."""
        return Unknown(f"{correlation_id} is not searched for at the lead", exchange=_EXCHANGE)

    def net(self, *, holdings: bool) -> Generator[None, None, Outcome[Net]]:
        """Have the lead read what the leader holds."""
        yield from ()

        def held(answer: Answer) -> Net | None:
            if not isinstance(answer, NetAnswer):
                return None
            return Net(dict(answer.units), dict(answer.multipliers), answer.result)

        return self._asked(Question("net", holdings), held)

    def funds(self) -> Outcome[Funds]:
        """Have the lead read the leader's funds."""
        return self._asked(Question("funds"), lambda answer: answer.funds if isinstance(answer, FundsAnswer) else None)

    def result(self) -> Outcome[Result]:
        """Say nothing: a leader's result is the lead's to show."""
        return Unknown("a leader's result is not told", exchange=_EXCHANGE)

    def take_token(self, access_token: SecretStr) -> None:
        """Do nothing."""

    def check(self, _token: SecretStr) -> Outcome[Profile]:
        """Say that the token that is not there works."""
        return Accepted(Profile(self._client_id, None, ()), exchange=_EXCHANGE)

    def renew(self, _token: SecretStr) -> Outcome[Token]:
        """Say nothing: a node never logs a leader in."""
        return Unknown("a node does not log a leader in", exchange=_EXCHANGE)

    def log_in(self, _pin: SecretStr, _totp_secret: SecretStr, _at: datetime) -> Outcome[Token]:
        """Say nothing: a node never logs a leader in."""
        return Unknown("a node does not log a leader in", exchange=_EXCHANGE)

    def close(self) -> None:
        """Do nothing: the bus is closed by who opened it."""

    def _asked(self, question: Question, value: Callable[[Answer], T | None]) -> Outcome[T]:
        self._is_heard.wait(FIRST_WITHIN)  # at a start the feed connects at the same time
        payload = self._bus.ask(ask(self._prefix, self._leader, self._epoch), written(question))
        answer = None if payload is None else unpacked(payload)
        if answer is None:
            return Unknown("the lead does not answer", exchange=_EXCHANGE)
        found = value(answer)
        if found is not None:
            return Accepted(found, exchange=_EXCHANGE)
        return Unknown(answer.why if isinstance(answer, NoAnswer) else "odd answer of the lead", exchange=_EXCHANGE)
