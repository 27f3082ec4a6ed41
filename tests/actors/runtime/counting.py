"""An actor that shows what becomes of its messages."""

import threading
from typing import Any

from actors.runtime.actor import GuardedActor, Incarnation
from actors.runtime.address import Address
from actors.runtime.dispatcher import Dispatcher
from tests.support.waiting import PATIENCE, eventually


class Counting(GuardedActor[Any]):
    """Keeps what it is told; a barrier among it is waited for, functions are called. Says so if two threads run it."""

    def set_up(self) -> None:
        self.heard: list[Any] = []
        self.threads: set[str] = set()
        self._inside = 0

    def receive(self, message: Any) -> None:
        self._inside += 1
        assert self._inside == 1, "two threads in one actor"
        self.threads.add(threading.current_thread().name)
        if isinstance(message, threading.Event):
            message.wait(2 * PATIENCE)  # longer than anybody waits for what it must not hold up
        elif callable(message):
            message()
        self.heard.append(message)
        self._inside -= 1


def seated(dispatcher: Dispatcher, name: str) -> tuple[Address[Any], Counting]:
    address: Address[Any] = Address(name, dispatcher)
    Counting.start(Incarnation(address, 1, lambda _report: None))
    assert address.ref is not None
    actor = address.ref._actor_weakref()
    assert isinstance(actor, Counting)
    eventually(lambda: hasattr(actor, "_inside"), f"{name} is set up")
    return address, actor
