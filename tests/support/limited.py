"""A copier with limits, and a leader who enters and leaves."""

from pathlib import Path
from typing import Any

from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.support.copier import LEADER, LOT, OPTION, Copier, settings_for
from tests.support.waiting import eventually

#: So often what was made of the day is read.
SOON = {"result_interval": 0.1}


def limited(broker: PaperBroker, folder: Path, **limits: Any) -> Settings:
    """Return settings in which the limits are alice's alone."""
    raw = settings_for(broker, folder, recovery=SOON).model_dump(by_alias=True)
    for account in (*raw["leaders"], *raw["followers"]):
        account["access_token"] = account["access_token"].get_secret_value()
    raw["followers"][0].update(limits)
    return Settings.model_validate(raw)


def enter(copier: Copier, lots: int = 4, **parameters: Any) -> str:
    return copier.buy(lots, 0, order_type="MARKET", **parameters)


def leave(copier: Copier, lots: int = 4) -> str:
    return copier.broker.place(
        LEADER, side="SELL", security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET"
    )


def answered(copier: Copier, number: int) -> tuple[Any, ...]:
    query = "SELECT is_done, answer FROM commands WHERE id = ? AND answer IS NOT NULL"
    rows: list[tuple[Any, ...]] = eventually(lambda: copier.rows(query, number), "the command is answered")
    return rows[0]


def net(copier: Copier, client_id: str) -> int:
    return sum(position.net for position in copier.broker.exchange.positions(client_id))
