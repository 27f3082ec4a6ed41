"""Relative paths in the settings: they start at the folder of the settings file, whatever the working directory is."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from copytrade.settings.board import Board
from copytrade.settings.broker import Dhan, Market
from copytrade.settings.operation import Log, Storage

#: The keys that name a file: table, key, and the table's model with the default.
_FILES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("store", "database", Storage),
    ("log", "file", Log),
    ("market", "calendar", Market),
    ("dhan", "instruments_url", Dhan),
    ("board", "tls_cert", Board),
    ("board", "tls_key", Board),
)

#: A URL that names a file of SQLite's by its path.
_SQLITE_URL = re.compile(r"((?:sqlite|sqliteext|sqlitepool|sqliteextpool|apsw):///)(?!/)(.+)")


def with_absolute_paths(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the settings, not validated yet, with every path made absolute; a default that names a file is set."""
    found = dict(raw)
    for table, key, model in _FILES:
        section = found.get(table, {})
        if not isinstance(section, dict):
            continue
        value = section.get(key, model.model_fields[key].default)
        if isinstance(value, str) and value:
            found[table] = {**section, key: _absolute(value, folder.absolute())}
    return found


def _absolute(value: str, folder: Path) -> str:
    if url := _SQLITE_URL.fullmatch(value):
        return f"{url[1]}{quote(str(folder))}/{url[2]}"
    return value if "://" in value else str(folder / value)
