"""``run.py board``: serve the board beside a running copier, or print a link to the one that runs."""

import getpass
import json
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.app.commands.pause import operator
from copytrade.settings import Settings
from copytrade.web.access.password import hash_of
from copytrade.web.board_file import BoardFile, read_board
from copytrade.web.serving import serve

#: Seconds that the running board may take to answer.
PATIENCE = 5.0


def board(settings: Settings, *, links: bool, hashes: bool) -> int:
    """Serve until interrupted, or print a link or a password's hash; return the exit code."""
    if hashes:
        return _print_hash()
    if links:
        return _print_link(settings)
    return serve(settings, shows_link=settings.mode == "paper" or sys.stdout.isatty())


def _print_hash() -> int:
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    if len(password) < 12:
        print("a password has 12 characters or more", file=sys.stderr)
        return EXIT_UNUSABLE
    print(hash_of(password))
    return 0


def _print_link(settings: Settings) -> int:
    """Print a link that logs in once within 60 seconds."""
    running = read_board(settings.store.database)
    if running is None:
        print("no board is running: it starts with the copier, or with run.py board", file=sys.stderr)
        return EXIT_UNUSABLE
    try:
        print(_link(running, settings))
    except (OSError, HTTPException, ValueError, KeyError) as error:
        print(f"the board at {running.url} does not answer: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    return 0


def _link(running: BoardFile, settings: Settings) -> str:
    url, port = urlsplit(running.url), urlsplit(running.url).port or 0
    connection: HTTPConnection
    host = settings.board.host if settings.board.host not in ("0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    if url.scheme == "https":
        ours = ssl.create_default_context(cafile=settings.board.tls_cert)  # this machine's own file says who it is
        ours.check_hostname = False
        connection = HTTPSConnection(host, port, timeout=PATIENCE, context=ours)
    else:
        connection = HTTPConnection(host, port, timeout=PATIENCE)
    try:
        headers = {"Authorization": f"Bearer {running.key}", "Host": url.netloc}
        connection.request("POST", "/api/links", json.dumps({"by": operator()}), headers)
        link: str = json.loads(connection.getresponse().read())["link"]
    finally:
        connection.close()
    return link
