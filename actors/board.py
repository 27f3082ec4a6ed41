"""Owner of the board, a process of its own: a browser never takes the interpreter from an order."""

import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from copytrade.common.logs import fields
from copytrade.common.measures import Figure
from copytrade.web.board_file import AT, LINK

#: Seconds that the process gets to end.
ENDS_WITHIN = 0.8

#: Lines of one process that are logged.
LINES_LOGGED = 20


@dataclass(frozen=True, slots=True)
class BoardProgram:
    """The command that runs the board, the file that it leaves while it runs, and what shows a link to log in by."""

    command: Sequence[str]
    file: Path
    show: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class BoardSaid:
    """The process of an incarnation has written a line."""

    epoch: int
    line: str


@dataclass(frozen=True, slots=True)
class BoardEnded:
    """The process of an incarnation has ended."""

    epoch: int


BoardInbox = BoardSaid | BoardEnded | ActorUp | ActorDied


class BoardGone(Exception):
    """The process has ended by itself: the message is its exit code and its last line."""


class Board(GuardedActor[BoardInbox]):
    """Runs the board, and dies when its process does. The process ends with its standard input."""

    def __init__(self, life: Incarnation[BoardInbox], program: BoardProgram) -> None:
        super().__init__(life)
        self._program = program
        self._process: subprocess.Popen[str] | None = None
        self._url = self._last = ""
        self._lines = 0

    def set_up(self) -> None:
        """Start the process; a thread reads what it writes."""
        self._process = subprocess.Popen(  # noqa: S603 (our own program)
            self._program.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},  # of this program, installed or not
        )
        threading.Thread(target=self._listen, args=[self._process], name="board", daemon=True).start()

    def receive(self, message: BoardInbox) -> None:
        """Log what the board says. Raises BoardGone when it has ended."""
        match message:
            case BoardSaid(epoch, line) if epoch == self.epoch:
                self._said(line)
            case BoardEnded(epoch) if epoch == self.epoch and self._process is not None:
                raise BoardGone(f"exit code {self._process.wait()}{self._last and f': {self._last}'}")
            case _:
                pass

    def tear_down(self) -> None:
        """End the process, and remove its file if it could not."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.returncode and self.is_current:
            self._program.file.unlink(missing_ok=True)

    def figures(self) -> dict[str, Figure]:
        """Return where the board is."""
        return {"url": self._url}

    def _said(self, line: str) -> None:
        if line.startswith(LINK):
            self._program.show(line)
        elif line.startswith(AT):
            self._url = line.removeprefix(AT)
            logger.info("{}{}", AT, self._url)
        elif line:
            self._last = line
            self._lines += 1
            if self._lines <= LINES_LOGGED:
                logger.warning("Board says {}", fields(line=line))

    def _listen(self, process: "subprocess.Popen[str]") -> None:
        if process.stdout is not None:
            for line in process.stdout:
                self.address.tell(BoardSaid(self.epoch, line.strip()))
        self.address.tell(BoardEnded(self.epoch))
