"""run.py as nodes of one bus, each a process with a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import zlib
from contextlib import ExitStack
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.support.bus import BusServer
from tests.support.waiting import eventually

LEADER, ALICE = "1000000001", "1000000101"
PIN, SECRET = "27182818", "CANARYCANARYCANA"
ROOT = Path(__file__).parents[2]

SETTINGS = """
mode = "live"
leader = {{ client_id = "1000000001", access_token = "token-of-leader" }}
followers = [{{ name = "alice", client_id = "1000000101", {credentials}, homes = {homes} }}]
copy = {{ sizing = "fixed_ratio" }}
market = {{ hours = "always" }}
board = {{ enabled = false }}
log = {{ level = "DEBUG", status_interval = 1 }}
tokens = {{ attempt_interval = 0.2 }}
limits = {{ reads = {{ per_second = 100, per_minute = 6000, per_hour = 100000 }} }}
recovery = {{ absence_window = 0.5, audit_interval = 1.0 }}
nodes = {{ url = "{url}", lease = {lease}, prefix = "{prefix}" }}
[dhan]
request_timeout = 0.5
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
"""

BY_LOGIN = f'pin = "{PIN}", totp_secret = "{SECRET}"'
BY_TOKEN = 'access_token = "token-of-alice"'


def accounts() -> list[PaperAccount]:
    return [
        PaperAccount(LEADER, "token-of-leader"),
        PaperAccount(ALICE, "token-of-alice", pin=PIN, totp_secret=SECRET),
    ]


class NodeProcess:
    """One node, or the lead by that name. It is killed when its stack ends."""

    def __init__(self, stack: ExitStack, folder: Path, name: str) -> None:
        self._stack = stack
        self.folder = folder
        self.name = name
        self.process: subprocess.Popen[str] | None = None

    def start(self, *arguments: str) -> None:
        out = self._stack.enter_context((self.folder / "out").open("a"))
        role = ["lead"] if self.name == "lead" else ["node", self.name]
        command = [sys.executable, str(ROOT / "run.py"), *role, *arguments]
        process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out, text=True)
        self.process = process
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Stop it in order; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait()

    def hang(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the operator's on this node."""
        command = [sys.executable, str(ROOT / "run.py"), *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    @property
    def log(self) -> str:
        path = self.folder / "copy_trading.log"
        return path.read_text() if path.exists() else ""

    def count(self, text: str) -> int:
        return self.log.count(text)

    def says(self, text: str, times: int = 1) -> None:
        """Wait until its log has a text so many times."""
        eventually(lambda: self.count(text) >= times, f"{self.name} says {text!r}\n{self.log[-3000:]}")

    def is_live(self) -> None:
        eventually(lambda: re.search(r"STATUS alice +live", self.log), f"{self.name} copies\n{self.log[-3000:]}")


def node(
    stack: ExitStack,
    folder: Path,
    name: str,
    broker: PaperBroker,
    bus: BusServer,
    *,
    lease: float = 1.0,
    homes: tuple[str, ...] = (),
    credentials: str = BY_LOGIN,
    shares: Path | None = None,
) -> NodeProcess:
    """Return a node that is not started; those in one ``folder``, or that share one, are on one bus."""
    where = folder / name
    where.mkdir()
    prefix = f"t{zlib.crc32(str(shares or folder).encode())}"  # tests may share a bus
    text = SETTINGS.format(
        broker=broker, url=bus.url, prefix=prefix, lease=lease, homes=list(homes), credentials=credentials
    )
    (where / "settings.toml").write_text(text)
    return NodeProcess(stack, where, name)
