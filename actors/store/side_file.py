"""Writes down what an earlier store, or an earlier run, left in the side file."""

from collections.abc import Sequence

from loguru import logger

from copytrade.common.logs import alert, fields
from copytrade.storage.database import UNWRITABLE, Database
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.records import Record


def write_from_side_file(side_file: SideFile, database: Database) -> None:
    """Write the records of the side file to the database, and clear it; set it aside if some cannot be read."""
    records, unreadable = side_file.read()
    mark = side_file.mark
    if mark.value and database.config(mark.key) == mark.value:
        records = []  # they were written, and then the program was killed
    elif records:
        unreadable += _write(records, side_file, database)
    if unreadable:
        _set_aside(side_file, unreadable)
    else:
        side_file.clear()


def _write(records: Sequence[Record], side_file: SideFile, database: Database) -> int:
    """Write records; return how many cannot be written: all, if one of them fits no table."""
    try:
        database.write([*records, side_file.mark])
    except UNWRITABLE as error:
        logger.error("Records from the side file cannot be written {}", fields(error=type(error).__name__))
        return len(records)
    logger.warning("Records from the side file written {}", fields(records=len(records)))
    return 0


def _set_aside(side_file: SideFile, unreadable: int) -> None:
    """Keep a side file that cannot be read under another name, and alert somebody."""
    try:
        aside = side_file.set_aside()
    except OSError as error:
        why = fields(file=side_file.path, error=error)
        alert("side_file", "", "Side file cannot be read, nor set aside {}", why)
    else:
        found = fields(unreadable=unreadable, file=aside)
        alert("side_file", "", "Side file had lines that cannot be read, set aside {}", found)
