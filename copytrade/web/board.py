"""What all routes share: the settings, who may ask, what is shown, and what can be changed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from copytrade.settings import Settings
from copytrade.web.access.rates import Rate
from copytrade.web.access.visitors import Visitor, Visitors
from copytrade.web.controls.giving import Controls
from copytrade.web.live.publisher import Publisher

T = TypeVar("T")

#: Reads of the database at once: that of the reader is one of them.
READS_AT_ONCE = 2

#: Reads that may wait, beyond which an answer is 503.
READS_WAITING = 8


class Busy(Exception):
    """Too many reads of the database wait already."""


@dataclass(slots=True)
class Board:
    """A running board. Used on the loop's thread, but for ``reads``."""

    settings: Settings
    visitors: Visitors = field(default_factory=Visitors)
    publisher: Publisher = field(default_factory=Publisher)
    reads: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(READS_AT_ONCE))
    #: Requests of one address, its failed attempts to log in, and its controls.
    requests: Rate = field(default_factory=lambda: Rate(200, 100.0))
    failures: Rate = field(default_factory=lambda: Rate(10, 10 / 60))
    controlling: Rate = field(default_factory=lambda: Rate(20, 1.0))
    #: Ends the connection of a client that reads nothing.
    abort: Callable[[Request], object] = lambda _request: None
    reading: int = 0
    #: What changes something.
    controls: Controls = field(init=False)

    def __post_init__(self) -> None:
        self.controls = Controls(self.settings)

    async def read(self, work: Callable[[], T]) -> T:
        """Run a read of the database in a thread, at most two at once. Raises Busy, and what it raises."""
        if self.reading >= READS_WAITING:
            raise Busy

        def held() -> T:
            with self.reads:
                return work()

        self.reading += 1
        try:
            return await run_in_threadpool(held)
        finally:
            self.reading -= 1


def board_of(request: Request) -> Board:
    """Return the board that a request is for."""
    board: Board = request.app.state.board
    return board


def visitor_of(request: Request) -> Visitor | None:
    """Return who asks, None for somebody unknown where everybody may ask."""
    visitor: Visitor | None = request.scope.get("visitor")
    return visitor
