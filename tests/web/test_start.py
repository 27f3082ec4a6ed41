"""The board beside a copier: started with it, kept alive, never in its way, and gone when it is."""

import os
import re
import signal
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import copytrade.web.serving
from bench.speed.board.stage import Stagehand
from copytrade.settings import Board, SettingsUnusable, load_settings
from copytrade.web.access.password import hash_of, is_right
from copytrade.web.board_file import board_path, read_board
from copytrade.web.command import board
from copytrade.web.serving import serve
from tests.command.program import log, running
from tests.support.waiting import PATIENCE, eventually
from tests.web.served import Served

SETTINGS = """
mode = "paper"
[leader]
client_id = "1000000001"
access_token = "canary-of-leader"
[[followers]]
name = "alice"
client_id = "1000000101"
access_token = "canary-of-alice"
[board]
listen = "127.0.0.1:{port}"
[supervision]
backoff = 0.05
backoff_max = 0.1
max_restarts = 100
[paper]
speed = 3.0
failures = false
"""


def boards_of(pid: int) -> list[int]:
    """Return the process ids of a copier's boards."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = [thread / "children" for thread in Path(f"/proc/{pid}/task").iterdir()]
    of_threads = [child for path in threads if path.exists() for child in path.read_text().split()]
    found = {int(child) for child in [*children, *of_threads]}
    return [child for child in found if b"copytrade.web" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_it_starts_with_the_copier_waits_for_its_port_is_restarted_and_leaves_nothing(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    (tmp_path / "settings.toml").write_text(SETTINGS.format(port=port))
    database = str(tmp_path / "copy_trading.db")
    with running(tmp_path) as process:
        eventually(lambda: "Actor board crashed: BoardGone: exit code 2: no board" in log(tmp_path), "it is told")
        eventually(lambda: "Order replicated successfully" in log(tmp_path), "copying goes on without it")
        taken.close()
        url = f"http://127.0.0.1:{port}/"
        eventually(lambda: f"Board at {url}" in log(tmp_path), "it listens once it can")
        (link,) = re.findall(r"^Log in: (http\S+)$", (tmp_path / "err").read_text(), re.M)
        with urllib.request.urlopen(link, timeout=PATIENCE) as answer:
            assert "You are logged in" in answer.read().decode()
        first = read_board(database)
        assert first is not None
        served = Served(process, database, url, first.key)
        eventually(lambda: served.get("/api/state").status == 200, "it has a state")
        taken = served.outcome(served.give(command="reload"))
        assert (taken["state"], taken["answer"]) == ("done", "Nothing has changed")
        (killed,) = boards_of(process.pid)
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: (now := read_board(database)) and now != first, "another one is there")
        eventually(lambda: log(tmp_path).count(f"Board at {url}") == 2, "and says so")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert not board_path(database).exists()
    assert "login?key" not in log(tmp_path)
    assert not Path(f"/proc/{killed}").exists()


def test_by_hand_it_shows_a_link_and_gives_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copytrade.web.serving, "FIRST_REQUEST_WITHIN", 0.1)
    with Stagehand(tmp_path, 1) as stage:
        settings, ends = load_settings(stage.settings), threading.Event()
        assert board(settings, links=True, hashes=False) == 2
        assert "no board is running" in capfd.readouterr().err
        with ThreadPoolExecutor() as threads:
            serving = threads.submit(serve, settings, shows_link=True, until=ends.wait)
            said = eventually(lambda: said if "Log in" in (said := capfd.readouterr().out) else "", "it listens")
            url = re.match("Board at (http://127.0.0.1:[0-9]+/)\nLog in: \\1login[?]key=", said)[1]
            assert board(settings, links=True, hashes=False) == 0
            link = capfd.readouterr().out.strip()
            assert link.startswith(f"{url}login?key=")
            with urllib.request.urlopen(link, timeout=PATIENCE) as answer:
                assert answer.status == 200
            with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=PATIENCE) as silent:
                silent.sendall(b"GET / HTTP/1.1\r\nHost: ")
                with suppress(ConnectionResetError):
                    assert silent.recv(1) == b"", "who asks nothing is not waited for"
            busy = settings.model_copy(update={"board": Board(listen=url.removeprefix("http://").rstrip("/"))})
            assert serve(busy, shows_link=False, until=ends.wait) == 2
            assert "Address already in use" in capfd.readouterr().err
            ends.set()
            assert serving.result(PATIENCE) == 0
        assert not board_path(stage.database).exists()
    nothing = settings.model_copy(update={"store": settings.store.model_copy(update={"database": "nothing.db"})})
    assert serve(nothing, shows_link=False) == 2


@pytest.mark.parametrize(
    ("board", "fault"),
    [
        ('listen = "0.0.0.0:8300"\nallowed_hosts = ["b.example"]', "needs password_hash, tls_cert, tls_key"),
        ('listen = "0.0.0.0:8300"', "allowed_hosts has to say its names"),
        ('listen = "192.0.2.1:8300"\npassword_hash = "scrypt:15:8:1:{salt}:{digest}"', "needs tls_cert, tls_key"),
        ('listen = "127.0.0.1"', "an address and a port"),
        ('listen = "127.0.0.1:99999"', "an address and a port"),
        ('password_hash = "secret"', "run.py board --hash"),
        ('allowed_hosts = ["https://board.example.com"]', "is no host"),
        ('tls_cert = "board.pem"', "go together"),
    ],
)
def test_settings_that_would_open_it_to_others_are_refused(tmp_path: Path, board: str, fault: str) -> None:
    text = SETTINGS.format(port=0).replace('listen = "127.0.0.1:0"', board.format(salt="0" * 32, digest="0" * 64))
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(SettingsUnusable, match=re.escape(fault)):
        load_settings(tmp_path / "settings.toml")


def test_a_password_is_hashed_so_that_it_fits_the_settings() -> None:
    hashed = hash_of("correct horse battery")
    assert Board.model_validate({"password_hash": hashed}).password_hash is not None
    assert is_right("correct horse battery", hashed)
    assert not is_right("Correct horse battery", hashed)
