"""A lead's voice: tells one leader's orders on the bus, and answers what nodes ask of his account."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from actors.messages.feeds import (
    BookMerged,
    BookSnapshot,
    FeedMessage,
    FeedNews,
    GateClosed,
    GateOpened,
    OrderUpdated,
    Subscribe,
)
from actors.messages.positions import NetRead
from actors.messages.reads import CapitalRead, GapRecoveryMessage, ReadCapital, ReadNet
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from actors.runtime.address import Recipient
from actors.runtime.timers import Clock
from copytrade.bus.leader_news import (
    Answer,
    Beat,
    FundsAnswer,
    GateTold,
    NetAnswer,
    NoAnswer,
    OrdersAnswer,
    OrderTold,
    Question,
    ask,
    live,
    packed,
    read_question,
    written,
)
from copytrade.bus.messages import Heard, MessageBus
from copytrade.common.measures import Figure
from copytrade.core.model.accounts import Funds
from copytrade.core.model.orders import Order

#: Seconds between two beats.
BEAT_EVERY = 0.25


@dataclass(frozen=True, slots=True)
class BeatIsDue:
    """Time to say that the lead lives."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A node asks something; ``answer`` sends the payload of the answer."""

    question: Question
    answer: Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class LedLeader:
    """A leader whose lead this process is: his name and client id, what the bus calls him, and the lead's epoch."""

    name: str
    client_id: str
    prefix: str
    epoch: int


BroadcasterInbox = FeedNews | CapitalRead | BeatIsDue | Asked | ActorUp | ActorDied


class Broadcaster(GuardedActor[BroadcasterInbox]):
    """Numbers everything it tells, so that a node notices what did not arrive. Its gate is the feed's."""

    def __init__(
        self,
        life: Incarnation[BroadcasterInbox],
        leader: LedLeader,
        bus: MessageBus,
        clock: Clock,
        feed: Recipient[FeedMessage],
        recovery: Recipient[GapRecoveryMessage],
    ) -> None:
        super().__init__(life)
        self._leader = leader
        self._bus = bus
        self._clock = clock
        self._feed = feed
        self._recovery = recovery
        self._lead_epoch = leader.epoch + life.epoch - 1  # a later incarnation counts its news anew
        self._subject = live(leader.prefix, leader.name)
        self._heard: Heard | None = None
        self._n = 0
        self._gate_open = False
        self._orders: dict[str, Order] = {}
        self._skew: float | None = None
        self._net_asked: list[tuple[float, Asked]] = []
        self._funds_asked: list[Asked] = []

    def set_up(self) -> None:
        """Begin to hear the feed, and to say so."""
        self.health.state = "live"
        self._feed.tell(Subscribe(self.address))
        self._beat()

    def receive(self, message: BroadcasterInbox) -> None:
        """Tell what the feed tells, and answer nodes."""
        match message:
            case OrderUpdated(_, order, _, recovered):
                self._tell_order(order, recovered=recovered)
            case BookSnapshot(_, orders, gate_open):
                self._orders = {order.id: replace(order, leader="") for order in orders}
                self._set_gate(is_open=gate_open)
            case GateClosed():
                self._set_gate(is_open=False)
            case GateOpened():
                self._set_gate(is_open=True)
            case BookMerged(skew=skew):
                self._skew = skew if skew is not None else self._skew
            case NetRead():
                self._answer_net(message)
            case CapitalRead(_, _, Funds() as funds):
                self._answer_funds(funds)
            case Asked():
                self._answer(message)
            case BeatIsDue(epoch) if epoch == self.epoch:
                self._beat()
            case ActorUp(name) if name == self._feed.name:
                self._feed.tell(Subscribe(self.address))
            case ActorDied(name) if name == self._feed.name:
                self._set_gate(is_open=False)
            case ActorUp(name) if name == self._recovery.name:
                self._ask_again()
            case _:
                pass

    def figures(self) -> dict[str, Figure]:
        """Return how much was told, and how many orders are known."""
        return {"told": self._n, "orders": len(self._orders), "gate": "open" if self._gate_open else "closed"}

    def tear_down(self) -> None:
        """Answer no more."""
        if self._heard is not None:
            self._heard.end()

    def _beat(self) -> None:
        if self._heard is None:  # the bus was not there
            subject = ask(self._leader.prefix, self._leader.name, self._lead_epoch)
            self._heard = self._bus.listen(subject, self._take_question)
        beat = Beat(self._lead_epoch, self._n, self._leader.client_id, self._gate_open)
        self._bus.publish(self._subject, written(beat))
        self._clock.tell_later(BEAT_EVERY, self.address, BeatIsDue(self.epoch))

    def _tell_order(self, order: Order, *, recovered: bool) -> None:
        order = self._orders[order.id] = replace(order, leader="")
        self._n += 1
        self._bus.publish(self._subject, written(OrderTold(self._lead_epoch, self._n, order, recovered)))

    def _set_gate(self, *, is_open: bool) -> None:
        if self._gate_open is not is_open:
            self._gate_open = is_open
            self._n += 1
            self._bus.publish(self._subject, written(GateTold(self._lead_epoch, self._n, is_open)))

    def _take_question(self, payload: bytes, answer: Callable[[bytes], object]) -> None:
        """Take a question, in the bus's thread."""
        if (question := read_question(payload)) is not None:
            self.address.tell(Asked(question, answer))

    def _answer(self, asked: Asked) -> None:
        match asked.question.what:
            case "orders" if self._gate_open:
                _send(asked, OrdersAnswer(tuple(self._orders.values()), self._skew))
            case "orders":
                _send(asked, NoAnswer("the lead itself may have missed orders"))
            case "net":
                self._net_asked.append((time.monotonic(), asked))
                self._recovery.tell(ReadNet(self._leader.name, asked.question.holdings, self.address, urgent=True))
            case "funds":
                self._funds_asked.append(asked)
                self._ask_funds()

    def _ask_funds(self) -> None:
        self._recovery.tell(ReadCapital(self._leader.name, self.address))

    def _ask_again(self) -> None:
        """Ask a restarted gap recovery for what its predecessor may not have read."""
        if self._net_asked:
            holdings = any(asked.question.holdings for _, asked in self._net_asked)
            self._recovery.tell(ReadNet(self._leader.name, holdings, self.address, urgent=True))
        if self._funds_asked:
            self._ask_funds()

    def _answer_net(self, read: NetRead) -> None:
        """Answer who asked before this read began."""
        waiting, self._net_asked = self._net_asked, []
        for at, asked in waiting:
            if at <= read.began:
                _send(asked, NetAnswer(tuple(read.net.items()), tuple(read.multipliers.items()), read.result))
            else:
                self._net_asked.append((at, asked))

    def _answer_funds(self, funds: Funds) -> None:
        waiting, self._funds_asked = self._funds_asked, []
        for asked in waiting:
            _send(asked, FundsAnswer(funds))


def _send(asked: Asked, answer: Answer) -> None:
    asked.answer(packed(answer))
