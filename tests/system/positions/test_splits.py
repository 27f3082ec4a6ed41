"""Shares that are split, or come with a bonus, over night: what was copied is left wholly all the same."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.support.clocks import with_a_clock
from tests.support.copier import ALICE, BOB, CLIENTS, LEADER, Copier, accounts, running, settings_for
from tests.support.waiting import eventually

INFY = "1594"

SCALED = "Shares were split, the line is scaled follower="


@pytest.fixture(autouse=True)
def reads_that_agree_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper broker shows positions at once: reads that are to agree need not be seconds apart."""
    monkeypatch.setattr("copytrade.core.ledger.reads.position_reads.LEAST_LAG", timedelta(milliseconds=300))


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PaperBroker, Callable[[], None]]]:
    """A broker, and what makes it the next day: what was bought is in the depository."""
    broker = PaperBroker(accounts())
    _, move = with_a_clock(broker, monkeypatch)

    def passes() -> None:
        def settle() -> None:
            for client_id in CLIENTS.values():
                for position in broker.exchange.positions(client_id):
                    position.carried = position.net
                    position.carried_value = position.cost_price * abs(position.net)
                    position.bought = position.sold = 0
                    position.bought_value = position.sold_value = position.carried_value * 0

        broker.call(settle)
        move(timedelta(days=1))

    with broker:
        yield broker, passes


def settings_with_shares(broker: PaperBroker, folder: Path) -> Settings:
    return settings_for(
        broker, folder, recovery={"audit_interval": 0.2}, copy={"instruments": ["*"], "sizing": "fixed_ratio"}
    )


def trade(copier: Copier, side: str, shares: int, security_id: str = INFY, segment: str = "NSE_EQ") -> str:
    return copier.broker.place(
        LEADER,
        side=side,
        security_id=security_id,
        segment=segment,
        quantity=shares,
        price=0,
        order_type="MARKET",
        product="CNC",
    )


def enter(copier: Copier) -> None:
    bought = trade(copier, "BUY", 10)
    copier.mapping(bought, "alice", "filled")
    copier.mapping(bought, "bob", "filled")


def held(broker: PaperBroker, follower: str) -> int:
    return sum(int(str(row["netQty"])) for row in broker.positions(CLIENTS[follower]))


@pytest.mark.parametrize(("old", "new"), [(1, 2), (1, 4), (5, 2)])
def test_shares_that_are_split_while_the_copier_stands_still_are_sold_wholly(
    night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path, old: int, new: int
) -> None:
    broker, passes = night
    settings = settings_with_shares(broker, tmp_path)
    with running(settings, broker) as copier:
        bought = trade(copier, "BUY", 20)
        copier.mapping(bought, "alice", "filled")
        copier.mapping(bought, "bob", "filled")
    passes()
    broker.split(INFY, old, new)
    with running(settings, broker) as copier:
        for follower in ("alice", "bob"):
            copier.logged(f"{SCALED}{follower}")
        trade(copier, "SELL", 20 * new // old)
        for follower in ("alice", "bob"):
            eventually(lambda follower=follower: held(broker, follower) == 0, f"{follower} has sold all")


def test_shares_that_are_split_while_the_copier_runs_are_sold_wholly(
    night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path
) -> None:
    broker, passes = night
    with running(settings_with_shares(broker, tmp_path), broker) as copier:
        enter(copier)
        passes()
        broker.split(INFY, 1, 2)
        for follower in ("alice", "bob"):
            copier.logged(f"{SCALED}{follower}")
        trade(copier, "SELL", 10)
        eventually(lambda: held(broker, "bob") == 5, f"bob has {held(broker, 'bob')}")
        trade(copier, "SELL", 10)
        for follower in ("alice", "bob"):
            eventually(
                lambda follower=follower: held(broker, follower) == 0, f"{follower} has {held(broker, follower)}"
            )
        assert not [line for line in copier.log if "changed while nobody looked" in line]


def test_shares_that_did_not_become_more_everywhere_are_told_and_not_scaled(
    night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path
) -> None:
    broker, passes = night
    with running(settings_with_shares(broker, tmp_path), broker) as copier:
        enter(copier)
        passes()
        broker.carry(LEADER, INFY, 10, product="CNC", segment="NSE_EQ")
        broker.carry(ALICE, INFY, 3, product="CNC", segment="NSE_EQ")
        copier.logged("changed while nobody looked follower=bob")
        copier.logged("changed while nobody looked follower=alice")
        copier.logged("Position differs from the copies follower=alice")
        assert not [line for line in copier.log if "Shares were split" in line]
        trade(copier, "SELL", 20)
        eventually(lambda: held(broker, "bob") == 0, "what was copied is sold")
        eventually(lambda: held(broker, "alice") == 3, "and nothing else")


def test_what_is_traded_on_the_day_is_no_split(night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path) -> None:
    broker, _ = night
    with running(settings_with_shares(broker, tmp_path), broker) as copier:
        enter(copier)
        for client_id, shares in ((LEADER, 10), (ALICE, 10), (BOB, 5)):
            broker.carry(client_id, INFY, shares, product="CNC", segment="NSE_EQ")
        copier.logged("changed while nobody looked follower=bob")
        assert not [line for line in copier.log if "Shares were split" in line]


def test_options_are_never_scaled(night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path) -> None:
    broker, passes = night
    with running(settings_with_shares(broker, tmp_path), broker) as copier:
        bought = copier.buy(2, 0, order_type="MARKET")
        copier.mapping(bought, "bob", "filled")
        passes()
        for client_id, units in ((LEADER, 130), (ALICE, 130), (BOB, 65)):
            broker.carry(client_id, "45674", units)
        copier.logged("changed while nobody looked follower=bob")
        assert not [line for line in copier.log if "Shares were split" in line]


def test_what_has_expired_is_held_no_more_and_told_once(
    night: tuple[PaperBroker, Callable[[], None]], tmp_path: Path
) -> None:
    broker, passes = night
    settings = settings_with_shares(broker, tmp_path)
    with running(settings, broker) as copier:
        bought = copier.buy(2, 0, order_type="MARKET")
        copier.mapping(bought, "alice", "filled")
        copier.mapping(bought, "bob", "filled")
    passes()
    for client_id, units in ((LEADER, 130), (ALICE, 130), (BOB, 65)):
        broker.carry(client_id, "45674", -units)
    with running(settings, broker) as copier:
        for follower in ("alice", "bob"):
            copier.logged(f"Copied units are gone with the leader's follower={follower}")
        held_rows = "SELECT COUNT(*) FROM ledger WHERE held != 0"
        eventually(lambda: copier.rows(held_rows) == [(0,)], "nothing is held by copying")
        assert copier.copies("alice")[-1]["transactionType"] == "BUY"
