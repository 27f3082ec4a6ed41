"""Messages that make an actor crash, pause or hang, and the addresses to send them to."""

import threading
import traceback
from typing import Any

from tests.support.copier import Copier
from tests.support.waiting import PATIENCE


class Bomb:
    """A message that goes off when an actor's handler looks at what it is."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @property
    def __class__(self) -> Any:
        if any(frame.name == "receive" for frame in traceback.extract_stack()):
            raise type(self._error)(*self._error.args)  # another one each time: this one's would know who failed
        return Bomb


class Pause:
    """A message over which an actor's handler waits until a test lets it go on."""

    def __init__(self, may_go_on: threading.Event) -> None:
        self._may_go_on = may_go_on

    @property
    def __class__(self) -> Any:
        if any(frame.name == "receive" for frame in traceback.extract_stack()):
            self._may_go_on.wait(PATIENCE)
        return Pause


def address(copier: Copier, name: str) -> Any:
    return next(child.address for child in copier.system.children if child.address.name == name)


def is_taken(copier: Copier, name: str, epoch: int) -> bool:
    """Whether the incarnation of that number runs."""
    return bool(address(copier, name).epoch == epoch and address(copier, name).is_taken)


class Sleep:
    """A message over which an actor hangs until it is let go."""

    def __init__(self) -> None:
        self.released = threading.Event()

    @property
    def __class__(self) -> Any:
        if any(frame.name == "receive" for frame in traceback.extract_stack()):
            self.released.wait(PATIENCE)
        return Sleep
