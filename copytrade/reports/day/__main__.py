"""Writes a day's page in a process of its own, so that a copier's orders do not wait for it.

Standard input has a :class:`Task` as JSON. The last line of standard error says what is wrong; then the exit code is 1.
"""

import os
import sys

import msgspec

from copytrade.reports.day.file import page_file, write_text
from copytrade.reports.day.page.document import day_page
from copytrade.reports.day.task import Task
from copytrade.storage.database import DatabaseUnusable

#: How far it steps back for the copier.
NICE = 10


def main(text: bytes) -> int:
    """Do a task; return the exit code."""
    task = msgspec.json.decode(text, type=Task)
    try:
        write_text(page_file(task.database, task.date), day_page(task.database, task.date, task.request_limits))
    except (DatabaseUnusable, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    os.nice(NICE)
    sys.exit(main(sys.stdin.buffer.read()))
