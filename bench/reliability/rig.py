"""A paper broker and a copier in processes of their own, and the judgement of the accounts in the end."""

import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw

from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess, start_paper_process
from copytrade.storage import sqlite

ROOT = Path(__file__).parents[2]
LEADER = "1000000001"

#: Each follower's ratio. Leader orders are of an even number of lots, so that no quantity is ever rounded.
RATIOS = {"alice": Decimal(1), "bob": Decimal("0.5"), "carol": Decimal(2)}
CLIENTS = {name: f"10000001{number:02}" for number, name in enumerate(RATIOS, 1)}

#: Two contracts: what resting orders enter is never sold, because it cannot be told afterwards whether an entry filled
#: before or after an exit within the same second.
KEPT, TRADED = "45674", "45675"
LOT, PRICE = 65, Decimal(120)

_SETTINGS = """
mode = "live"
[board]
enabled = false
[leader]
client_id = "{leader}"
access_token = "token-of-leader"
{followers}
[copy]
sizing = "fixed_ratio"
unfilled_after = 1.0
unfilled_action = "reprice"
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
request_timeout = {timeout}
[market]
hours = "always"
[recovery]
audit_interval = {audit}
absence_window = {window}
[limits]
per_minute = 100000
per_hour = 100000
per_day = 100000
reads = {{ per_second = 100, per_minute = 6000, per_hour = 100000 }}
"""

_FOLLOWER = """
[[followers]]
name = "{name}"
client_id = "{client}"
access_token = "token-of-{name}"
ratio = {ratio}
"""


def start_broker() -> PaperProcess:
    """Start a broker with ample funds and fixed prices."""
    accounts = [PaperAccount(LEADER, "token-of-leader", Decimal(10**12))]
    accounts += [PaperAccount(client, f"token-of-{name}", Decimal(10**12)) for name, client in CLIENTS.items()]
    config = PaperConfig(tuple(accounts), LEADER, scripted=False, tick_interval=None, partial_fills=0.0, control=True)
    return start_paper_process(config)


@dataclass
class Rig:
    """A broker, and a copier that can be killed and started again in ``folder``."""

    broker: PaperProcess
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None
    starts: int = 0

    def configure(self, *, window: float, audit: float = 1.0, timeout: float = 1.0) -> None:
        """Write the copier's settings: ``absence_window``, ``audit_interval`` and ``request_timeout`` in seconds."""
        followers = "".join(_FOLLOWER.format(name=n, client=CLIENTS[n], ratio=ratio) for n, ratio in RATIOS.items())
        text = _SETTINGS.format(
            leader=LEADER, followers=followers, broker=self.broker, window=window, audit=audit, timeout=timeout
        )
        (self.folder / "settings.toml").write_text(text)

    def start(self, *program: str) -> None:
        """Start the copier, or a ``program`` that runs it."""
        command = [sys.executable, *(program or (str(ROOT / "run.py"),))]
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=out)
        self.starts += 1

    def kill(self) -> None:
        """Kill the copier, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def cut_power(self) -> None:
        """Kill the copier, and start it again."""
        self.kill()
        self.start()

    def stop(self) -> int:
        """Stop the copier in order; return its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        code = self.process.wait(15)
        self.process = None
        return code

    def orders(self, client: str) -> list[dict[str, Any]]:
        """Return the broker's order book of an account."""
        rows: list[dict[str, Any]] = self.broker.control("orders", client_id=client)
        return rows

    def writes(self) -> int:
        """Return how many order requests of the followers have come in."""
        return sum(len(self.broker.control("writes", client_id=client)) for client in CLIENTS.values())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query of the copier's database, none while it has no tables."""
        path = self.folder / "copy_trading.db"
        if not path.exists():
            return []
        connection = sqlite.opened_to_read(str(path))
        try:
            return list(connection.execute(query))
        except apsw.Error:
            return []  # it is being created
        finally:
            connection.close()


@dataclass(frozen=True)
class Verdict:
    """Counts of what is wrong, from the broker's books; ``unrecorded`` is from the copier's database."""

    doubled: int
    lost: int
    orphans: int
    unlike: int
    off_position: int
    unrecorded: int

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return self == _RIGHT

    def __str__(self) -> str:
        return (
            f"doubled {self.doubled}, lost {self.lost}, live under a dead leader order {self.orphans},"
            f" unlike the leader's {self.unlike}, off position {self.off_position}, unrecorded {self.unrecorded}"
        )


_RIGHT = Verdict(0, 0, 0, 0, 0, 0)


def judge(rig: Rig) -> Verdict:
    """Compare every follower's account with the leader's.

    It is right if every correlation id belongs to one order, each live leader order has one live copy with its price
    and scaled quantity, no ended one has a live copy, and net positions are the leader's, scaled.
    """
    leaders = {str(row["orderId"]): row for row in rig.orders(LEADER)}
    recorded = set(rig.rows("SELECT leader_order_id, follower FROM copy_mappings"))
    doubled = lost = orphans = unlike = off = unrecorded = 0
    for name, client in CLIENTS.items():
        rows = [row for row in rig.orders(client) if str(row["correlationId"]).startswith("ct-")]
        doubled += sum(count - 1 for count in Counter(row["correlationId"] for row in rows).values())
        live = {str(row["correlationId"]).split("-")[1]: row for row in rows if is_live(row)}
        for order_id, leader in leaders.items():
            copy = live.pop(order_id, None)
            unrecorded += (order_id, name) not in recorded
            if not is_live(leader):
                orphans += copy is not None
            elif copy is None:
                lost += 1
            elif terms(copy) != scaled(leader, RATIOS[name]):
                unlike += 1
        orphans += len(live)
        due = {contract: quantity * RATIOS[name] for contract, quantity in net(leaders.values()).items()}
        off += net(rows) != due
    return Verdict(doubled, lost, orphans, unlike, off, unrecorded)


def is_live(row: Mapping[str, Any]) -> bool:
    """Return whether an order rests."""
    return row["orderStatus"] in ("PENDING", "PART_TRADED", "TRANSIT")


def terms(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return side, quantity and price, by which two resting orders are compared."""
    return row["transactionType"], Decimal(str(row["quantity"])), Decimal(str(row["price"]))


def scaled(row: Mapping[str, Any], ratio: Decimal) -> tuple[Any, ...]:
    """Return the terms that a copy of a leader order should have."""
    side, quantity, price = terms(row)
    return side, quantity * ratio, price


def net(rows: Any) -> dict[str, Decimal]:
    """Return the net positions that orders come to, in units by contract."""
    found = dict.fromkeys((KEPT, TRADED), Decimal(0))
    for row in rows:
        found[row["securityId"]] += int(row["filledQty"]) * (1 if row["transactionType"] == "BUY" else -1)
    return found


def state(rig: Rig) -> dict[str, Any]:
    """Return positions and resting orders of every account, by number of the leader order, to compare two runs."""
    numbers = {str(row["orderId"]): number for number, row in enumerate(rig.orders(LEADER))}
    found: dict[str, Any] = {}
    for name, client in {"leader": LEADER, **CLIENTS}.items():
        rows = rig.orders(client)
        key = "orderId" if name == "leader" else "correlationId"
        ids = {str(row["orderId"]): str(row[key]).removeprefix("ct-").split("-")[0] for row in rows}
        live = [(numbers[ids[str(row["orderId"])]], *terms(row)) for row in rows if is_live(row)]
        found[name] = (net(rows), sorted(live))
    return found
