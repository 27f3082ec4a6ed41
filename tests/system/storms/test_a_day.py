"""A day on which much goes wrong: in the end every copy is what it should be, or says why it is not."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.support.copier import LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

PIN, SECRET = "271828", "LEADERLEADERLEADERLEADER"
NAMES = ("alice", "bob", "carol", "dave")
CLIENTS = {name: f"100000010{number}" for number, name in enumerate(NAMES, 1)}
ADDRESSES = {name: f"127.0.0.{number}" for number, name in enumerate(NAMES, 2)}


def sell(copier: Copier) -> str:
    return copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET")


def all_of(copier: Copier, leader: str, status: str, *names: str) -> None:
    for name in names:
        copier.mapping(leader, name, status)


def test_tokens_that_expire_an_address_that_is_refused_and_a_loss_that_is_too_large(tmp_path: Path) -> None:
    accounts = [PaperAccount(LEADER, "token-of-leader", pin=PIN, totp_secret=SECRET)]
    accounts += [
        PaperAccount(client_id, f"token-of-{name}", pin=PIN, totp_secret=SECRET) for name, client_id in CLIENTS.items()
    ]
    ways = {"pin": PIN, "totp_secret": SECRET}
    followers = [
        {"name": name, "client_id": CLIENTS[name], "access_token": f"token-of-{name}", "ratio": 1.0, **ways}
        | {"source_address": ADDRESSES[name]}
        for name in NAMES
    ]
    followers[2] |= {"max_daily_loss": 2000}
    with PaperBroker(accounts) as broker:
        broker.allow_logins(0)
        settings = settings_for(
            broker,
            tmp_path,
            leader=ways,
            followers=followers,
            tokens={"attempt_interval": 0.2},
            recovery={"result_interval": 0.1},
        )
        with running(settings, broker) as copier:
            morning, resting = copier.buy(4, 0, order_type="MARKET"), copier.buy(4, "100.00")
            all_of(copier, morning, "filled", *NAMES)
            all_of(copier, resting, "placed", *NAMES)

            for client_id in (LEADER, *CLIENTS.values()):  # noon
                broker.revoke_token(client_id)
                broker.drop_feed(client_id)
            noon = copier.buy(4, "99.00")
            all_of(copier, noon, "placed", *NAMES)

            broker.register_addresses(CLIENTS["bob"], "127.0.0.9")
            afternoon = copier.buy(4, "98.00")
            all_of(copier, afternoon, "placed", "alice", "carol", "dave")
            assert copier.mapping(afternoon, "bob", "skipped")[0] == "account_suspended"

            broker.set_price(OPTION, 110)
            assert "follower=carol" in copier.logged("Daily loss reached, entries stop")
            late = copier.buy(4, "97.00")
            all_of(copier, late, "placed", "alice", "dave")
            assert copier.mapping(late, "carol", "skipped")[0] == "max_daily_loss"
            assert copier.mapping(late, "bob", "skipped")[0] == "account_suspended"

            broker.cancel(LEADER, resting)
            all_of(copier, resting, "cancelled", "alice", "carol", "dave")
            evening = sell(copier)
            all_of(copier, evening, "filled", "alice", "carol", "dave")
            query = "SELECT follower FROM copy_mappings WHERE leader_order_id = ?"
            for leader in (morning, resting, noon, afternoon, late, evening):
                told = eventually(lambda leader=leader: len(rows := copier.rows(query, leader)) >= 4 and rows)
                assert {name for (name,) in told} == set(NAMES)
            assert (
                copier.rows("SELECT 1 FROM copy_mappings WHERE status IN ('skipped', 'failed') AND reason IS NULL")
                == []
            )
        for name, client_id in CLIENTS.items():
            held = sum(position.net for position in broker.exchange.positions(client_id))
            assert held == (4 * LOT if name == "bob" else 0)
            ids = [order["correlationId"] for order in broker.orders(client_id)]
            assert len(ids) == len(set(ids))
