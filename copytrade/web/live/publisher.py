"""Hands each change to everybody who listens; who is too slow is dropped."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from copytrade.common import wall_clock
from copytrade.web.live.state import state_of
from copytrade.web.live.view import View
from copytrade.web.page.regions import Regions, changes, regions_of, whole

#: Changes that may wait for one listener.
MOST_WAITING = 16

#: Those who may listen at once.
MOST_LISTENERS = 64


@dataclass(frozen=True, slots=True)
class Update:
    """A view as regions, and the events that tell what changed since the one before."""

    view: View
    regions: Regions
    changed: bytes


def prepared(view: View, before: Regions) -> Update:
    """Return a view as regions, and what changed; ``before`` are the regions of the view before."""
    now = regions_of(view)
    found = {name: changes(before.get(name, {}), region) for name, region in now.items()}
    return Update(view, now, b"".join(_event(name, changed) for name, changed in found.items() if changed))


class Listener:
    """Somebody who listens. None in the queue ends it."""

    def __init__(self, *, wants_state: bool) -> None:
        self.wants_state = wants_state
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING + 1)

    def put(self, event: bytes) -> bool:
        """Hand over an event; False if too many wait already."""
        if self.queue.qsize() >= MOST_WAITING:
            return False
        self.queue.put_nowait(event)
        return True

    def end(self) -> None:
        """End it, in place of what waits: after a gap the rest would be wrong."""
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(None)


class Publisher:
    """The latest view, and who listens. Used by one thread."""

    def __init__(self) -> None:
        self._taken = View()
        self._state = b""
        self.dropped = 0
        self._regions: Regions = {}
        self._listeners: set[Listener] = set()

    @property
    def view(self) -> View:
        """The latest view as it may be shown now."""
        return self._taken.as_of(wall_clock.now())

    @property
    def state(self) -> bytes:
        """The state as JSON, b"" if there is none. It is made when somebody wants it: a page does not."""
        status = self.view.status
        if status is None:
            return b""
        if not self._state:
            self._state = msgspec.json.encode(state_of(status))
        return self._state

    def take(self, update: Update) -> None:
        """Take a newer view, and tell the listeners what changed."""
        self._taken, self._state, self._regions = update.view, b"", update.regions
        for listener in list(self._listeners):
            said = update.changed + (self._state_event() if listener.wants_state else b"")
            if said and not listener.put(said):
                self.dropped += 1
                self._listeners.discard(listener)
                listener.end()

    def listen(self, *, wants_state: bool) -> Listener | None:
        """Return a new listener, who is told everything first; None if there are too many."""
        if len(self._listeners) >= MOST_LISTENERS:
            return None
        listener = Listener(wants_state=wants_state)
        everything = b"".join(_event(name, whole(region)) for name, region in self._regions.items())
        if first := everything + (self._state_event() if wants_state else b""):
            listener.put(first)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def end_all(self) -> None:
        """End every stream of events."""
        for listener in self._listeners:
            listener.end()
        self._listeners.clear()

    def _state_event(self) -> bytes:
        state = self.state
        return b"event: state\ndata: " + state + b"\n\n" if state else b""


def _event(name: str, found: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(found) + b"\n\n"
