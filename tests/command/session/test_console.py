"""What a person at a terminal sees of a session, and what a pipe gets of it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.command.program import command, log, running
from tests.support.waiting import PATIENCE, eventually

COLUMNS = 100
SETTINGS = """
mode = "paper"
[board]
enabled = false
[leader]
client_id = "1000000001"
access_token = "canary-of-leader"
[[followers]]
name = "alice"
client_id = "1000000101"
access_token = "canary-of-alice"
[[followers]]
name = "bob"
client_id = "1000000102"
access_token = "canary-of-bob"
ratio = 0.5
[copy]
sizing = "fixed_ratio"
[log]
status_interval = 1
[paper]
speed = 4.0
failures = {failures}
"""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """A pseudo-terminal, and all that was written to it."""

    def __init__(self, ours: int) -> None:
        self._ours = ours
        self._written = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def raw(self) -> str:
        return self._written.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        return COLOURS.sub("", self.raw).splitlines()

    def shows(self, pattern: str) -> str:
        def found() -> str | None:
            return next((line for line in self.lines if re.search(pattern, line)), None)

        return str(eventually(found, f"the terminal shows {pattern!r}"))

    def wait(self) -> None:
        self._thread.join(PATIENCE)

    def _read(self) -> None:
        while True:
            try:
                some = os.read(self._ours, 65536)
            except OSError:  # nobody has the other end any more
                return
            if not some:
                return
            self._written += some


@contextmanager
def at_a_terminal(folder: Path, **environment: str) -> Iterator[tuple["subprocess.Popen[bytes]", Screen]]:
    """Run run.py in a folder, at a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        command(), cwd=folder, stdout=theirs, stderr=theirs, env={**known, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    screen = Screen(ours)
    try:
        yield process, screen
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        screen.wait()
        os.close(ours)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(failures="true"))
    return tmp_path


def test_a_terminal_shows_a_session_in_lines_that_fit_it(folder: Path) -> None:
    with at_a_terminal(folder) as (process, screen):
        for pattern in (
            r"^Paper mode$",
            r"^\d\d:\d\d:\d\d alice BUY 260 NIFTY .* 26000 CE @\d+\.\d\d, leader \.\.\.\d{6}, \d+ ms$",
            r"alice BUY modified to \d+ NIFTY .* 26000 CE @\d+\.\d\d, leader \.\.\.\d{6}$",
            r"alice BUY filled \d+ NIFTY",
            r"bob BUY cancelled 30 BANKNIFTY .* @\d+\.\d\d, leader \.\.\.\d{6}$",
            r"alice SELL 390 NIFTY .* @\d+\.\d\d trigger \d+\.\d\d, leader",
            r"Feed lost, reconnecting in",
            r"Reconnected after disconnect, fetching missed orders\.\.\. account=leader$",
            r"alice skipped filtered_instrument, leader \.\.\.\d{6}: EQUITY is not among",
            r"ERROR Actor alice crashed: RuntimeError: on purpose",
            r"STATUS live, 11/11 actors, 1 restart, up \d+s$",
            r"STATUS alice live, 1 restart$",
        ):
            screen.shows(pattern)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    lines = screen.lines
    assert max(map(len, lines)) <= COLUMNS
    assert not [line for line in lines if "Placing follower order" in line or "Successfully cancelled" in line]
    assert not [line for line in lines if "STATUS store" in line]
    assert "Successfully cancelled follower order" in log(folder)
    assert "\x1b[36malice\x1b[0m \x1b[32mBUY\x1b[0m 260" in screen.raw
    assert "\x1b[31mSELL\x1b[0m 390" in screen.raw
    assert re.search(r"\x1b\[33m@\d+\.\d\d", screen.raw)
    (end,) = [number for number, line in enumerate(lines) if line.startswith("Session of ")]
    assert "Stopped exit_code=0" in lines[end - 1]
    assert lines[-1].strip() == "the log: a line an event"
    assert any("run.py explain " in line for line in lines[end:])


def test_the_first_lines_say_what_is_simulated_and_what_is_staged(folder: Path) -> None:
    with at_a_terminal(folder) as (process, screen):
        screen.shows("Copying begins")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    beginning = "\n".join(screen.lines).split("Copying begins")[0]
    for said in (
        "No order is real",
        "alice crashes once, on purpose",
        "bob hangs once, on purpose",
        "the leader's feed is dropped",
        "copy_trading.log",
        "copy_trading.db",
        "python run.py report",
        "Ctrl-C",
    ):
        assert said in beginning
    assert "Failure is staged crashes=alice after=8s" in log(folder)


def test_no_colour_is_used_where_none_is_wanted(folder: Path) -> None:
    with at_a_terminal(folder, NO_COLOR="1") as (process, screen):
        screen.shows("alice BUY 260 NIFTY")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert "\x1b" not in screen.raw


def test_a_pipe_has_the_lines_of_the_file_and_no_banner(folder: Path) -> None:
    (folder / "settings.toml").write_text(SETTINGS.format(failures="false"))
    with running(folder) as process:
        eventually(lambda: "Placing follower order follower=alice leader_order=" in log(folder), "an order is copied")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    in_pipe = (folder / "err").read_text().splitlines()
    assert in_pipe == [line.split(" ", 1)[1] for line in log(folder).splitlines()]
    assert any("Placing follower order follower=alice leader_order=" in line for line in in_pipe)
    assert "\x1b" not in "".join(in_pipe)


@pytest.mark.parametrize(("zone", "offset"), [("", "+0530"), ('zone = "UTC"', "+0000")])
def test_times_are_of_india_whatever_the_machines_zone_unless_another_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, zone: str, offset: str
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    text = SETTINGS.format(failures="false").replace("[paper]", f"{zone}\n[paper]")
    (folder / "settings.toml").write_text(text)
    with running(folder, "--duration", "1") as process:
        assert process.wait(PATIENCE) == 0
    begins = next(line for line in log(folder).splitlines() if "Copying begins" in line)
    at = datetime.strptime(f"{begins[:19]} {offset}", "%Y-%m-%d %H:%M:%S %z").timestamp()
    written = (folder / "copy_trading.log").stat().st_mtime
    assert abs(at - written) < PATIENCE
    assert f"zone={'UTC' if zone else 'Asia/Kolkata'}" in begins


def test_an_unknown_zone_is_refused(folder: Path) -> None:
    (folder / "settings.toml").write_text(SETTINGS.format(failures="false").replace("[paper]", 'zone = "IST"\n[paper]'))
    done = subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert "log.zone" in done.stderr
    assert "Asia/Kolkata" in done.stderr
