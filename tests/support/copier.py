"""A whole copier in this process, over real sockets, beside a paper broker that the test drives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from loguru import logger

from actors.store.operator_commands import Session
from actors.system.system import CopySystem
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.settings import Settings
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually

LEADER, ALICE, BOB = "1000000001", "1000000101", "1000000102"
CLIENTS = {"leader": LEADER, "alice": ALICE, "bob": BOB}

#: More reads than any test makes.
QUICK_READS = {"per_second": 100, "per_minute": 6_000, "per_hour": 100_000}

#: An option on NIFTY: lot 65, tick 0.05, price 120 until a test sets it.
OPTION = "45674"
LOT = 65


def accounts() -> list[PaperAccount]:
    return [PaperAccount(client_id, f"token-of-{name}") for name, client_id in CLIENTS.items()]


def settings_for(broker: PaperBroker, folder: Path, **sections: Any) -> Settings:
    """Return settings for two followers: alice at 1.0 and bob at 0.5.

    The market never closes: a test that runs on a holiday, or slowly enough for its orders to be late, sees the same.
    Where a test sets its own pace of ``recovery``, reads are not held back.
    """
    raw: dict[str, Any] = {
        "mode": "live",
        "leader": {"client_id": LEADER, "access_token": "token-of-leader"},
        "followers": [
            {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 1.0},
            {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 0.5},
        ],
        "copy": {"sizing": "fixed_ratio"},
        "market": {"hours": "always"},
        "dhan": {
            "rest_url": broker.rest_url,
            "feed_url": broker.feed_url,
            "auth_url": broker.auth_url,
            "instruments_url": broker.instruments_url,
        },
        "store": {"database": str(folder / "copy.db")},
    }
    if "recovery" in sections:
        raw["limits"] = {"reads": QUICK_READS}
    for name, section in sections.items():
        raw[name] = {**raw.get(name, {}), **section} if isinstance(section, dict) else section
    return Settings.model_validate(raw)


@dataclass
class Copier:
    """A running copier and what it wrote."""

    system: CopySystem
    settings: Settings
    broker: PaperBroker
    log: list[str]

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database, as an operator would."""
        with opened(self.settings.store.database) as connection:
            return connection.execute(query, parameters).fetchall()

    def copies(self, follower: str) -> list[dict[str, Any]]:
        """Return the broker's rows of a follower's orders that are copies."""
        return [row for row in self.broker.orders(CLIENTS[follower]) if str(row["correlationId"]).startswith("ct-")]

    def copy_of(self, leader_order_id: str, follower: str) -> dict[str, Any]:
        """Wait for a follower's copy of a leader order at the broker, and return its row."""

        def find() -> dict[str, Any] | None:
            wanted = f"ct-{leader_order_id}-1"
            return next((row for row in self.copies(follower) if row["correlationId"] == wanted), None)

        found: dict[str, Any] = eventually(find, f"{follower} copies {leader_order_id}")
        return found

    def mapping(self, leader_order_id: str, follower: str, status: str) -> tuple[Any, ...]:
        """Wait until the database says this of a copy, and return (reason, error, order, quantity, slippage)."""
        query = (
            "SELECT reason, error_message, follower_order_id, follower_quantity, slippage FROM copy_mappings"
            " WHERE leader_order_id = ? AND follower = ? AND status = ?"
        )
        rows: list[tuple[Any, ...]] = eventually(
            lambda: self.rows(query, leader_order_id, follower, status),
            f"{follower}'s copy of {leader_order_id} is {status}, not "
            f"{self.rows('SELECT * FROM copy_mappings WHERE leader_order_id = ?', leader_order_id)}",
        )
        return rows[0]

    def logged(self, text: str) -> str:
        """Wait until a line with ``text`` is logged, and return it."""
        found: str = eventually(lambda: next((line for line in self.log if text in line), None), f"log says {text!r}")
        return found

    def ready(self) -> None:
        """Wait until everybody is connected and every book has been read."""
        for account in (self.settings.leader, *self.settings.followers):
            client_id = account.client_id
            eventually(lambda client_id=client_id: self.broker.feed_connections(client_id), f"{client_id} is connected")
        eventually(self.system.is_ready, "every actor is live")

    def buy(self, lots: int = 4, price: float | str = "100.05", **parameters: Any) -> str:
        """Have the leader place an order, a resting limit order to buy if not said otherwise."""
        terms = {"side": "BUY", "security_id": OPTION, "quantity": lots * LOT, "price": price, **parameters}
        return self.broker.place(LEADER, **terms)


@contextmanager
def running(
    settings: Settings,
    broker: PaperBroker,
    *,
    exit_code: int = 0,
    wait: bool = True,
    session: Session | None = None,
) -> Iterator[Copier]:
    """Run a copier, once it is ready if not said otherwise; stop it in order and see that it says ``exit_code``."""
    ended: SimpleQueue[int] = SimpleQueue()
    log: list[str] = []
    sink = logger.add(lambda line: log.append(str(line)), level="DEBUG", format="{level} {message}")
    system = CopySystem(settings, None, ended.put, session=session)
    copier = Copier(system, settings, broker, log)
    system.start()
    try:
        if wait:
            copier.ready()
        yield copier
    finally:
        system.stop()
        said = ended.get(timeout=PATIENCE)
        system.close()
        logger.remove(sink)
    assert said == exit_code, f"exit code {said}"
