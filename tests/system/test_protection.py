"""Limits on what a follower enters, over real sockets: entries end with a reason, exits and cancellations pass."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from copytrade.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.paper.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from tests.system.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.system.test_supervision import Bomb, seat
from tests.waiting import eventually

#: So often what was made of the day is read.
SOON = {"result_interval": 0.1}


def limited(broker: PaperBroker, folder: Path, **limits: Any) -> Settings:
    """Return settings in which the limits are alice's alone."""
    raw = settings_for(broker, folder, recovery=SOON).model_dump(by_alias=True)
    for account in (raw["leader"], *raw["followers"]):
        account["access_token"] = account["access_token"].get_secret_value()
    raw["followers"][0].update(limits)
    return Settings.model_validate(raw)


def enter(copier: Copier, lots: int = 4, **parameters: Any) -> str:
    return copier.buy(lots, 0, order_type="MARKET", **parameters)


def leave(copier: Copier, lots: int = 4) -> str:
    return copier.broker.place(
        LEADER, side="SELL", security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET"
    )


def lose(copier: Copier) -> None:
    """Have the market fall by ten rupees: four lots lose 2600."""
    copier.broker.set_price(OPTION, 110)


def breaches(copier: Copier) -> list[str]:
    return [line for line in copier.log if "Daily loss reached, entries stop follower=alice" in line]


@pytest.mark.parametrize("limit", [2000, "0.2%"])
def test_a_daily_loss_ends_entries_and_nothing_else_with_one_alert(
    broker: PaperBroker, tmp_path: Path, limit: object
) -> None:
    settings = limited(broker, tmp_path, max_daily_loss=limit)
    with running(settings, broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        for follower in ("alice", "bob"):
            copier.mapping(held, follower, "filled")
            copier.mapping(resting, follower, "placed")
        lose(copier)
        eventually(lambda: breaches(copier), "the loss is noticed")
        entry = copier.buy(4, "99.00")
        assert copier.mapping(entry, "alice", "skipped")[0] == "max_daily_loss"
        copier.mapping(entry, "bob", "placed")
        copier.broker.cancel(LEADER, resting)
        copier.mapping(resting, "alice", "cancelled")
        copier.mapping(leave(copier), "alice", "filled")
        eventually(
            lambda: "close_only=daily_loss" in seat(copier, "alice").vitals.figures or copier.system.log_status()
        )
        seat(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        again = copier.buy(4, "98.00")
        assert copier.mapping(again, "alice", "skipped")[0] == "max_daily_loss"
        assert len(breaches(copier)) == 1
        assert breaches(copier)[0].startswith("CRITICAL")
    with running(settings, broker) as copier:
        broker.set_price(OPTION, 150)
        another = copier.buy(4, "97.00")
        assert copier.mapping(another, "alice", "skipped")[0] == "max_daily_loss"
        assert not breaches(copier)


def test_while_no_result_can_be_read_entries_wait_where_a_loss_is_limited(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, max_daily_loss=2000)
    row = '[{"securityId": "45674", "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "netQty": 0}]'
    fault = RestFault(Mischief.ANSWER, Kind.READ, ALICE, 1000, status=200, body=row, path="/positions")
    broker.faults.add(fault)
    with running(settings, broker) as copier:
        entry = copier.buy(4)
        copier.mapping(entry, "bob", "placed")
        copier.logged("Result of the day unreadable account=alice")
        assert not copier.copies("alice")
        broker.faults.clear()
        copier.mapping(entry, "alice", "placed")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"allowed": ["BANKNIFTY"]}, "not_allowed"),
        ({"blocked": ["nifty"]}, "blocked"),
        ({"blocked": ["NSE_FNO"]}, "blocked"),
        ({"max_open_lots": 3}, "max_open_lots"),
    ],
)
def test_what_a_follower_may_not_enter_is_on_record(
    broker: PaperBroker, tmp_path: Path, limits: dict[str, object], reason: str
) -> None:
    with running(limited(broker, tmp_path, **limits), broker) as copier:
        entry = copier.buy(4)
        assert copier.mapping(entry, "alice", "skipped")[0] == reason
        copier.mapping(entry, "bob", "placed")


@pytest.mark.parametrize("key", ["trade_from", "trade_until"])
def test_outside_its_window_a_follower_leaves_and_does_not_enter(broker: PaperBroker, tmp_path: Path, key: str) -> None:
    with running(limited(broker, tmp_path), broker) as copier:
        held = enter(copier)
        copier.mapping(held, "alice", "filled")
    now = datetime.now(IST)
    if key == "trade_from" and now.time() >= datetime.max.time().replace(hour=23, minute=58):
        pytest.skip("no time of the day is left")
    limit = (now + timedelta(minutes=1)).time() if key == "trade_from" else now.time()
    with running(limited(broker, tmp_path, **{key: limit}), broker) as copier:
        entry = copier.buy(4)
        assert copier.mapping(entry, "alice", "skipped")[0] == "outside_window"
        copier.mapping(leave(copier), "alice", "filled")


def test_entries_are_counted_over_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, max_orders_per_day=2)
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        copier.mapping(leave(copier), "alice", "filled")
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        assert copier.mapping(enter(copier), "alice", "skipped")[0] == "max_orders_per_day"
        copier.mapping(leave(copier, 8), "alice", "filled")
