"""A leader or a follower at another broker: nothing knows of it outside its adapter."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from copytrade.app.clients import ADAPTERS, unknown_brokers
from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.brokers.three_endpoints import TinyAccount, TinyBroker
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, accounts, running, settings_for
from tests.support.waiting import eventually


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyBroker]:
    tiny = TinyBroker()
    monkeypatch.setitem(ADAPTERS, "tiny", partial(TinyAccount, tiny.address))
    yield tiny
    tiny.close()


def settings_at(broker: PaperBroker, folder: Path, *who: str) -> Settings:
    """Return settings in which those accounts are at the tiny broker, and all others at the paper broker."""
    settings = settings_for(broker, folder, recovery={"audit_interval": 0.5})
    moved = {"broker": "tiny"}
    return settings.model_copy(
        update={
            "leaders": (settings.leader.model_copy(update=moved if "leader" in who else {}),),
            "followers": tuple(one.model_copy(update=moved if one.name in who else {}) for one in settings.followers),
        }
    )


def started(copier: Copier) -> None:
    eventually(copier.system.is_ready, "every actor is live")


def at_tiny(tiny: TinyBroker, who: str, tag: str = "") -> list[dict[str, Any]]:
    return [row for row in tiny.book(who) if row["tag"].startswith(tag)]


def leads(tiny: TinyBroker, **terms: Any) -> str:
    """Have the leader place an order at the tiny broker."""
    order = {"who": LEADER, "act": "new", "tag": "hand", "scrip": f"NFO:{OPTION}", "way": "B", "amount": 4 * LOT}
    return str(tiny.do(order | {"kind": "L", "rate": "100.05"} | terms)["ref"])


def test_a_leader_at_another_broker_is_copied(tiny: TinyBroker, broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_at(broker, tmp_path, "leader"), broker, wait=False) as copier:
        started(copier)
        order = leads(tiny)
        assert copier.copy_of(order, "alice")["price"] == 100.05
        assert copier.copy_of(order, "bob")["quantity"] == 2 * LOT
        tiny.do({"who": LEADER, "act": "edit", "ref": order, "amount": 4 * LOT, "kind": "L", "rate": "99.00"})
        eventually(lambda: copier.copy_of(order, "alice")["price"] == 99.0, "the change is copied")
        tiny.do({"who": LEADER, "act": "drop", "ref": order})
        copier.mapping(order, "alice", "cancelled")
        entry = leads(tiny, kind="M", rate="0")
        copier.mapping(entry, "alice", "filled")
        copier.mapping(leads(tiny, kind="M", rate="0", way="S"), "alice", "filled")
        assert sum(int(str(row["netQty"])) for row in broker.positions(ALICE)) == 0


def test_a_follower_at_another_broker_copies(tiny: TinyBroker, broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_at(broker, tmp_path, "alice"), broker, wait=False) as copier:
        started(copier)
        order = copier.buy(4)
        (row,) = eventually(lambda: at_tiny(tiny, ALICE, f"ct-{order}"), "the copy is there")
        assert (row["amount"], row["rate"], row["way"], row["kind"]) == (4 * LOT, "100.05", "B", "L")
        assert copier.copy_of(order, "bob")["quantity"] == 2 * LOT
        broker.modify(LEADER, order, price="99.00")
        eventually(lambda: float(at_tiny(tiny, ALICE)[0]["rate"]) == 99.0, "the change is copied")
        broker.fill(LEADER, order)
        tiny.fill(ALICE, row["ref"])
        copier.mapping(order, "alice", "filled")
        resting = copier.buy(4, "98.00")
        copier.mapping(resting, "alice", "placed")
        broker.cancel(LEADER, resting)
        copier.mapping(resting, "alice", "cancelled")
        leaving = broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=0, order_type="MARKET")
        copier.mapping(leaving, "alice", "filled")
        assert tiny.have(ALICE) == {f"NFO:{OPTION}": 0}


def test_a_broker_that_nobody_knows_is_refused_before_anything_starts(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_at(broker, tmp_path, "alice")
    assert unknown_brokers(settings) == ["alice: broker = 'tiny' is not known; use one of: dhan"]
