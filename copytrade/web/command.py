"""``run.py board``: serve the board beside a running copier, or print a link to the one that runs."""

import getpass
import json
import socket
import ssl
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from copytrade.app.commands.exit_codes import EXIT_UNUSABLE
from copytrade.app.commands.pause import operator
from copytrade.settings import Board, Settings
from copytrade.web.access.password import hash_of
from copytrade.web.board_file import BoardFile, read_board

#: Seconds that the running board may take to answer.
PATIENCE = 5.0


def board(settings: Settings, *, links: bool, hashes: bool) -> int:
    """Serve until interrupted, or print a link or a password's hash; return the exit code."""
    if hashes:
        return _print_hash()
    if links:
        return _print_link(settings)
    from copytrade.web.serving import serve  # noqa: PLC0415 (0.2 s that no other command has to pay)

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
    url = urlsplit(running.url)
    connection = HTTPConnection(url.hostname or "", url.port or 0, timeout=PATIENCE)
    connection.sock = _connected(settings.board, url.hostname or "", url.port or 0)
    try:
        headers = {"Authorization": f"Bearer {running.key}", "Host": url.netloc}
        connection.request("POST", "/api/links", json.dumps({"by": operator()}), headers)
        link: str = json.loads(connection.getresponse().read())["link"]
    finally:
        connection.close()
    return link


def _connected(board: Board, name: str, port: int) -> socket.socket:
    """Return a connection to the board on this machine; its certificate has to be the settings' own. Raises OSError."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(board.host, board.host)  # noqa: S104 (where it listens)
    connected = socket.create_connection((host, port), PATIENCE)
    if board.tls_cert is None:
        return connected
    return ssl.create_default_context(cafile=board.tls_cert).wrap_socket(connected, server_hostname=name)
