"""Fetching the instrument master: from the broker's site, or from a file."""

import urllib.request
from collections.abc import Iterable
from datetime import date, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from copytrade.instruments import Instruments, read_master
from copytrade.orders import IST

#: How long the download may stand still, in seconds.
TIMEOUT = 30.0


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows the broker to another address of its own, but never out of TLS: lots and ticks decide about money."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise OSError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def read_instruments(location: str) -> tuple[Instruments, date | None]:
    """Read the master at a URL or in a file, and the day in India of which it is, None where nobody says.

    Takes seconds for the broker's own. Raises OSError, ValueError or MasterUnusable; plain http is for this machine
    alone.
    """
    if not location.startswith(("http://", "https://")):
        path = Path(location)
        written = datetime.fromtimestamp(path.stat().st_mtime, IST).date()
        with path.open(encoding="utf-8", newline="") as file:
            return read_master(file), written
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), _SecureRedirects())
    with direct.open(location, timeout=TIMEOUT) as response:
        return read_master(_decoded(response)), _published(response.headers.get("Last-Modified"))


def _decoded(lines: Iterable[bytes]) -> Iterable[str]:
    for line in lines:
        yield line.decode("utf-8", errors="replace")


def _published(header: str | None) -> date | None:
    try:
        return parsedate_to_datetime(header).astimezone(IST).date() if header else None
    except ValueError:
        return None
