"""Ctrl-C in a command, and a flatten that cannot reach an account: a short word, at once."""

import os
import pty
import select
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.storage.database import Database
from copytrade.storage.files.lock_file import hold_lock
from tests.command.program import command, log, running
from tests.command.session.test_run import CLIENTS, asked, live_settings
from tests.command.test_paths import a_database
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually


def a_broker() -> PaperBroker:
    return PaperBroker([PaperAccount(client, f"canary-of-{name}") for name, client in CLIENTS.items()])


def test_ctrl_c_at_the_question_of_flatten_is_a_word_and_130(tmp_path: Path) -> None:
    with a_broker() as broker:
        (tmp_path / "settings.toml").write_text(live_settings(broker))
        a_database(tmp_path / "copy_trading.db", "live")
        ours, theirs = pty.openpty()
        done = subprocess.Popen(command("flatten"), cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = ""
        while "[y/N]" not in shown:
            shown += os.read(ours, 4096).decode()  # raises OSError once the command has ended
        done.send_signal(signal.SIGINT)
        while not select.select([ours], [], [], PATIENCE / 4)[0]:  # Python may lose one that comes before it reads
            done.send_signal(signal.SIGINT)
        with suppress(OSError):
            while more := os.read(ours, 4096).decode():
                shown += more
        assert done.wait(PATIENCE) == 130
        assert shown.split("[y/N]")[1].split() == ["interrupted"]
        assert [broker.writes(client) for client in CLIENTS.values()] == [[], [], []]
        os.close(ours)
        database = Database(str(tmp_path / "copy_trading.db"))
        assert database.commands() == []
        database.close()


def test_ctrl_c_in_a_check_that_waits_for_the_broker_is_a_word_and_130(tmp_path: Path) -> None:
    with a_broker() as broker, socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        text = live_settings(broker).replace(broker.rest_url, f"http://127.0.0.1:{port}/v2")
        (tmp_path / "settings.toml").write_text(text)
        done = subprocess.Popen(
            command("check"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        silent.settimeout(PATIENCE)
        silent.accept()  # it asks, and is not answered
        done.send_signal(signal.SIGINT)
        assert (*done.communicate(timeout=PATIENCE), done.returncode) == ("", "\ninterrupted\n", 130)


def test_a_flatten_with_a_refused_token_says_so_and_closes_the_others(tmp_path: Path) -> None:
    with a_broker() as broker:
        settings = live_settings(broker) + '[market]\nhours = "always"\n'
        (tmp_path / "settings.toml").write_text(settings)
        with running(tmp_path) as process:
            eventually(lambda: "Ready" in log(tmp_path), "everybody is at work")
            broker.place(CLIENTS["leader"], side="BUY", security_id="45674", quantity=260, order_type="MARKET")
            for name in ("alice", "bob"):
                eventually(lambda c=CLIENTS[name]: broker.exchange.positions(c), "the copy is filled")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        (tmp_path / "settings.toml").write_text(settings.replace("canary-of-alice", "one-that-is-refused"))
        (tmp_path / "copy_trading.db.tokens").unlink(missing_ok=True)
        done = asked(tmp_path, "flatten", "--yes")
        assert done.returncode == 1, done.stderr
        assert "alice: no access token works: " in done.stdout
        assert "bob: 0 orders cancelled, closed 130 NIFTY-Dec2026-26000-CE" in done.stdout
        again = asked(tmp_path, "flatten", "alice", "--yes")
        assert again.returncode == 1
        assert "alice: no access token works: " in again.stdout


def test_a_flatten_with_a_refused_token_and_nothing_open_ends_at_once(tmp_path: Path) -> None:
    with a_broker() as broker:
        (tmp_path / "settings.toml").write_text(live_settings(broker).replace("canary-of-alice", "refused"))
        a_database(tmp_path / "copy_trading.db", "live")
        done = asked(tmp_path, "flatten", "alice", "--yes")
        assert done.returncode == 1
        assert "alice: 0 orders rest, held: nothing" in done.stdout
        assert "alice: no access token works: " in done.stdout


def test_a_flatten_that_is_interrupted_says_that_the_copier_goes_on(tmp_path: Path) -> None:
    with a_broker() as broker:
        text = live_settings(broker)
        (tmp_path / "settings.toml").write_text(text)
        a_database(tmp_path / "copy_trading.db", "live")
        with hold_lock(str(tmp_path / "copy_trading.db")):  # a copier that never answers
            done = subprocess.Popen(
                command("flatten", "alice", "--yes"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            with opened(tmp_path / "copy_trading.db") as database:
                eventually(lambda: database.execute("SELECT 1 FROM commands").fetchone(), "it is told")
            done.send_signal(signal.SIGINT)
            _, err = done.communicate(timeout=PATIENCE)
        assert err == b"\nthe running copier goes on with what it was told\ninterrupted\n"
        assert done.returncode == 130
