"""The board among the copier's children: its program, and how it is kept alive."""

import os
import sys
from pathlib import Path

from actors.board import Board, BoardInbox, BoardProgram
from actors.runtime.address import Address
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from copytrade.settings import Settings
from copytrade.web.board_file import board_path

#: Seconds that one message may take; to end the process is one.
DEADLINE = 30.0


def board_program(settings: Settings, path: Path) -> BoardProgram | None:
    """Return the program of the board of a settings file, None if the settings switch it off.

    A link to log in by is shown in paper mode and on a terminal, never in a journal.
    """
    if not settings.board.enabled:
        return None
    shows = sys.stderr.isatty() or (settings.mode == "paper" and "JOURNAL_STREAM" not in os.environ)
    command = [sys.executable, "-m", "copytrade.web", str(path.absolute()), *(["--link"] if shows else [])]
    return BoardProgram(command, board_path(settings.store.database), _show)


def board_child(program: BoardProgram, address: Address[BoardInbox], restarts: RestartPolicy) -> ChildSpec:
    """Return the spec of the board: copying does not wait for it, and it takes in no more work at a stop."""
    return ChildSpec(
        address, lambda life: Board.start(life, program), restarts, DEADLINE, core=False, intake=True, awaited=False
    )


def _show(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
