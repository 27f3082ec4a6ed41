"""The contestants: this program with everything on, and the two bare loops, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from copytrade.paper.exchange.matching import PER_SECOND, PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess, start_paper_process

ROOT = Path(__file__).parents[2]
LEADER = ("1000000001", "token-of-leader")

_MAILBOX = re.compile(r"STATUS .* mailbox=(\d+)")
_TICKS = os.sysconf("SC_CLK_TCK")

_SETTINGS = """
mode = "live"
[board]
enabled = {board}
listen = "127.0.0.1:0"
[leader]
client_id = "{leader[0]}"
access_token = "{leader[1]}"
{followers}
[copy]
sizing = "fixed_ratio"
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
[market]
hours = "always"
[limits]
per_second = {per_second}
per_minute = 100000
per_hour = 100000
per_day = 100000
"""

_FOLLOWER = """
[[followers]]
name = "f{number:03}"
client_id = "{account[0]}"
access_token = "{account[1]}"
"""


def accounts_of(followers: int) -> list[tuple[str, str]]:
    """Return the client ids and tokens of so many followers."""
    return [(f"20000{number:05}", f"token-of-{number}") for number in range(followers)]


def start_broker(followers: int, per_second: int = PER_SECOND) -> PaperProcess:
    """Start a broker with ample funds and fixed prices that records the frames it sends the leader."""
    accounts = [PaperAccount(*account, Decimal(10**12)) for account in (LEADER, *accounts_of(followers))]
    config = PaperConfig(
        tuple(accounts),
        LEADER[0],
        scripted=False,
        tick_interval=None,
        partial_fills=0.0,
        control=True,
        tells_transit=False,
        per_second=per_second,
    )
    broker = start_paper_process(config)
    broker.control("watch", client_id=LEADER[0])
    return broker


@dataclass
class Contestant:
    """A running copier. ``ready_after`` is the seconds from its start until it was ready."""

    process: "subprocess.Popen[bytes]"
    ready_after: float
    folder: Path

    @property
    def cpu(self) -> float:
        """The seconds of processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def memory(self) -> float:
        """The resident memory in MB."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def deepest_mailbox(self) -> int | None:
        """The largest mailbox in any STATUS line of its log; None if it has no log."""
        log = self.folder / "copy_trading.log"
        if not log.exists():
            return None
        return max((int(depth) for depth in _MAILBOX.findall(log.read_text())), default=0)

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self.process.terminate()
        self.process.wait(20)


def start_ours(
    broker: PaperProcess, followers: int, folder: Path, per_second: int = PER_SECOND, *, board: bool = False
) -> Contestant:
    """Start ``run.py`` in ``folder`` and wait until it says that it is ready."""
    blocks = "".join(_FOLLOWER.format(number=n, account=a) for n, a in enumerate(accounts_of(followers)))
    (folder / "settings.toml").write_text(
        _SETTINGS.format(
            leader=LEADER, followers=blocks, broker=broker, per_second=per_second, board=str(board).lower()
        )
    )
    log = folder / "copy_trading.log"

    def is_ready() -> bool:
        return log.exists() and " Ready " in log.read_text()

    with (folder / "out").open("wb") as out:
        return _started([str(ROOT / "run.py")], out, folder, is_ready, "")


def start_bare(kind: str, broker: PaperProcess, followers: int, folder: Path) -> Contestant:
    """Start a bare loop and wait until it listens."""
    task = {
        "rest_url": broker.rest_url,
        "feed_url": broker.feed_url,
        "leader": LEADER,
        "followers": accounts_of(followers),
    }
    said = folder / "out"

    def is_ready() -> bool:
        return b"ready" in said.read_bytes()

    with said.open("wb") as out:
        return _started(["-m", "bench.speed.bare", kind], out, ROOT, is_ready, json.dumps(task))


def _started(
    program: list[str], out: object, folder: Path, is_ready: Callable[[], bool], told: str, patience: float = 60.0
) -> Contestant:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *program],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=out,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
    )
    if process.stdin:
        process.stdin.write(f"{told}\n".encode())
        process.stdin.close()
    while not is_ready():
        if process.poll() is not None or time.monotonic() - began > patience:
            process.kill()
            raise RuntimeError(f"{program} is not ready after {time.monotonic() - began:.0f} s, see {out}")
        time.sleep(0.02)
    return Contestant(process, time.monotonic() - began, folder)
