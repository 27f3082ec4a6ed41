"""Orders of other hands that rest in a follower's account when the leader's exit is copied."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def reads_that_agree_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("copytrade.core.ledger.reads.position_reads.LEAST_LAG", timedelta(milliseconds=300))


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path, recovery={"audit_interval": 0.2}), broker) as copier:
        bought = copier.buy(2, 0, order_type="MARKET")
        for follower in ("alice", "bob"):
            copier.mapping(bought, follower, "filled")
        yield copier


def rests(copier: Copier, lots: int = 2, **parameters: object) -> str:
    """Have other hands sell in alice's account, and wait until the copier knows."""
    terms = {"order_type": "MARKET", "price": 0, "side": "SELL", "security_id": OPTION, "quantity": lots * LOT}
    order = copier.broker.place(ALICE, **{**terms, "resting": True, **parameters})
    known = "SELECT 1 FROM orders WHERE account = 'alice' AND id = ?"
    eventually(lambda: copier.rows(known, order), "the copier knows of it")
    return order


def leave(copier: Copier, lots: int = 2) -> str:
    return copier.broker.place(
        LEADER, side="SELL", security_id=OPTION, quantity=lots * LOT, price=0, order_type="MARKET"
    )


def held(copier: Copier) -> int:
    return sum(int(str(row["netQty"])) for row in copier.broker.positions(ALICE))


def exits(copier: Copier) -> list[int]:
    return [int(row["quantity"]) for row in copier.copies("alice") if row["transactionType"] == "SELL"]


SQUARE_OFF = {"order_type": "LIMIT", "price": "150.00", "remarks": "RMS_SQROFF", "correlation_id": "SQROFF-1"}


@pytest.mark.parametrize(
    "terms",
    [{}, SQUARE_OFF, {"order_type": "LIMIT", "price": "120.00"}, {"order_type": "LIMIT", "price": "119.00"}],
    ids=["at the market", "the broker's own square-off", "at the last price", "through the last price"],
)
def test_an_exit_gives_way_to_an_order_that_is_about_to_close_the_position(
    copier: Copier, terms: dict[str, object]
) -> None:
    by_hand = rests(copier, **terms)
    sold = leave(copier)
    copier.mapping(sold, "bob", "filled")
    assert exits(copier) == []
    copier.broker.fill(ALICE, by_hand)
    copier.mapping(sold, "alice", "skipped")
    assert held(copier) == 0
    assert exits(copier) == []


def test_an_exit_gives_way_for_what_is_about_to_be_closed_alone(copier: Copier) -> None:
    by_hand = rests(copier, 1)
    leave(copier)
    eventually(lambda: exits(copier) == [LOT], f"the other lot leaves, not {exits(copier)}")
    copier.broker.fill(ALICE, by_hand)
    eventually(lambda: held(copier) == 0)
    assert exits(copier) == [LOT]


def test_an_exit_goes_after_five_seconds_and_tells_that_both_may_fill(copier: Copier) -> None:
    by_hand = rests(copier)
    leave(copier)
    eventually(lambda: exits(copier) == [2 * LOT], "it goes all the same")
    eventually(lambda: held(copier) == 0)
    assert copier.logged("Exit gave way in vain").startswith("CRITICAL")
    copier.broker.fill(ALICE, by_hand)
    line = copier.logged("Position differs from the copies")
    assert "net=-130" in line


@pytest.mark.parametrize("terms", [{"order_type": "LIMIT", "price": "150.00"}, {"side": "BUY"}], ids=["far", "buys"])
def test_an_order_that_is_not_about_to_close_the_position_holds_nothing_back(
    copier: Copier, terms: dict[str, object]
) -> None:
    rests(copier, **terms)
    sold = leave(copier)
    copier.mapping(sold, "alice", "filled")
    assert exits(copier) == [2 * LOT]
    assert not [line for line in copier.log if "gave way" in line]
