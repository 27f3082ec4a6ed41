"""The connections of one account: those that are ready, and those in use."""

import time
from collections import deque

from copytrade.brokers.http.connection import Connection, Endpoint


class Connections:
    """Opens, keeps and closes connections. All methods may be called from any thread."""

    def __init__(self, endpoint: Endpoint, connect_timeout: float, idle_limit: float) -> None:
        """Connecting may take ``connect_timeout`` seconds; a connection unused for ``idle_limit`` is not used again."""
        self._endpoint = endpoint
        self._connect_timeout = connect_timeout
        self._idle_limit = idle_limit
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._closed = False

    def open(self, deadline: float) -> Connection:
        """Return a new connection. Raises OSError, or UnicodeError for a host name that cannot be one."""
        connection = Connection(self._endpoint)
        # In this order: close() sets the flag before it looks at the set, so one of the two sees the other.
        self._all.add(connection)
        if self._closed:
            self.discard(connection)
            raise ConnectionAbortedError("this transport is closed")
        try:
            connection.open(min(deadline, time.monotonic() + self._connect_timeout))
        except BaseException:
            self.discard(connection)
            raise
        return connection

    def take(self) -> Connection | None:
        """Return the ready connection that was used last, None if there is none."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if self._is_good(connection):
                return connection
            self.discard(connection)

    def give_back(self, connection: Connection) -> None:
        """Make a connection ready that was taken or opened."""
        if self._closed:
            self.discard(connection)
        else:
            self._idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Close a connection."""
        self._all.discard(connection)
        connection.close()

    def warm(self, count: int, fresh_for: float = 0.0) -> int:
        """Open connections ahead of need until ``count`` are ready; return how many are.

        Call it from time to time: it replaces those that the server has closed, and those that will have idled too
        long in ``fresh_for`` seconds. Ready connections stay ready meanwhile.
        """
        for _ in range(len(self._idle)):
            if self._closed or (idle := self._take_oldest()) is None:
                break
            if self._is_good(idle, fresh_for):
                self._idle.append(idle)
            elif self._open_another():
                self.discard(idle)
            else:
                self._idle.appendleft(idle)
                break
        while not self._closed and len(self._idle) < count and self._open_another():
            pass
        if self._closed:
            self.close()
        return len(self._idle)

    def _open_another(self) -> bool:
        """Open one more connection; return False if the broker cannot be reached. The next request reports that."""
        try:
            self._idle.append(self.open(time.monotonic() + self._connect_timeout))
        except (OSError, UnicodeError):
            return False
        return True

    def is_warm(self, count: int, fresh_for: float = 0.0) -> bool:
        """Whether :meth:`warm` has nothing to do. It does not block."""
        good = []
        for _ in range(len(self._idle)):
            if (oldest := self._take_oldest()) is not None:
                good.append(self._is_good(oldest, fresh_for))
                self._idle.append(oldest)
        if self._closed:
            self.close()
        return len(good) >= count and all(good)

    def close(self) -> None:
        """Close every connection, also those in use; none is opened afterwards."""
        self._closed = True
        for connection in list(self._all):
            connection.abort()
        while idle := self.take():
            self.discard(idle)

    def _take_oldest(self) -> Connection | None:
        try:
            return self._idle.popleft()
        except IndexError:
            return None

    def _is_good(self, connection: Connection, fresh_for: float = 0.0) -> bool:
        return time.monotonic() + fresh_for - connection.idle_since < self._idle_limit and connection.is_alive()
