"""A copier that is only played: its lock, its status file and its database, for the board to show."""

from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec.structs import replace

from copytrade.common import wall_clock
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy, DesiredOrder, LatencyBreakdown, Stage
from copytrade.core.model.orders import (
    IST,
    InstrumentKey,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)
from copytrade.core.model.reasons import Reason
from copytrade.storage.database import Database
from copytrade.storage.files.lock_file import hold_lock
from copytrade.storage.files.status_file import ActorStatus, CopierStatus, status_path
from copytrade.storage.records import CopyChanged, OrderChanged, Record

LEADER = "1000000001"
OPTION = InstrumentKey(Segment.NSE_FNO, "45678")
SYMBOL = "NIFTY 24 NOV 26000 CALL"
LOT = 65


class Stagehand:
    """Plays a copier of some followers in a folder, from the beginning of a ``with`` block to its end."""

    def __init__(self, folder: Path, followers: int, board: str = "") -> None:
        """``board`` is more of the settings' table [board]."""
        self.folder = folder
        self.names = [f"f{number:03}" for number in range(1, followers + 1)]
        self.settings = folder / "settings.toml"
        self.settings.write_text(_settings(self.names, board))
        self.database = str(folder / "copy_trading.db")
        self.actors: dict[str, ActorStatus] = {}
        self._held = ExitStack()
        self._orders = 0
        self._since = wall_clock.now()

    def __enter__(self) -> Self:
        self._held.enter_context(hold_lock(self.database))
        with self._opened() as database:
            database.claim("paper", LEADER)
        self.actors = {actor.name: actor for actor in _actors(self.names)}
        self.tell()
        return self

    def __exit__(self, *_error: object) -> None:
        self._held.close()
        status_path(self.database).unlink(missing_ok=True)

    def tell(self, **details: Any) -> None:
        """Write the status, as the copier does every second. ``details`` are actors with what is new of them."""
        for name, changes in details.items():
            actor = self.actors[name.replace("_", "-")]
            self.actors[actor.name] = replace(actor, **changes)
        now = wall_clock.now()
        status = CopierStatus(now, self._since, 1, "paper", "leader", self.names, list(self.actors.values()))
        path = status_path(self.database)
        new = path.with_name(f"{path.name}.new")
        new.write_bytes(msgspec.json.encode(status))
        new.replace(path)

    def order(self, symbol: str = SYMBOL, reason: str = "", **changes: Any) -> Order:
        """Have the leader place an order that nobody has looked at yet."""
        self._orders += 1
        now = wall_clock.now()
        order = Order(
            id=f"1126{self._orders:06}",
            client_id=LEADER,
            status=Status.PENDING,
            side=Side.BUY,
            key=OPTION,
            product=Product.MARGIN,
            order_type=OrderType.LIMIT,
            validity=Validity.DAY,
            quantity=4 * LOT,
            price=Decimal("100.05"),
            symbol=symbol,
            reason=reason,
            observed_at=now,
            created_at=now,
            updated_at=now,
            source=Source.FEED,
            instrument="OPTIDX",
            lot_size=LOT,
        )
        order = replace(order, **changes)
        self.write(OrderChanged("leader", AccountType.LEADER, order))
        return order

    def copied(self, order: Order, name: str, **changes: Any) -> Copy:
        """Have a follower copy an order in half its size."""
        now = wall_clock.now()
        terms = DesiredOrder(2 * LOT, order.order_type, order.price, order.trigger_price, order.validity, 0)
        copy = Copy(
            order.id,
            name,
            now.astimezone(IST).date(),
            now,
            n=1,
            stage=Stage.LIVE,
            strategy="fixed_ratio",
            correlation_id=f"ct-{order.id}-1",
            order_id=f"F{order.id}{name}",
            desired=terms,
            accepted=terms,
            latency_ms=6.5,
            breakdown=LatencyBreakdown(0.5, 0.0, 1.5, 4.5),
        )
        copy = replace(copy, **changes)
        self.write(CopyChanged(copy, order, now))
        return copy

    def skipped(self, order: Order, name: str, reason: Reason, error: str = "") -> None:
        """Have a follower skip an order."""
        now = wall_clock.now()
        copy = Copy(order.id, name, now.astimezone(IST).date(), now, reason=reason, error=error)
        self.write(CopyChanged(copy, order, now))

    def write(self, *records: Record) -> None:
        """Write records as the copier does."""
        with self._opened() as database:
            database.write(records)

    def _opened(self) -> "_Opened":
        return _Opened(self.database)


class _Opened:
    """A database that is open in a ``with`` block."""

    def __init__(self, path: str) -> None:
        self._database = Database(path, synchronous="normal")

    def __enter__(self) -> Database:
        return self._database

    def __exit__(self, *_error: object) -> None:
        self._database.close()


def _actors(names: list[str]) -> list[ActorStatus]:
    """Return actors that live and have something to show."""
    until = (wall_clock.now() + timedelta(hours=20)).astimezone(IST).isoformat(timespec="seconds")
    left = {"1s": 10, "60s": 240, "3600s": 990, "day": 6900}
    shared = [
        ActorStatus("notifier", "live", 0, 0, 1.0, {"sent": 0}, {"last": {}}),
        ActorStatus("store", "live", 0, 0, 0.1),
        ActorStatus("rate-limiter", "live", 0, 0, 0.1, {"permits": 12}, {"left": dict.fromkeys(names, left)}),
    ]
    feeds = [
        ActorStatus(f"feed-{name}", "live", 0, 0, 0.5, {"gate": "open"}, {"token": until})
        for name in ("leader", *names)
    ]
    return [*shared, *feeds, *(_follower(name, number, until) for number, name in enumerate(names))]


def _follower(name: str, number: int, at: str) -> ActorStatus:
    latency = {f"{whose}p{part}_ms": 4.0 + number / 100 for whose in ("", "ours_", "broker_") for part in (50, 99)}
    result = {"rupees": 100.0 * (number - 2), "realised": 50.0, "unrealised": 100.0 * (number - 2) - 50, "at": at}
    details = {"wanted": 0, "positions_read": at, "apart": [], "latency": latency, "day_result": result}
    return ActorStatus(name, "live", 0, 0, 0.2, {"open": 1, "requests": 12}, details, 60.0)


def _settings(names: list[str], board: str) -> str:
    followers = "".join(
        f'[[followers]]\nname = "{name}"\nclient_id = "{2_000_000_000 + number}"\naccess_token = "canary-of-{name}"\n'
        for number, name in enumerate(names)
    )
    return (
        f'mode = "paper"\n[leader]\nclient_id = "{LEADER}"\naccess_token = "canary-of-leader"\n{followers}'
        f'[market]\nhours = "always"\n[board]\nlisten = "127.0.0.1:0"\n{board}'
    )
