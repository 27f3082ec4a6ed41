"""Three leaders trade on one line while feeds drop and actors die: who is flat in the end leaves his copies flat."""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.support.bombs import Bomb, address
from tests.support.copier import LOT, Copier, running
from tests.support.waiting import eventually
from tests.system.leaders.leading import IDS, is_ready, net, rests, settings_of, trades

LEADERS = ("asha", "dev", "emil")
SUPERVISION = {"max_restarts": 1000, "backoff": 0.01, "backoff_max": 0.05}
SOON = {"audit_interval": 1.0, "absence_window": 0.5}


@pytest.mark.parametrize("seed", [2])
def test_who_is_flat_in_the_end_leaves_the_copies_of_him_flat(tmp_path: Path, seed: int) -> None:
    accounts = [PaperAccount(client_id, f"token-of-{name}", Decimal(10**9)) for name, client_id in IDS.items()]
    with PaperBroker(accounts) as broker:
        settings = settings_of(
            broker, tmp_path, leaders=LEADERS, chetan={"ratio": 2.0}, supervision=SUPERVISION, recovery=SOON
        )
        with running(settings, broker, wait=False) as copier:
            is_ready(copier)
            stays = storm(copier, random.Random(seed))
            eventually(lambda: not wrong(copier, stays), f"all are flat but {stays}, seed {seed}")
            assert any(child.address.epoch > 1 for child in copier.system.children)


def storm(copier: Copier, chance: random.Random) -> str:
    """Trade and break things by turns; return the only leader who keeps what he holds."""
    broker, resting = copier.broker, dict[str, str]()
    for _ in range(40):
        leader = chance.choice(LEADERS)
        what = chance.random()
        if what < 0.6:
            trades(broker, leader, chance.choice(("BUY", "SELL")), chance.randrange(1, 4))
        elif what < 0.8 or not resting:
            resting[rests(broker, leader, price=f"{chance.randrange(90, 99)}.05")] = leader
        else:
            order, whose = resting.popitem()
            broker.cancel(IDS[whose], order)
        if chance.random() < 0.1:
            broker.drop_feed(IDS[chance.choice(LEADERS)])
        if chance.random() < 0.1:
            name = chance.choice(["bina", "feed-bina", "feed-asha", "feed-dev"])
            address(copier, name).tell(Bomb(RuntimeError("a bug")))
    stays = chance.choice(LEADERS)
    for order, leader in resting.items():
        broker.cancel(IDS[leader], order)
    for leader in LEADERS:
        units = net(broker, leader)
        if units and leader != stays:
            trades(broker, leader, "SELL" if units > 0 else "BUY", abs(units) // LOT)
    return stays


def wrong(copier: Copier, stays: str) -> list[tuple[Any, ...]]:
    """Return which copies are not as they should be: of whom, and what is held or rests."""
    broker, found = copier.broker, list[tuple[Any, ...]]()
    whose = {row["orderId"]: leader for leader in LEADERS for row in broker.orders(IDS[leader])}
    for follower, ratio in (("bina", 1), ("chetan", 2)):
        held = Counter[str]()
        for row in broker.orders(IDS[follower]):
            leader = whose[str(row["correlationId"]).split("-")[1]]
            held[leader] += int(str(row["filledQty"])) * (1 if row["transactionType"] == "BUY" else -1)
            if row["orderStatus"] == "PENDING":
                found.append((follower, leader, "rests"))
        found += [(follower, leader, held[leader]) for leader in LEADERS if leader != stays and held[leader]]
        share = ratio * net(broker, stays)  # at most: what he had left again before it was sent is not entered
        if held[stays] * share < 0 or abs(held[stays]) > abs(share):
            found.append((follower, stays, held[stays], share))
        for leader, recorded in copier.rows("SELECT leader, held FROM ledger WHERE follower = ?", follower):
            if recorded != held[leader]:
                found.append((follower, leader, held[leader], "in the ledger", recorded))
    return found
