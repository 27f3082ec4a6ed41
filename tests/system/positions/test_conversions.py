"""Positions that move to another product without an order, in the leader's account or in a follower's."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.commands import FLATTEN
from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from copytrade.storage.database import Database
from tests.support.asking import report
from tests.support.copier import ALICE, CLIENTS, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

#: So often positions are compared.
SOON = {"audit_interval": 0.2}

INTRADAY, MARGIN = "INTRADAY", "MARGIN"


@pytest.fixture(autouse=True)
def reads_that_agree_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper broker shows positions at once: reads that are to agree need not be seconds apart."""
    monkeypatch.setattr("copytrade.core.ledger.reads.position_reads.LEAST_LAG", timedelta(milliseconds=300))


@pytest.fixture
def settings(broker: PaperBroker, tmp_path: Path) -> Settings:
    return settings_for(broker, tmp_path, recovery=SOON)


@pytest.fixture
def copier(settings: Settings, broker: PaperBroker) -> Iterator[Copier]:
    with running(settings, broker) as copier:
        yield copier


def trade(copier: Copier, side: str, lots: int, product: str = INTRADAY, **parameters: object) -> str:
    """Have the leader trade at the market."""
    return copier.buy(lots, 0, side=side, product=product, order_type="MARKET", **parameters)


def enter(copier: Copier, lots: int = 4, product: str = INTRADAY) -> str:
    order = trade(copier, "BUY", lots, product)
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    return order


def net(broker: PaperBroker, follower: str) -> dict[str, int]:
    """Return the lots that an account really has, by product, where it has any."""
    rows = [row for row in broker.positions(CLIENTS[follower]) if row["netQty"]]
    return {str(row["productType"]): int(str(row["netQty"])) // LOT for row in rows}


def becomes(broker: PaperBroker, follower: str, **lots: int) -> None:
    """Wait until an account has so many lots in each product, and nothing rests in it."""

    def is_so() -> bool:
        resting = [row for row in broker.orders(CLIENTS[follower]) if row["orderStatus"] in ("PENDING", "PART_TRADED")]
        return net(broker, follower) == lots and not resting

    eventually(is_so, f"{follower} has {lots}, not {net(broker, follower)}")


def was_never_short(broker: PaperBroker, follower: str) -> None:
    """See by the broker's own history that nothing was sold that was not there."""
    for held in broker.exchange.positions(CLIENTS[follower]):
        assert all(state.net >= 0 for _, state in held.past), (held.product, [state.net for _, state in held.past])


def moved(copier: Copier, follower: str, times: int = 1) -> None:
    """Wait until it is told that copies of a follower were converted."""
    text = f"Copied position was converted follower={follower}"
    eventually(lambda: sum(text in line for line in copier.log) >= times, f"log says {text!r} {times} times")


def leader_moved(copier: Copier, follower: str, times: int = 1) -> None:
    text = f"Leader's position was converted follower={follower}"
    eventually(lambda: sum(text in line for line in copier.log) >= times, f"log says {text!r} {times} times")


def is_known(copier: Copier, converts: str) -> None:
    """Wait until every follower that a conversion concerns knows of it."""
    if converts == "alice":
        moved(copier, "alice")
    else:
        leader_moved(copier, "alice")
        leader_moved(copier, "bob")


def test_what_the_leader_converts_is_left_when_he_sells_it_in_the_new_product(
    copier: Copier, broker: PaperBroker
) -> None:
    enter(copier)
    broker.convert(LEADER, OPTION, INTRADAY, MARGIN, 4 * LOT)
    for follower in ("alice", "bob"):
        leader_moved(copier, follower)
    trade(copier, "SELL", 4, MARGIN)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)
    assert {row["productType"] for row in copier.copies("alice")} == {INTRADAY}


def test_what_a_follower_converts_is_left_where_it_is_now(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 4 * LOT)
    moved(copier, "alice")
    trade(copier, "SELL", 4)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)
    assert [row["productType"] for row in copier.copies("alice")] == [INTRADAY, MARGIN]


@pytest.mark.parametrize("sold", [1, 2, 3, 4])
def test_a_part_that_a_follower_converts_is_left_where_it_is_now(
    copier: Copier, broker: PaperBroker, sold: int
) -> None:
    enter(copier)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 3 * LOT)
    moved(copier, "alice")
    trade(copier, "SELL", sold)
    eventually(lambda: sum(net(broker, "alice").values()) == 4 - sold, f"{net(broker, 'alice')}")
    if sold < 4:
        trade(copier, "SELL", 4 - sold)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)


def test_a_part_that_the_leader_converts_moves_as_much_of_the_copy(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(LEADER, OPTION, INTRADAY, MARGIN, 2 * LOT)
    for follower in ("alice", "bob"):
        leader_moved(copier, follower)
    trade(copier, "SELL", 2, MARGIN)
    becomes(broker, "alice", INTRADAY=2)
    becomes(broker, "bob", INTRADAY=1)
    trade(copier, "SELL", 2)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)


def test_what_is_converted_back_and_forth_is_left_where_it_is(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(LEADER, OPTION, INTRADAY, MARGIN, 4 * LOT)
    leader_moved(copier, "alice")
    broker.convert(LEADER, OPTION, MARGIN, INTRADAY, 3 * LOT)
    leader_moved(copier, "alice", 4)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 2 * LOT)
    moved(copier, "alice")
    trade(copier, "SELL", 3)
    becomes(broker, "alice", MARGIN=1)
    trade(copier, "SELL", 1, MARGIN)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)


def test_both_convert_and_the_copy_is_left_in_the_new_product(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(LEADER, OPTION, INTRADAY, MARGIN, 4 * LOT)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 4 * LOT)
    for follower in ("alice", "bob"):
        leader_moved(copier, follower)
    moved(copier, "alice")
    trade(copier, "SELL", 4, MARGIN)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)
    assert [row["productType"] for row in copier.copies("alice")] == [INTRADAY, MARGIN]


@pytest.mark.parametrize("converts", ["leader", "alice"])
def test_entries_after_a_conversion_are_copied_and_left(copier: Copier, broker: PaperBroker, converts: str) -> None:
    enter(copier)
    broker.convert(CLIENTS[converts], OPTION, INTRADAY, MARGIN, 4 * LOT)
    is_known(copier, converts)
    product = MARGIN if converts == "leader" else INTRADAY
    enter(copier, 2, product)
    assert sum(net(broker, "alice").values()) == 6
    trade(copier, "SELL", 5, product)
    eventually(lambda: sum(net(broker, "alice").values()) == 1, f"{net(broker, 'alice')}")
    trade(copier, "SELL", 1, product)
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)


def test_an_exit_that_rests_follows_what_is_converted(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    target = copier.buy(4, "130.00", side="SELL", product=INTRADAY)
    for follower in ("alice", "bob"):
        copier.mapping(target, follower, "placed")
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 3 * LOT)
    moved(copier, "alice")

    def resting() -> dict[str, int]:
        rows = [row for row in copier.copies("alice") if row["orderStatus"] == "PENDING"]
        return {row["productType"]: row["quantity"] // LOT for row in rows}

    eventually(lambda: resting() == {INTRADAY: 1, MARGIN: 3}, f"what rests is {resting()}")
    broker.set_price(OPTION, "131.00")
    for follower in ("alice", "bob"):
        becomes(broker, follower)
        was_never_short(broker, follower)


def test_a_restart_goes_on_with_what_was_converted(settings: Settings, broker: PaperBroker) -> None:
    with running(settings, broker) as copier:
        enter(copier)
        broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 3 * LOT)
        moved(copier, "alice")
    with running(settings, broker) as copier:
        trade(copier, "SELL", 4)
        for follower in ("alice", "bob"):
            becomes(broker, follower)
            was_never_short(broker, follower)


@pytest.mark.parametrize("converts", ["leader", "alice"])
def test_what_is_converted_while_the_copier_stands_still_is_left(
    settings: Settings, broker: PaperBroker, converts: str
) -> None:
    with running(settings, broker) as copier:
        enter(copier)
    broker.convert(CLIENTS[converts], OPTION, INTRADAY, MARGIN, 4 * LOT)
    with running(settings, broker) as copier:
        is_known(copier, converts)
        trade(copier, "SELL", 4, MARGIN if converts == "leader" else INTRADAY)
        for follower in ("alice", "bob"):
            becomes(broker, follower)
            was_never_short(broker, follower)


def test_a_report_of_drift_counts_what_a_follower_converted_as_copied(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 3 * LOT)
    moved(copier, "alice")
    eventually(lambda: report(copier, "alice").text == "alice: nothing differs", report(copier, "alice").text)


def test_a_command_closes_what_was_converted_where_it_is(copier: Copier, broker: PaperBroker) -> None:
    enter(copier)
    broker.convert(ALICE, OPTION, INTRADAY, MARGIN, 3 * LOT)
    moved(copier, "alice")
    database = Database(copier.settings.store.database)
    number = database.give_command(FLATTEN, "alice", wall_clock.now())
    eventually(lambda: database.answer(number), "alice has closed")
    database.close()
    becomes(broker, "alice")
    was_never_short(broker, "alice")
