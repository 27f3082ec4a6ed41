"""A copier with two leaders, asha and dev, and two followers; chetan follows bina in a chain if a test says so."""

from pathlib import Path
from typing import Any

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.settings import Settings
from tests.support.copier import LOT, OPTION, Copier, settings_for
from tests.support.waiting import eventually

IDS = {"asha": "1000000001", "dev": "1000000002", "emil": "1000000003", "bina": "1000000101", "chetan": "1000000102"}


def accounts() -> list[PaperAccount]:
    return [PaperAccount(client_id, f"token-of-{name}") for name, client_id in IDS.items()]


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "client_id": IDS[name], "access_token": f"token-of-{name}", **more}


def settings_of(
    broker: PaperBroker,
    folder: Path,
    leaders: tuple[str, ...] = ("asha", "dev"),
    bina: dict[str, Any] | None = None,
    chetan: dict[str, Any] | None = None,
    **sections: Any,
) -> Settings:
    """Return settings for these leaders; bina copies at 1.0 and chetan at 0.5 if not said otherwise."""
    raw = settings_for(broker, folder, **sections).model_dump(by_alias=True, exclude_unset=True)
    raw["leaders"] = [account(name) for name in leaders]
    raw["followers"] = [account("bina", **(bina or {"ratio": 1.0})), account("chetan", **(chetan or {"ratio": 0.5}))]
    return Settings.model_validate(raw)


def is_ready(copier: Copier) -> None:
    """Wait until everybody is connected and every book has been read."""
    for client_id in {one.client_id for one in (*copier.settings.leaders, *copier.settings.followers)}:
        eventually(lambda client_id=client_id: copier.broker.feed_connections(client_id), f"{client_id} is connected")
    eventually(copier.system.is_ready, "every actor is live")


def trades(broker: PaperBroker, name: str, side: str, lots: int) -> str:
    """Have an account trade at the market, as its holder does at the broker's web site."""
    return broker.place(IDS[name], side=side, security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET")


def rests(broker: PaperBroker, name: str, side: str = "BUY", lots: int = 2, price: str = "100.05") -> str:
    """Have an account place a limit order that rests."""
    return broker.place(IDS[name], side=side, security_id=OPTION, quantity=lots * LOT, price=price)


def net(broker: PaperBroker, name: str) -> int:
    """Return what an account has bought less what it has sold."""
    signs = {"BUY": 1, "SELL": -1}
    return sum(int(str(row["filledQty"])) * signs[str(row["transactionType"])] for row in broker.orders(IDS[name]))


def holds(broker: PaperBroker, name: str, lots: float) -> None:
    """Wait until an account has come to so many lots."""
    eventually(lambda: net(broker, name) == lots * LOT, f"{name} holds {lots} lots, not {net(broker, name)} units")
