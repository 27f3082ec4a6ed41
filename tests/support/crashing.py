"""Runs the copier and kills it at one step of one request of alice's: ``crashing.py STEP KIND``.

The steps are found from outside, by standing between the copier and what it calls; the program knows nothing of them.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import run
from actors.follower.actor import Follower
from actors.follower.messages import RequestFinished
from actors.messages.store import CopiesLoaded
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.http.client import Begun, Transport
from copytrade.brokers.http.connection import Connection
from copytrade.core.model.copies import Copy, Stage
from copytrade.storage.database import Database
from copytrade.storage.records import CopyChanged
from tests.support.copier import ALICE

METHODS = {"place": b"POST ", "modify": b"PUT ", "cancel": b"DELETE "}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def around(owner: type, name: str, before: Callable[..., bool], after: Callable[..., bool]) -> None:
    """Die before or after a call of a method, where the given function says so of its arguments."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if before(*args):
            die()
        result = original(*args, **kwargs)
        if after(*args):
            die()
        return result

    setattr(owner, name, wrapped)


def never(*_: Any) -> bool:
    return False


def is_intent(kind: str, copy: Copy) -> bool:
    if kind == "place":
        return copy.stage is Stage.PENDING
    return kind == "modify" and copy.stage is Stage.LIVE and copy.desired != copy.accepted


def is_outcome(kind: str, copy: Copy) -> bool:
    match kind:
        case "place":
            return copy.stage is Stage.LIVE and copy.accepted is not None
        case "modify":
            return copy.modifications > 0 and copy.desired == copy.accepted
        case _:
            return copy.cancel_sent or copy.stage is Stage.ENDED


def arm(step: str, kind: str) -> None:
    def writes(is_it: Callable[[str, Copy], bool]) -> Callable[..., bool]:
        def check(_database: Database, records: list[Any]) -> bool:
            changed = (record.copy for record in records if isinstance(record, CopyChanged))
            return any(copy.follower == "alice" and is_it(kind, copy) for copy in changed)

        return check

    def mine(rest: DhanRest, *_: Any) -> bool:
        return rest._client_id == ALICE

    def written(_connection: Connection, request: bytes, _deadline: float) -> bool:
        return request.startswith(METHODS[kind]) and f"client-id: {ALICE}".encode() in request

    def answered(transport: Transport, begun: Begun, *_: Any) -> bool:
        return transport._client_id == ALICE and begun.content.startswith(METHODS[kind])

    def told(what: type) -> Callable[..., bool]:
        return lambda follower, message: follower.address.name == "alice" and isinstance(message, what)

    finishing: list[str] = []

    def finishes(follower: Follower, message: Any) -> bool:
        """Never to die before it: only to see which request it is, which the follower then forgets."""
        if follower.address.name == "alice":
            flight = follower._in_flight.get(message.token) if isinstance(message, RequestFinished) else None
            finishing[:] = [type(flight.action).__name__.lower()] if flight else []
        return False

    def finished(follower: Follower, _message: Any) -> bool:
        return follower.address.name == "alice" and finishing == [kind]

    match step:
        case "before the intent is committed":
            around(Database, "intend", writes(is_intent), never)
        case "after the intent is committed":
            around(Database, "intend", never, writes(is_intent))
        case "before the request leaves":
            around(DhanRest, kind, mine, never)
        case "before the answer comes":
            around(Connection, "write", never, written)
        case "after the answer has come":
            around(Transport, "_replied", never, answered)
        case "before the outcome is committed":
            around(Database, "write", writes(is_outcome), never)
        case "after the outcome is committed":
            around(Database, "write", never, writes(is_outcome))
        case "when the outcome is known":
            around(Follower, "receive", finishes, finished)
        case "when the copies are loaded":
            around(Follower, "receive", never, told(CopiesLoaded))
        case "while the own book is read":
            around(DhanRest, "orders", never, mine)
        case "while the order is searched":
            around(DhanRest, "order_by_correlation_id", never, mine)
        case "while the positions are read":
            around(DhanRest, "positions", mine, never)
        case "when the database is opened":
            around(Database, "claim", never, lambda *_: True)
        case _:
            raise SystemExit(f"there is no step {step!r}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        arm(*sys.argv[1:])
    sys.exit(run.main([]))
