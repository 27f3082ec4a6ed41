"""The log: one line an event, for an operator; the same lines on the console and in the file."""

import copy
import json
import logging
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from loguru import logger
from pydantic import SecretStr

if TYPE_CHECKING:
    from loguru import Logger, Message, Record

_FILE_LINE = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <8} {message}"
_LINE = "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <8}</level> {message}"

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
#: What is left of a token's time is no token: ``token=7h``.
_IN_URL = re.compile(r"(?i)\b((?:access-?)?token|pin|totp)=(?!(?:\d{1,3}[hm]|refused)(?:\s|$))[^&\s\"']+")
_IN_JSON = re.compile(r'(?i)("(?:(?:access|refresh)?[-_]?token|pin|totp|password|[a-z-_]*secret)"\s*:\s*)("[^"]*"|\d+)')
_SECRET_WORDS = ("token", "pin", "totp", "password", "secret")
_PAIR = re.compile(r'\b([a-z_][a-z_0-9]*)=("[^"]*"|[^\s"]+)')
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

#: What no line shows, the longest first, and how to find it if not anywhere; written by :func:`hide`.
_hidden: list[tuple[str, re.Pattern[str] | None]] = []

#: Seconds that a line waits for others, so that what has to be done at once is not held up by writing it down.
LINGER = 0.05

_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_NOISY = ("websocket", "peewee", "urllib3", "uvicorn", "websockets", "asyncio", "dhanhq")


def fields(**values: object) -> str:
    """Return ``name=value`` pairs for a log line, leaving out what is empty."""
    return " ".join(f"{name}={_plain(value)}" for name, value in values.items() if value not in (None, ""))


def alert(kind: str, who: str, message: str, *values: object, level: str = "CRITICAL") -> None:
    """Log what somebody has to be told of; ``kind`` and ``who`` say which alerts are the same one."""
    logger.bind(alert=kind, who=who).opt(depth=1).log(level, message, *values)


def hide(secret: SecretStr) -> None:
    """Keep a secret out of every line from now on; what is only digits where it stands alone, lest it hide numbers."""
    value = secret.get_secret_value()
    if value and all(value != known for known, _ in _hidden):
        alone = re.compile(rf"(?<!\d){value}(?!\d)") if value.isdecimal() else None
        _hidden[:] = sorted([*_hidden, (value, alone)], key=lambda item: len(item[0]), reverse=True)


def without_secrets(text: str) -> str:
    """Return a text without what looks like a token, and without the values of what is called one, a PIN or a secret.

    A net below not putting them there; what is valid JSON stays so.
    """
    if "eyJ" in text:
        text = _JWT.sub("***", text)
    lower = text.lower()
    if any(word in lower for word in _SECRET_WORDS):  # most texts name none, and looking closely takes 20 us
        text = _IN_JSON.sub(r'\1"***"', _IN_URL.sub(r"\1=***", text))
    return text


def configure_logging(file: str, level: str, secrets: Iterable[SecretStr], *, json_lines: bool = False) -> None:
    """Log to the console and to ``file``, there as JSON if wanted, and bring what libraries log to the same place.

    Whatever is logged, the given secrets, anything that looks like a token and line breaks in the broker's words are
    taken out of it last, as a net below not putting them there. Lines are written :data:`LINGER` later, by a thread.
    """
    for secret in secrets:
        hide(secret)

    def scrub(record: "Record") -> None:
        record["message"] = scrubbed(record["message"])
        if error := record["exception"]:
            record["message"] += f" | {scrubbed(f'{type(error.value).__name__}: {error.value}')}"
            record["exception"] = None
        if json_lines:
            record["extra"]["json"] = _as_json(record)

    logger.remove()
    written = copy.deepcopy(logger)
    written.add(sys.stderr, format=_LINE, level=level, diagnose=False, backtrace=False)
    line = "{extra[json]}" if json_lines else _FILE_LINE
    written.add(file, format=line, level=level, diagnose=False, backtrace=False, rotation="50 MB", retention=10)
    logger.configure(patcher=lambda record: scrub(record) if "alert" in record["extra"] else None)
    logger.add(_Later(written, scrub), format=lambda _: "{message}", level=level)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("pykka").setLevel(logging.CRITICAL)


class _Later:
    """Takes lines in, and has a thread of its own write them: who logs has more urgent things to do."""

    def __init__(self, written: "Logger", scrub: "Callable[[Record], None]") -> None:
        self._lines: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self._written = written
        self._scrub = scrub
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def write(self, line: "Message") -> None:
        """Take a line in."""
        self._lines.put(line.record)

    def stop(self) -> None:
        """Write what is left."""
        self._lines.put(None)
        self._thread.join()

    def _write_all(self) -> None:
        while record := self._lines.get():
            if self._lines.empty():
                time.sleep(LINGER)
            try:
                self._write(record)
            except Exception as error:  # of what was to be logged: the next line is another
                print(f"a line could not be logged: {type(error).__name__}", file=sys.stderr)  # noqa: T201
        self._written.remove()

    def _write(self, record: "Record") -> None:
        def restore(fresh: "Record") -> None:
            fresh.update(record)
            self._scrub(fresh)

        self._written.patch(restore).log(record["level"].name, "")


class _ToLoguru(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Pass a library's line on."""
        level = record.levelname if record.levelname in _LEVELS else "WARNING"
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())


def _as_json(record: "Record") -> str:
    """Return a line as an object: its time with zone, level and text, and the ``name=value`` pairs in it by name."""
    pairs = {name: value.strip('"') for name, value in _PAIR.findall(record["message"])}
    line = {"time": record["time"].isoformat(), "level": record["level"].name, "message": record["message"]}
    if kind := record["extra"].get("alert"):
        line["alert"] = kind
    return json.dumps({**pairs, **line})


def scrubbed(text: str) -> str:
    """Return one line's text without what :func:`hide` was told, and without what looks like a secret."""
    for secret, alone in tuple(_hidden):
        text = alone.sub("***", text) if alone else text.replace(secret, "***")
    text = without_secrets(text)
    return _CONTROL.sub(" ", text).replace("\n", " | ")


def _plain(value: object) -> str:
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    return f'"{text}"' if " " in text else text
