"""Writing a report to a file that only its owner can read."""

import os
import re
import tempfile
from datetime import date
from pathlib import Path

from copytrade.storage.files.lock_file import beside

_OWNER_ONLY = 0o600


def page_file(database: str, day: date) -> Path:
    """Return the path of a day's page beside the database: ``copy_trading-2026-11-30.html`` for copy_trading.db."""
    own = beside(database, "day")
    stem = re.sub(r"(?<=.)\.(db|sqlite3?)$", "", own.name.removesuffix(".day"))
    return own.with_name(f"{stem}-{day}.html")


def write_text(path: Path, text: str) -> None:
    """Write a file at once, in place of one of that name; what is no file, such as /dev/stdout, is written to.

    Raises OSError; then no file is changed.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8", newline="")
        return
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # readable by its owner only
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(_OWNER_ONLY)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
