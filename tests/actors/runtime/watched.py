"""Connections that are watched, and what shows who looked at them."""

import os
import socket
import threading
import time
from contextlib import suppress

from actors.runtime.dispatcher import Dispatcher

LATER = 3600.0


class Watched:
    """One end of a connection, and when it was looked at."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setblocking(False)
        self.heard: list[bytes] = []
        self.looks: list[float] = []
        self.threads: set[str] = set()
        self.again: float | None = LATER
        self.most_inside = self._inside = 0

    def look(self, now: float) -> float | None:
        self._inside += 1
        self.most_inside = max(self.most_inside, self._inside)
        self.looks.append(now)
        self.threads.add(threading.current_thread().name)
        with suppress(BlockingIOError):
            self.heard.append(self.near.recv(100))
        self._inside -= 1
        return None if self.again is None else time.monotonic() + self.again

    def watch(self, dispatcher: Dispatcher, due: float = LATER, *, urgent: bool = False) -> "Watched":
        dispatcher.watch(self.near.fileno(), self.look, time.monotonic() + due, urgent=urgent)
        return self

    def take_number_of(self, other: "Watched") -> None:
        """Close the other's socket and have its number, in one step: what else is opened must not come in between."""
        number = other.near.detach()
        with self.near:
            os.dup2(self.near.fileno(), number)
        self.near = socket.socket(fileno=number)
        self.near.setblocking(False)

    def close(self) -> None:
        self.near.close()
        self.far.close()
