"""Fetching the instrument master: from the broker's site, or from a file."""

import codecs
import time
import urllib.request
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, TypeVar

from copytrade.core.model.instruments import Instruments, read_master
from copytrade.core.model.orders import IST

T = TypeVar("T")

#: Seconds that the download may stall, and that it may take in all.
TIMEOUT, DOWNLOAD_DEADLINE = 30.0, 240.0

#: Maximum bytes of a line: a file without line ends must not fill the memory.
LINE_LIMIT = 65_536

#: The reader pauses after so many lines, for so many seconds.
PACE, PAUSE = 200, 0.0005


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never away from TLS: lots and ticks decide about money."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise OSError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def read_instruments(location: str) -> tuple[Instruments, date | None]:
    """Read the master at a URL or in a file, and its day in India, None if unknown.

    It takes seconds. Plain http is for this machine only. Raises OSError, ValueError or MasterUnusable.
    """
    if not location.startswith(("http://", "https://")):
        path = Path(location)
        written = datetime.fromtimestamp(path.stat().st_mtime, IST).date()
        with path.open(encoding="utf-8-sig", newline="") as file:
            return read_master(paced(file)), written
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SecureRedirects())
    try:
        with direct.open(location, timeout=TIMEOUT) as response:
            return read_master(paced(_lines(response))), _published(response.headers.get("Last-Modified"))
    except HTTPException as error:
        raise OSError(f"{type(error).__name__}: {error}") from None


def paced(items: Iterable[T]) -> Iterator[T]:
    """Yield items, pausing now and then for other threads: reading the master is not urgent."""
    for number, item in enumerate(items, 1):
        yield item
        if number % PACE == 0:
            time.sleep(PAUSE)


def _lines(response: HTTPResponse) -> Iterator[str]:
    """Yield the lines of a reply, which must be complete."""
    deadline = time.monotonic() + DOWNLOAD_DEADLINE
    mark = codecs.BOM_UTF8
    while line := response.readline(LINE_LIMIT):
        yield line.removeprefix(mark).decode("utf-8", errors="replace")
        mark = b""
        if time.monotonic() > deadline:
            raise TimeoutError(f"not all of it came in {DOWNLOAD_DEADLINE:.0f}s")
    if response.length:
        raise ConnectionError(f"{response.length} bytes are missing at its end")


def _published(header: str | None) -> date | None:
    try:
        return parsedate_to_datetime(header).astimezone(IST).date() if header else None
    except ValueError:
        return None
