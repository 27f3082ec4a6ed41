"""The log: one line an event, for an operator; the same lines on the console and in the file."""

import logging
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from loguru import logger
from pydantic import SecretStr

if TYPE_CHECKING:
    from loguru import Record

_FILE_LINE = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level: <8} {message}"
_LINE = "<green>{time:HH:mm:ss.SSS}</green> <level>{level: <8}</level> {message}"

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_IN_URL = re.compile(r"(?i)\b((?:access-?)?token|pin|totp)=[^&\s\"']+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")

_NOISY = ("websocket", "peewee", "urllib3", "uvicorn", "websockets", "asyncio", "dhanhq")


def fields(**values: object) -> str:
    """Return ``name=value`` pairs for a log line, leaving out what is empty."""
    return " ".join(f"{name}={_plain(value)}" for name, value in values.items() if value not in (None, ""))


def configure_logging(file: str, level: str, secrets: Iterable[SecretStr]) -> None:
    """Log to the console and to ``file``, and bring what libraries log to the same place.

    Whatever is logged, the given secrets, anything that looks like a token and line breaks in the broker's words are
    taken out of it last, as a net below not putting them there.
    """
    known = sorted((secret.get_secret_value() for secret in secrets), key=len, reverse=True)

    def scrub(record: "Record") -> None:
        record["message"] = _scrubbed(record["message"], known)
        if error := record["exception"]:
            record["message"] += f" | {_scrubbed(f'{type(error.value).__name__}: {error.value}', known)}"
            record["exception"] = None

    logger.remove()
    logger.configure(patcher=scrub)
    logger.add(sys.stderr, format=_LINE, level=level, diagnose=False, backtrace=False)
    logger.add(file, format=_FILE_LINE, level=level, diagnose=False, backtrace=False, rotation="50 MB", retention=10)
    logging.basicConfig(handlers=[_ToLoguru()], level=logging.WARNING, force=True)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("pykka").setLevel(logging.CRITICAL)


class _ToLoguru(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Pass a library's line on."""
        level = record.levelname if record.levelname in logging.getLevelNamesMapping() else record.levelno
        logger.opt(exception=record.exc_info).log(level, "{}: {}", record.name, record.getMessage())


def _scrubbed(text: str, known: list[str]) -> str:
    for secret in known:
        text = text.replace(secret, "***")
    text = _IN_URL.sub(r"\1=***", _JWT.sub("***", text))
    return _CONTROL.sub(" ", text).replace("\n", " | ")


def _plain(value: object) -> str:
    text = f"{value:f}" if hasattr(value, "as_tuple") else str(value)
    return f'"{text}"' if " " in text else text
