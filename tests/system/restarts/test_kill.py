"""Killed at every step of placing, modifying, cancelling, resolving and starting; and in a storm, at any instant.

What counts is the broker's own book, in another process than the copier.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.reliability.storm import Plan, run
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, CLIENTS, LEADER, LOT, accounts
from tests.support.killed import SETTINGS, copier
from tests.support.waiting import eventually

#: Of a placement, a modification and a cancellation; a cancellation waits for no intent.
STEPS = [
    "before the intent is committed",
    "after the intent is committed",
    "before the request leaves",
    "before the answer comes",
    "after the answer has come",
    "when the outcome is known",
    "before the outcome is committed",
    "after the outcome is committed",
]

#: Of a start with an order in doubt.
STARTING = [
    "when the database is opened",
    "when the copies are loaded",
    "while the own book is read",
    "while the order is searched",
    "while the positions are read",
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        (tmp_path / "settings.toml").write_text(SETTINGS.format(broker=broker))
        yield broker


def the_copies(broker: PaperBroker, follower: str) -> list[tuple[object, ...]]:
    return [
        (row["correlationId"], row["orderStatus"], row["quantity"], row["price"])
        for row in broker.orders(CLIENTS[follower])
    ]


def both_have(broker: PaperBroker, leader: str, status: str, price: float) -> bool:
    """Whether alice and bob have this one order, and no other."""
    return all(
        the_copies(broker, follower) == [(f"ct-{leader}-1", status, lots * LOT, price)]
        for follower, lots in (("alice", 4), ("bob", 2))
    )


@pytest.mark.parametrize("step", STEPS)
def test_a_copier_killed_at_each_step_ends_with_exactly_one_order_as_it_should_be(
    broker: PaperBroker, tmp_path: Path, step: str
) -> None:
    with copier(tmp_path, step, "place"):
        eventually(lambda: broker.feed_connections(ALICE), "it is connected")
        leader = broker.place(LEADER, side="BUY", security_id="45674", quantity=4 * LOT, price="100.00")
    with copier(tmp_path, step, "modify"):
        eventually(lambda: both_have(broker, leader, "PENDING", 100.0), "each has one order")
        broker.modify(LEADER, leader, price="99.00")
    killed_at = () if "intent" in step else (step, "cancel")
    with copier(tmp_path, *killed_at):
        eventually(lambda: both_have(broker, leader, "PENDING", 99.0), "each has one order at the new price")
        broker.cancel(LEADER, leader)
        if not killed_at:
            eventually(lambda: both_have(broker, leader, "CANCELLED", 99.0), "each has it cancelled")
    with copier(tmp_path):
        eventually(lambda: both_have(broker, leader, "CANCELLED", 99.0), "each has it cancelled")


@pytest.mark.parametrize("step", STARTING)
@pytest.mark.parametrize("accepted", [True, False], ids=["accepted", "lost"])
def test_a_copier_killed_at_each_step_of_a_start_resolves_what_is_in_doubt(
    broker: PaperBroker, tmp_path: Path, step: str, accepted: bool
) -> None:
    with copier(tmp_path, "when the outcome is known", "place"):
        eventually(lambda: broker.feed_connections(ALICE), "it is connected")
        broker.faults.add(RestFault(Mischief.RESET, Kind.PLACE, ALICE, accepted=accepted))
        leader = broker.place(LEADER, side="BUY", security_id="45674", quantity=4 * LOT, price="100.00")
    if not (accepted and "searched" in step):  # what the own book shows is not searched for
        with copier(tmp_path, step, "place"):
            pass
    with copier(tmp_path):
        eventually(lambda: both_have(broker, leader, "PENDING", 100.0), "each has one order")


def test_killed_at_random_instants_of_a_storm_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    result = run(Plan(1, orders=25, kills=5, window=1.0, faults=0.1), tmp_path)
    assert result.verdict.is_right, result.verdict
    assert result.sent_after == 0
    assert result.starts == 6
