"""The status of the running copier, in a file beside the database that commands read."""

import os
import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from copytrade.common.logs import fields
from copytrade.storage.files.lock_file import beside

#: Seconds that the writer gets to end.
ENDS_WITHIN = 1.0


class ActorStatus(msgspec.Struct, frozen=True):
    """One actor: its state, and what it shows of itself.

    ``age_s`` is the seconds since its last message, ``up_s`` those since it was started or restarted.
    """

    name: str
    state: str
    restarts: int
    mailbox: int
    age_s: float
    figures: Mapping[str, int | float | str] = {}
    details: Mapping[str, Any] = {}
    up_s: float = 0.0


class CopierStatus(msgspec.Struct, frozen=True):
    """All actors of a copier at a moment, in the order in which they start."""

    at: datetime
    since: datetime
    pid: int
    mode: str
    leader: str
    followers: list[str]
    actors: list[ActorStatus]
    leaders: list[str] = []

    @property
    def all_leaders(self) -> list[str]:
        """The names of all leaders; ``leader`` is the first."""
        return self.leaders or [self.leader]

    def actor(self, name: str) -> ActorStatus | None:
        """Return an actor by its name, None if there is none."""
        return next((actor for actor in self.actors if actor.name == name), None)


def status_path(database: str) -> Path:
    """Return the path of a database's status file."""
    return beside(database, "status")


def read_status(database: str) -> CopierStatus | None:
    """Return what the copier of a database wrote last, None if there is nothing to be read."""
    try:
        return msgspec.json.decode(status_path(database).read_bytes(), type=CopierStatus)
    except (OSError, msgspec.MsgspecError):
        return None


class StatusFile:
    """Writes each status in place of the one before, in a thread of its own: no actor waits for a disk."""

    def __init__(self, database: str) -> None:
        self._path = status_path(database)
        self._new = self._path.with_name(f"{self._path.name}.new")
        self._waiting: queue.SimpleQueue[CopierStatus | None] = queue.SimpleQueue()
        self._fails = False
        self._thread = threading.Thread(target=self._write_all, name="status-file", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, status: CopierStatus) -> None:
        """Have a status written; returns at once. Only the latest that waits is."""
        self._waiting.put(status)

    def close(self) -> None:
        """End the thread and remove the file: nobody copies any more."""
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(ENDS_WITHIN)
        for path in (self._path, self._new):
            with suppress(OSError):
                path.unlink()

    def _write_all(self) -> None:
        while True:
            waiting = [self._waiting.get()]
            while not self._waiting.empty():
                waiting.append(self._waiting.get())
            if None in waiting:
                return
            if waiting[-1] is not None:
                self._write(waiting[-1])

    def _write(self, status: CopierStatus) -> None:
        try:
            descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(status))
            self._new.replace(self._path)
            self._fails = False
        except OSError as error:
            if not self._fails:
                logger.warning("Status cannot be written {}", fields(file=self._path, error=error))
            self._fails = True
