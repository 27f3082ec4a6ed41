"""A settings file that a test changes while run.py copies by it, and the broker of its accounts."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.command.program import command, running
from tests.waiting import PATIENCE, eventually

LEADER = "1000000001"
CLIENTS = {"alice": "1000000101", "bob": "1000000102", "carol": "1000000103"}

ALICE = 'name = "alice"\nclient_id = "1000000101"\naccess_token = "canary-of-alice"\n'
BOB = 'name = "bob"\nclient_id = "1000000102"\naccess_token = "canary-of-bob"\nratio = 0.5\n'
CAROL = 'name = "carol"\nclient_id = "1000000103"\naccess_token = "canary-of-carol"\n'

OPTION, LOT = "45674", 65


@contextmanager
def broker() -> Iterator[PaperBroker]:
    names = {"leader": LEADER, **CLIENTS}
    with PaperBroker([PaperAccount(client_id, f"canary-of-{name}") for name, client_id in names.items()]) as opened:
        yield opened


def write(folder: Path, at: PaperBroker, *followers: str, more: str = "") -> None:
    """Write the settings file with these followers' blocks."""
    blocks = "".join(f"[[followers]]\n{follower}" for follower in followers)
    (folder / "settings.toml").write_text(
        f'mode = "live"\n[leader]\nclient_id = "{LEADER}"\naccess_token = "canary-of-leader"\n{blocks}'
        '[copy]\nsizing = "fixed_ratio"\n[market]\nhours = "always"\n'
        f'[dhan]\nrest_url = "{at.rest_url}"\nfeed_url = "{at.feed_url}"\nauth_url = "{at.auth_url}"\n'
        f'instruments_url = "{at.instruments_url}"\n{more}'
    )


@contextmanager
def copying(folder: Path, at: PaperBroker, *names: str) -> Iterator["subprocess.Popen[str]"]:
    """Run run.py, once these followers are connected; see that it stops in order."""
    with running(folder) as process:
        for client_id in (LEADER, *(CLIENTS[name] for name in names)):
            eventually(lambda client_id=client_id: at.feed_connections(client_id), f"{client_id} is connected")  # type: ignore[misc]
        eventually(lambda: "Ready " in log(folder), "all actors are live")
        yield process
        process.terminate()
        assert process.wait(PATIENCE) == 0


def log(folder: Path) -> str:
    path = folder / "copy_trading.log"
    return path.read_text() if path.exists() else ""


def ask(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def buys(at: PaperBroker, lots: int = 4) -> str:
    return at.place(LEADER, side="BUY", security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET")


def sells(at: PaperBroker, lots: int = 4) -> str:
    return at.place(LEADER, side="SELL", security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET")


def copied(at: PaperBroker, name: str, leader_order: str) -> int:
    """Wait until a follower has copied a leader order, and return the quantity."""

    def find() -> int:
        rows = [row for row in at.orders(CLIENTS[name]) if row["correlationId"] == f"ct-{leader_order}-1"]
        return int(str(rows[0]["quantity"])) if rows and rows[0]["orderStatus"] == "TRADED" else 0

    return int(eventually(find, f"{name} copies {leader_order}"))
