"""The task of writing a day's page, and the process that does it."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import msgspec

from copytrade.settings import Limits


class Task(msgspec.Struct, frozen=True):
    """Which day of which database; ``limits`` is the settings' table."""

    database: str
    date: date
    limits: dict[str, int]

    @property
    def request_limits(self) -> Limits:
        """The limits as the settings have them."""
        return Limits.model_validate(self.limits)


def start_task(database: str, day: date, limits: Limits) -> "subprocess.Popen[bytes]":
    """Start a process that writes a day's page beside the database. Raises OSError.

    It has a session of its own, so that Ctrl-C does not end it. The database's name may hold a password, so it is told
    by standard input.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "copytrade.reports.day"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},  # of this program, installed or not
    )
    if process.stdin is not None:
        process.stdin.write(msgspec.json.encode(Task(database, day, limits.model_dump(exclude={"reads"}))))
        process.stdin.close()
    return process
