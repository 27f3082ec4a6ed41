"""The log on a terminal: one short line an event, in colour, that fits the width."""

import os
import textwrap
from collections.abc import Callable, Sequence
from typing import TextIO

from copytrade.app.console.events import Events, Piece

#: Terminal codes by the name of a colour.
_CODES = {
    "time": "\x1b[2m",
    "head": "\x1b[2m",
    "follower": "\x1b[36m",
    "buy": "\x1b[32m",
    "sell": "\x1b[31m",
    "price": "\x1b[33m",
    "DEBUG": "\x1b[34m",
    "WARNING": "\x1b[33m\x1b[1m",
    "ERROR": "\x1b[31m\x1b[1m",
    "CRITICAL": "\x1b[41m\x1b[1m",
}
_PLAIN = "\x1b[0m"

#: The width of a terminal that does not say it, and the least that is written for.
_USUAL_WIDTH, _LEAST_WIDTH = 80, 40

#: Length of a time of day to the second; milliseconds are in the file.
_TO_SECONDS = len("09:15:00")

_INDENT = " " * (_TO_SECONDS + 1)

#: Levels whose lines may be cut: the file has them whole. All others are shown whole, over several lines.
_MAY_BE_CUT = frozenset({"TRACE", "DEBUG", "INFO", "SUCCESS"})

#: Takes a time of day, a level and a message; returns the lines to show, "" for none.
Shows = Callable[[str, str, str], str]


class Terminal:
    """Shows log lines on a terminal of ``width()`` columns."""

    def __init__(self, width: Callable[[], int], *, coloured: bool) -> None:
        self._width = width
        self._coloured = coloured
        self._events = Events()

    def show(self, at: str, level: str, message: str) -> str:
        """Return a line as the terminal shows it, "" if another line says it. ``at`` is a time of day."""
        said, at = self._events.shown(message), at[:_TO_SECONDS]
        if not said:
            return ""
        name: list[Piece] = [] if level == "INFO" else [(f"{level} ", level)]
        pieces = [(at, "time"), (" ", ""), *name, *said]
        width = max(self._width(), _LEAST_WIDTH)
        if sum(len(text) for text, _ in pieces) <= width:
            return self._in_colour(pieces)
        if level in _MAY_BE_CUT:
            return self._in_colour(_cut(pieces, width))
        whole = "".join(text for text, _ in pieces)
        first, *others = textwrap.wrap(whole, width, subsequent_indent=_INDENT, break_on_hyphens=False)
        head = len(at) + 1 + len(level)
        coloured = [(at, "time"), (" ", ""), (first[len(at) + 1 : head], level), (first[head:], "")]
        return "\n".join([self._in_colour(coloured), *others])

    def _in_colour(self, pieces: Sequence[Piece]) -> str:
        if not self._coloured:
            return "".join(text for text, _ in pieces)
        return "".join(f"{_CODES[colour]}{text}{_PLAIN}" if colour in _CODES else text for text, colour in pieces)


def terminal_of(stream: TextIO) -> Shows | None:
    """Return how log lines are shown on a stream, None if it is no terminal: then they are written as they are."""
    if not stream.isatty():
        return None
    return Terminal(lambda: _columns(stream), coloured=wants_colour(stream)).show


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal for colours: NO_COLOR is not set, nor TERM to ``dumb``."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except OSError:
        return _USUAL_WIDTH


def _cut(pieces: Sequence[Piece], width: int) -> list[Piece]:
    """Return the beginning of a line, with ``…`` at its end."""
    left, kept = width - 1, []
    for text, colour in pieces:
        kept.append((text[:left], colour))
        left -= len(text)
        if left <= 0:
            break
    return [*kept, ("…", "")]
