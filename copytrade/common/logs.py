"""The log: one line per event, on the console and in the file."""

import copy
import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import tzinfo
from typing import TYPE_CHECKING

import pytz
from loguru import logger
from pydantic import SecretStr

from copytrade.common.measures import NUMBERS, Figure, as_json, text_of
from copytrade.common.redaction import all_without_secrets, hide, readable

if TYPE_CHECKING:
    from loguru import Logger, Record

#: Terminal codes of colours: of the time, of each level, and the reset.
_GREEN, _PLAIN = "\x1b[32m", "\x1b[0m"
_COLOURS = {
    "TRACE": "\x1b[36m\x1b[1m",
    "DEBUG": "\x1b[34m\x1b[1m",
    "INFO": "\x1b[1m",
    "SUCCESS": "\x1b[32m\x1b[1m",
    "WARNING": "\x1b[33m\x1b[1m",
    "ERROR": "\x1b[31m\x1b[1m",
    "CRITICAL": "\x1b[41m\x1b[1m",
}

#: Reserved names in a JSON line.
_OWN_NAMES = frozenset({"time", "level", "message", "alert"})

#: Fields that were formatted in this thread since the last line.
_formatted = threading.local()

#: Length of a time without its zone; and of its date, which the console leaves out.
_TO_MILLISECONDS = len("2026-11-25 09:15:00.000")
_TO_DATE = len("2026-11-25 ")

#: Seconds that a line waits for others, so that writing does not delay urgent work.
LINGER = 0.05

#: Lines that are searched and written at once: more would hold the interpreter for too long.
_AT_ONCE = 100

#: Maximum fields of a line.
_AT_MOST = 10

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_NOISY = ("websocket", "peewee", "urllib3", "uvicorn", "websockets", "asyncio", "dhanhq")


class Fields(str):
    """``name=value`` pairs: text in a line, and separate typed values, so that none can pass for another field."""

    __slots__ = ("values",)

    values: dict[str, Figure]

    def __format__(self, spec: str) -> str:
        """Note that these fields became part of a line."""
        _formatted.fields = [*getattr(_formatted, "fields", ())[-_AT_MOST:], self]
        return format(str(self), spec)


def fields(**values: object) -> Fields:
    """Return ``name=value`` pairs for a log line; empty values are left out. Numbers stay numbers in JSON."""
    texts = {name: text_of(value) for name, value in values.items() if value is not None and value != ""}
    return in_line(
        " ".join([f"{name}={_quoted(text)}" for name, text in texts.items()]),
        {name: value if isinstance(value := values[name], NUMBERS) else text for name, text in texts.items()},
    )


def in_line(text: str, values: dict[str, Figure]) -> Fields:
    """Return a text for a log line that shows these values in its own way."""
    made = Fields(text)
    made.values = values
    return made


def alert(kind: str, who: str, message: str, *values: object, level: str = "CRITICAL") -> None:
    """Log a line that the notifier delivers too; alerts of one ``kind`` and ``who`` count as the same."""
    logger.bind(alert=kind, who=who).opt(depth=1).log(level, message, *values)


def over(kind: str, who: str, message: str, *values: object, level: str = "INFO") -> None:
    """Log a line that ends the trouble of which ``alert`` told: the notifier says so where it was told."""
    logger.bind(over=kind, who=who).opt(depth=1).log(level, message, *values)


def configure_logging(
    file: str,
    level: str,
    secrets: Iterable[SecretStr],
    *,
    json_lines: bool = False,
    zone: str = "Asia/Kolkata",
    show: Callable[[str, str, str], str] | None = None,
) -> None:
    """Log to the console and to ``file``, there as JSON with ``json_lines``, including the lines of libraries.

    Times are of ``zone``. ``show`` makes a time of day, a level and a message into what the console shows, "" for
    nothing; without it the console has the lines of the file.

    As a last resort, the given secrets and anything that looks like a token are removed from every line, and invisible
    characters are escaped. Lines are written :data:`LINGER` seconds later, by a thread.
    """
    for secret in secrets:
        hide(secret)

    logger.remove()
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    on_console = show or _as_in_file(coloured=coloured)
    lines = _Later(_written(file), on_console, pytz.timezone(zone), json_lines=json_lines)
    logger.configure(patcher=_prepare)
    # Taken in by the filter, which lets nothing through: what it lets through is formatted at once.
    logger.add(lines, format="", level=level, filter=lines.take)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("pykka").setLevel(logging.CRITICAL)


def _written(file: str) -> "Logger":
    """Return a logger that writes finished text to the file and the console."""
    written = copy.deepcopy(logger)
    shown = "{extra[console]}"
    written.add(sys.stderr, format=shown, level=0, filter=_is_shown, diagnose=False, backtrace=False)
    written.add(
        file,
        format="{extra[file]}",
        level=0,
        diagnose=False,
        backtrace=False,
        rotation="50 MB",
        watch=True,  # a file that logrotate has moved away is no longer ours
        retention=10,
        errors="backslashreplace",  # half a character must not take the other lines with it
    )
    return written


def _is_shown(record: "Record") -> bool:
    return bool(record["extra"]["console"])


def _as_in_file(*, coloured: bool) -> Callable[[str, str, str], str]:
    """Return what shows a line on the console as the file has it, without its date."""
    green, plain, colours = (_GREEN, _PLAIN, _COLOURS) if coloured else ("", "", {})
    return lambda at, level, message: f"{green}{at}{plain} {colours.get(level, '')}{level: <8}{plain} {message}"


class _Later:
    """Queues lines and writes them in a thread of its own, so that logging does not delay the caller."""

    def __init__(
        self, written: "Logger", show: Callable[[str, str, str], str], zone: tzinfo, *, json_lines: bool
    ) -> None:
        self._lines: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._written = written
        self._json_lines = json_lines
        self._show = show
        self._zone = zone
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def take(self, line: "Record") -> bool:
        """Queue a line."""
        self._lines.put(line)
        return False

    def write(self, text: str) -> None:
        """Do nothing: lines are queued by ``take``."""

    def stop(self) -> None:
        """Write what is left."""
        self._lines.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        is_last = False
        while not is_last:
            lines = self._waiting()
            is_last = None in lines
            self._write([line for line in lines if line is not None])
        self._written.remove()

    def _waiting(self) -> "list[Record | None]":
        """Wait for a line, and LINGER seconds for more; return them, None at the end."""
        lines = [self._lines.get()]
        if lines[0] is not None and self._lines.qsize() < _AT_ONCE:
            time.sleep(LINGER)
        return lines + [self._lines.get() for _ in range(min(self._lines.qsize(), _AT_ONCE))]

    def _write(self, lines: "list[Record]") -> None:
        said: list[tuple[Record, str]] = []
        for line in lines:
            try:
                said.append((line, _said(line)))
            except Exception as error:  # of what was to be logged: the next line is another
                print(f"a line could not be logged: {type(error).__name__}", file=sys.stderr)  # noqa: T201
        if not said:
            return
        in_file, on_console = [], []
        for (line, _), message in zip(said, _scrubbed([message for _, message in said]), strict=True):
            at = line["time"].astimezone(self._zone).isoformat(" ", "milliseconds")[:_TO_MILLISECONDS]
            level = line["level"].name
            in_file.append(_as_json(line, message) if self._json_lines else f"{at} {level: <8} {message}")
            on_console += self._shown(at[_TO_DATE:], level, message)
        self._written.bind(file="\n".join(in_file), console="\n".join(on_console)).info("")

    def _shown(self, at: str, level: str, message: str) -> list[str]:
        """Return what the console shows of a line; a line that cannot be shown otherwise is shown as it is."""
        try:
            shown = self._show(at, level, message)
        except Exception:  # it must not end the log
            shown = f"{at} {level} {message}"
        return [shown] if shown else []


class _ToLoguru(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Forward a line of a library."""
        level = record.levelname if record.levelname in _LEVELS else "WARNING"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())


def _said(record: "Record") -> str:
    """Return the message of a line, with its exception."""
    if error := record["exception"]:
        return f"{record['message']}\n{type(error.value).__name__}: {error.value}"
    return record["message"]


def _prepare(record: "Record") -> None:
    record["message"] = record["message"].rstrip()  # its last fields may be empty
    _keep_fields(record)
    if "alert" in record["extra"] or "over" in record["extra"]:
        _scrub(record)


def _scrub(record: "Record") -> None:
    """Remove secrets from a line before it is formatted."""
    record["message"] = scrubbed(_said(record))
    record["exception"] = None


def _keep_fields(record: "Record") -> None:
    """Keep the fields of a line with their original values, but not those that were formatted for another line."""
    made: list[Fields] = getattr(_formatted, "fields", [])
    if made:
        _formatted.fields = []
        record["extra"]["fields"] = [one.values for one in made if one in record["message"]]


def _as_json(record: "Record", message: str) -> str:
    """Return a line as an object: its time with zone, level and text, and its fields by name, numbers as numbers."""
    given: list[dict[str, Figure]] = record["extra"].get("fields", [])
    pairs = {name: value for one in given for name, value in as_json(one).items() if name not in _OWN_NAMES}
    texts = {name: value for name, value in pairs.items() if isinstance(value, str)}
    line = {"time": record["time"].isoformat(), "level": record["level"].name, "message": message}
    if kind := record["extra"].get("alert"):
        line["alert"] = kind
    return json.dumps({**pairs, **dict(zip(texts, _scrubbed(list(texts.values())), strict=True)), **line})


def scrubbed(text: str) -> str:
    """Return a text as one line: without secrets, and with invisible characters escaped."""
    return _scrubbed([text])[0]


def _scrubbed(texts: list[str]) -> list[str]:
    return [readable(text) for text in all_without_secrets(texts)]


def _quoted(text: str) -> str:
    if text.isprintable() and " " not in text and '"' not in text:
        return text
    return '"' + text.replace('"', '\\"') + '"'
