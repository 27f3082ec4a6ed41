"""Whatever befalls one of ten followers under load, the nine others do not notice: their orders are the same."""

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from tests.support.bombs import Bomb, Sleep, address
from tests.support.copier import LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

NAMES = [f"f{number}" for number in range(10)]
CLIENTS = {name: f"10000002{number:02}" for number, name in enumerate(NAMES)}
VICTIM = NAMES[0]


def crash(copier: Copier) -> None:
    address(copier, VICTIM).tell(Bomb(RuntimeError("a bug")))


def hang(copier: Copier) -> None:
    address(copier, VICTIM).tell(Sleep())


def exit_(copier: Copier) -> None:
    address(copier, VICTIM).tell(Bomb(SystemExit(1)))


def slow_broker(copier: Copier) -> None:
    fault = RestFault(Mischief.NONE, Kind.PLACE, CLIENTS[VICTIM], times=1, delay=0.8)
    copier.broker.faults.add(fault)


def lost_answers(copier: Copier) -> None:
    copier.broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, CLIENTS[VICTIM], accepted=True))


def feed_dies(copier: Copier) -> None:
    address(copier, f"feed-{VICTIM}").tell(Bomb(RuntimeError("a bug")))


@pytest.mark.parametrize("mishap", [crash, hang, exit_, slow_broker, lost_answers, feed_dies])
def test_a_mishap_of_one_follower_changes_no_order_of_the_others(
    tmp_path: Path, mishap: Callable[[Copier], None]
) -> None:
    accounts = [PaperAccount(LEADER, "token-of-leader", Decimal(10**9))]
    accounts += [PaperAccount(client, f"token-of-{name}", Decimal(10**9)) for name, client in CLIENTS.items()]
    with PaperBroker(accounts) as broker, running(ten_followers(broker, tmp_path), broker) as copier:
        leaders = load(copier, mishap)
        eventually(lambda: all(copied(copier, name) == leaders for name in NAMES), "everybody has what the leader has")
        for name in NAMES[1:]:
            assert address(copier, name).epoch == 1
        ids = [row["correlationId"] for name in NAMES for row in broker.orders(CLIENTS[name])]
        assert max(Counter(ids).values()) == len(NAMES)


def test_followers_that_die_of_one_cause_are_one_storm_and_burn_no_budget(tmp_path: Path) -> None:
    accounts = [PaperAccount(LEADER, "token-of-leader", Decimal(10**9))]
    accounts += [PaperAccount(client, f"token-of-{name}", Decimal(10**9)) for name, client in CLIENTS.items()]
    with PaperBroker(accounts) as broker:
        settings = ten_followers(broker, tmp_path)
        few = settings.supervision.model_copy(update={"max_restarts": 2})
        with running(settings.model_copy(update={"supervision": few}), broker) as copier:
            for epoch in range(1, 7):
                for name in NAMES:
                    eventually(lambda name=name, epoch=epoch: address(copier, name).epoch == epoch)
                    eventually(lambda name=name: address(copier, name).is_taken)
                for name in NAMES:
                    address(copier, name).tell(Bomb(RuntimeError("the same for all")))
            copier.logged("Actors die together, restarted together cause=RuntimeError")
            leader = copier.buy(4)
            for name in NAMES[-3:]:
                copier.mapping(leader, name, "placed")
            assert sum("Actors die together" in line for line in copier.log) == 1


def ten_followers(broker: PaperBroker, folder: Path) -> Settings:
    followers = [
        {"name": name, "client_id": client, "access_token": f"token-of-{name}"} for name, client in CLIENTS.items()
    ]
    supervision = {"max_restarts": 100, "backoff": 0.01, "backoff_max": 0.05, "hang_after": 0.3}
    return settings_for(
        broker,
        folder,
        followers=followers,
        supervision=supervision,
        dhan={"request_timeout": 1.0},
        recovery={"absence_window": 0.5},
    )


def load(copier: Copier, mishap: Callable[[Copier], None]) -> dict[str, tuple[Any, ...]]:
    """Place, modify and cancel for a while, with three mishaps on the way; return each leader order's live terms."""
    eventually(lambda: all(copier.broker.feed_connections(client) for client in CLIENTS.values()))
    chance = random.Random(1)
    resting: list[str] = []
    for step in range(24):
        price = Decimal(chance.randrange(1800, 2200)) / 20
        if step % 8 == 3:
            mishap(copier)
        if step % 3 == 0 or not resting:
            resting.append(copier.buy(chance.randrange(1, 5), price))
        elif step % 3 == 1:
            copier.broker.modify(LEADER, chance.choice(resting), price=price)
        elif step % 6 == 5:
            copier.broker.cancel(LEADER, resting.pop())

    return {f"ct-{row['orderId']}-1": terms(row) for row in copier.broker.orders(LEADER) if is_live(row)}


def copied(copier: Copier, name: str) -> dict[str, tuple[Any, ...]]:
    return {str(row["correlationId"]): terms(row) for row in copier.broker.orders(CLIENTS[name]) if is_live(row)}


def terms(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["orderStatus"], row["quantity"], row["price"]


def is_live(row: dict[str, Any]) -> bool:
    return bool(row["orderStatus"] == "PENDING")
