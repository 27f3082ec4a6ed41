"""A market that does everything it can: partial fills, rejections and halts, and every copy is explained in the end."""

import random
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import Mishaps, PaperAccount
from copytrade.paper.exchange.orders import Refusal
from tests.support.copier import CLIENTS, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

MISHAPS = Mishaps(partial_fills=0.7, rejections=0.2, halts=0.3, spared=LEADER)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_copy_is_explained_whatever_the_market_does(tmp_path: Path, seed: int) -> None:
    accounts = [PaperAccount(client_id, f"token-of-{name}", Decimal(10**9)) for name, client_id in CLIENTS.items()]
    with PaperBroker(accounts, seed=seed, tick_interval=0.02, mishaps=MISHAPS) as broker:
        settings = settings_for(broker, tmp_path, copy={"unfilled_after": 0.2})
        with running(settings, broker) as copier:
            trade(copier, random.Random(seed))
            eventually(lambda: not unexplained(copier), "every copy is explained")
            for follower in ("alice", "bob"):
                eventually(
                    lambda follower=follower: held(copier, follower) == net(copier, follower), "ledger and broker"
                )


def trade(copier: Copier, chance: random.Random) -> None:
    """Enter, change his mind, and leave again, thirty times; then cancel what rests and close what is held."""
    broker, resting = copier.broker, []
    for _ in range(30):
        price = broker.exchange.prices["NSE_FNO", OPTION]
        terms: dict[str, Any] = {"order_type": "LIMIT", "price": price + chance.choice((-2, 0, 2))}
        if chance.random() < 0.3:
            terms = {"order_type": "MARKET", "price": 0}
        resting.append(copier.buy(chance.randrange(1, 5), side=chance.choice(("BUY", "SELL")), **terms))
        if chance.random() < 0.7:  # now and then one order overtakes the other
            eventually(lambda: len(decided(copier, resting[-1])) == 2, "both followers have decided about it")
        with suppress(Refusal):  # it may be too late
            if chance.random() < 0.3:
                broker.cancel(LEADER, chance.choice(resting))
            elif chance.random() < 0.4:
                broker.modify(LEADER, chance.choice(resting), price=price)
        broker.set_price(OPTION, price)
    broker.resume(OPTION)
    for order in resting:
        with suppress(Refusal):
            broker.cancel(LEADER, order)
    if position := net_of(broker, LEADER):
        copier.buy(abs(position) // LOT, side="SELL" if position > 0 else "BUY", order_type="MARKET", price=0)


def decided(copier: Copier, leader_order_id: str) -> list[tuple[Any, ...]]:
    return copier.rows("SELECT DISTINCT follower FROM copy_mappings WHERE leader_order_id = ?", leader_order_id)


def unexplained(copier: Copier) -> list[tuple[Any, ...]]:
    """Return the copies that are open or do not say why they failed, and what nobody has decided about."""
    rows = copier.rows("SELECT leader_order_id, follower, status, reason, follower_filled FROM copy_mappings")
    open_ = [row for row in rows if row[2] in ("pending", "placed")]
    silent = [row for row in rows if row[2] in ("failed", "skipped") and row[3] is None]
    known = {(row[0], row[1]) for row in rows}
    orders = [row["orderId"] for row in copier.broker.orders(LEADER)]
    missing = [(order, name) for order in orders for name in ("alice", "bob") if (order, name) not in known]
    return [*open_, *silent, *missing]


def held(copier: Copier, follower: str) -> int:
    return sum(row[0] for row in copier.rows("SELECT held FROM ledger WHERE follower = ?", follower))


def net(copier: Copier, follower: str) -> int:
    return net_of(copier.broker, CLIENTS[follower])


def net_of(broker: PaperBroker, client_id: str) -> int:
    return sum(position.net for position in broker.exchange.positions(client_id))
