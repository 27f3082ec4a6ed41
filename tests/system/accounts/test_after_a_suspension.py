"""What came while the broker took nothing of an account is decided afresh once it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

QUICKLY = {"attempt_interval": 0.2}
DENIED = '{"errorType": "Order_Error", "errorCode": "DH-902", "errorMessage": "No access to the Trading APIs"}'


def market(copier: Copier, lots: int, side: str = "BUY", **terms: Any) -> str:
    return copier.buy(lots, 0, order_type="MARKET", side=side, **terms)


def suspended(copier: Copier, *orders: str) -> None:
    """Wait until they are recorded, and filled as far as the copier knows."""
    for order in orders:
        assert copier.mapping(order, "alice", "skipped")[0] == "account_suspended"
        query = "SELECT 1 FROM orders WHERE account = 'leader' AND id = ? AND status = 'TRADED'"
        eventually(lambda order=order, query=query: copier.rows(query, order), "it is filled")


def bought(copier: Copier) -> list[int]:
    return [int(row["quantity"]) // LOT for row in copier.copies("alice") if row["transactionType"] == "BUY"]


def net(copier: Copier) -> int:
    return sum(position.net for position in copier.broker.exchange.positions(ALICE)) // LOT


@contextmanager
def without_a_token(copier: Copier) -> Iterator[None]:
    copier.broker.revoke_token(ALICE)
    yield
    copier.broker.replace_token(ALICE, "token-of-alice")


def test_what_was_filled_while_the_token_was_dead_is_entered_by_the_rules_for_late_orders(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, tokens=QUICKLY), broker) as copier:
        rests = copier.buy(1, "90.00")
        held = market(copier, 3)
        for order, status in ((rests, "placed"), (held, "filled")):
            copier.mapping(order, "alice", status)
        with without_a_token(copier):
            first = market(copier, 6)
            suspended(copier, first)
            entered, left, reduced = market(copier, 3), market(copier, 4, "SELL"), copier.buy(2, "91.00")
            suspended(copier, entered)
            broker.modify(LEADER, rests, price="92.00")
            copier.mapping(reduced, "alice", "skipped")
        for order in (first, entered, left):
            copier.mapping(order, "alice", "filled")
        copier.mapping(reduced, "alice", "placed")
        eventually(lambda: copier.copy_of(rests, "alice")["price"] == 92.0, "it is modified")
        assert net(copier) == 3 + 6 + 3 - 4


def test_what_is_too_old_by_then_is_not_entered(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, tokens=QUICKLY, copy={"late_after": 0.01, "max_missed_age": 0.05})
    with running(settings, broker) as copier:
        with without_a_token(copier):
            order = market(copier, 4)
            copier.logged("Token refused, the account waits for another")
        eventually(lambda: copier.mapping(order, "alice", "skipped")[0] == "missed_too_old", "its age counts")
        assert not copier.copies("alice")


def test_what_the_leader_has_left_again_by_then_is_not_entered(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, tokens=QUICKLY), broker) as copier:
        with without_a_token(copier):
            entry = market(copier, 4)
            out = market(copier, 8, "SELL")
            copier.mapping(out, "bob", "filled")
        eventually(lambda: copier.mapping(entry, "alice", "skipped")[0] == "leader_exited", "it is decided again")


def test_it_is_entered_after_a_restart_in_between(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, tokens=QUICKLY)
    with running(settings, broker) as copier:
        broker.revoke_token(ALICE)
        order = market(copier, 4)
        suspended(copier, order)
    with running(settings, broker, wait=False) as copier:
        copier.logged("Account waits for a token that works follower=alice")
        broker.replace_token(ALICE, "token-of-alice")
        copier.mapping(order, "alice", "filled")
        assert bought(copier) == [4]


def test_it_is_entered_after_the_broker_has_refused_the_account(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.follower.parts.account_state.SUSPENDED_FOR", 0.5)
    with running(settings_for(broker, tmp_path), broker) as copier:
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=DENIED, times=1))
        orders = [market(copier, 4), market(copier, 2, security_id=OPTION)]
        for order in orders:
            copier.mapping(order, "alice", "filled")
        assert sorted(bought(copier)) == [2, 4]


def test_what_filled_while_the_budget_made_it_wait_is_sent_when_it_allows(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second's window is the one that is used up, and the wait is taken for a long one."""
    monkeypatch.setattr("actors.follower.parts.permits.LONG_WAIT", 0.0)
    with running(settings_for(broker, tmp_path), broker) as copier:
        orders = [copier.buy(1, f"{90 + number}.00") for number in range(15)]
        eventually(
            lambda: any("Order skipped: budget" in line and "alice" in line for line in copier.log), "some have to wait"
        )
        for order in orders:
            broker.fill(LEADER, order)
        for order in orders:
            copier.copy_of(order, "alice")


def test_what_was_skipped_while_an_operator_paused_stays_skipped(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, copy={"enabled": False}), broker) as copier:
        order = market(copier, 4)
        assert copier.mapping(order, "alice", "skipped")[0] == "copying_disabled"
    with running(settings_for(broker, tmp_path), broker) as copier:
        copier.mapping(market(copier, 1), "alice", "filled")
        assert copier.mapping(order, "alice", "skipped")[0] == "copying_disabled"
