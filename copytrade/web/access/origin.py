"""Where a request comes from: the host it names, and the page that a browser sends it from."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from copytrade.settings import Board

_LOCAL = ("localhost", "127.0.0.1", "[::1]")


def hosts_of(board: Board) -> frozenset[str]:
    """Return the hosts under which the board may be reached, without their port."""
    own = f"[{board.host}]" if ":" in board.host else board.host
    names = {own, *board.allowed_hosts}
    return frozenset({*names, *_LOCAL} if board.is_on_loopback else names)


def is_our_host(headers: Headers, hosts: Iterable[str]) -> bool:
    """Whether a request names one of our hosts: a name that leads here and is not ours is somebody's trick."""
    named = headers.getlist("host")
    return len(named) == 1 and _without_port(named[0]) in hosts


def refusal_of_origin(headers: Headers, scheme: str, *, needed: bool) -> str:
    """Return why a request that changes something may come from another page, "" if it does not.

    With ``needed`` a browser has to say where it comes from; otherwise only what it says has to be right.
    """
    origins, sites = headers.getlist("origin"), headers.getlist("sec-fetch-site")
    ours = f"{scheme}://{headers.get('host', '')}".lower()
    if any(_normal(origin) != _normal(ours) for origin in origins):
        return "the Origin is not the board"
    if any(site.lower() != "same-origin" for site in sites):
        return "Sec-Fetch-Site is not same-origin"
    if needed and not (origins and sites):
        return "Origin and Sec-Fetch-Site are needed without a key"
    return ""


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdigit() else host.lower()


def _normal(origin: str) -> tuple[str, str, int]:
    try:
        url = urlsplit(origin.lower())
        return url.scheme, url.hostname or "", url.port or {"https": 443, "http": 80}.get(url.scheme, 0)
    except ValueError:
        return "", "", 0
