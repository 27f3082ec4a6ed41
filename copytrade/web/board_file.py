"""How a board is found: by what it prints, and by ``<database>.board`` with its key, which this user alone can read."""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from copytrade.storage.files.lock_file import beside

#: What begins the line that says where the board is, and the one with a link to log in by, which is never logged.
AT, LINK = "Board at ", "Log in: "


class BoardFile(msgspec.Struct, frozen=True):
    """The board's address and its key."""

    url: str
    key: str


def board_path(database: str) -> Path:
    """Return the path of a database's board file."""
    return beside(database, "board")


def read_board(database: str) -> BoardFile | None:
    """Return where the board is, None if there is nothing to be read."""
    try:
        return msgspec.json.decode(board_path(database).read_bytes(), type=BoardFile)
    except (OSError, msgspec.MsgspecError):
        return None


def write_board(database: str, board: BoardFile) -> None:
    """Write it in place of another's. Raises OSError."""
    path = board_path(database)
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(board))
    new.replace(path)


def remove_board(database: str, board: BoardFile) -> None:
    """Remove it, unless another board has written its own."""
    if read_board(database) == board:
        with suppress(OSError):
            board_path(database).unlink()
