"""Drift over real sockets: what an account holds otherwise than the leader is told, explained and left alone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.commands import FLATTEN, TRY_AGAIN
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.reports.drift.report import PositionsUnread
from copytrade.storage.database import Database
from tests.support.asking import report, switch
from tests.support.copier import ALICE, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

#: So often positions are compared.
SOON = {"audit_interval": 0.2}


@pytest.fixture
def copier(broker: PaperBroker, tmp_path: Path) -> Iterator[Copier]:
    with running(settings_for(broker, tmp_path, recovery=SOON), broker) as copier:
        yield copier


def market(copier: Copier, client_id: str, side: str, lots: int, security_id: str = OPTION) -> str:
    quantity = lots * LOT
    return copier.broker.place(
        client_id, side=side, security_id=security_id, quantity=quantity, price=0, order_type="MARKET"
    )


def enter(copier: Copier, lots: int = 4) -> str:
    order = copier.buy(lots, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    return order


def shares(copier: Copier, follower: str) -> list[str]:
    """Return what each unit of a follower's difference is due to: +65.00 manual ..."""
    return [line.strip() for line in report(copier, follower).text.splitlines() if re.match(r" +[+-]\d", line)]


def told(copier: Copier) -> list[str]:
    return [line for line in copier.log if "Position differs from the copies" in line]


def test_a_manual_trade_is_told_once_as_manual_and_not_touched(copier: Copier) -> None:
    enter(copier)
    by_hand = market(copier, ALICE, "BUY", 2)
    line = copier.logged("Position differs from the copies follower=alice")
    assert line.startswith("WARNING")
    assert "net=390 copied=260 manual=130" in line
    eventually(lambda: f"BUY 130 by order {by_hand}" in report(copier, "alice").text, "the order is named")
    (share,) = shares(copier, "alice")
    assert share.startswith("+130.00  manual")
    assert shares(copier, "bob") == []
    asked = len(copier.broker.writes(ALICE))
    market(copier, LEADER, "SELL", 4)
    eventually(lambda: copier.rows("SELECT 1 FROM ledger WHERE follower = 'alice' AND held = 0"), "the copy is sold")
    assert len(copier.broker.writes(ALICE)) == asked + 1
    eventually(lambda: len(told(copier)) == 2, "what is left is told of again, since it is another difference")
    assert "net=130 copied=0 manual=130" in told(copier)[1]


def test_a_skipped_entry_is_explained_by_its_reason_and_rounding_by_its_units(copier: Copier) -> None:
    enter(copier, 3)
    assert shares(copier, "alice") == []
    assert shares(copier, "bob") == ["-32.50  rounding"]
    switch(copier, "alice", "false")
    copier.logged("Entries paused follower=alice")
    skipped = copier.buy(2, 0, order_type="MARKET")
    copier.mapping(skipped, "alice", "skipped")
    copier.mapping(skipped, "bob", "filled")
    assert shares(copier, "alice") == [f"-130.00  skipped copying_disabled leader order {skipped}"]
    assert shares(copier, "bob") == ["-32.50  rounding"]
    assert told(copier) == []


def test_a_refusal_and_an_order_that_rests_are_named(copier: Copier) -> None:
    enter(copier)
    refused, resting = copier.buy(2), copier.buy(2)
    for order, what in ((refused, "reject"), (resting, "")):
        copy = copier.copy_of(order, "alice")["orderId"]
        copier.mapping(order, "alice", "placed")
        if what:
            copier.broker.reject(ALICE, str(copy), "RMS: margin")
            copier.mapping(order, "alice", "failed")
        copier.broker.fill(LEADER, order)
    eventually(lambda: len(shares(copier, "alice")) == 2, "both are explained")
    assert sorted(shares(copier, "alice")) == [
        f"-130.00  refused broker_rejected leader order {refused}",
        f"-130.00  unfilled rests leader order {resting}",
    ]


def test_an_external_close_is_named_and_not_repaired(copier: Copier) -> None:
    enter(copier)
    market(copier, ALICE, "SELL", 3)
    line = copier.logged("Position differs from the copies follower=alice")
    assert "net=65 copied=260 external_close=-195" in line
    eventually(lambda: any("SELL 195 by order" in share for share in shares(copier, "alice")), "the order is named")
    (share,) = shares(copier, "alice")
    assert share.startswith("-195.00  external_close")
    assert len(copier.copies("alice")) == 1


def test_what_was_closed_by_command_is_no_riddle(copier: Copier) -> None:
    enter(copier)
    database = Database(copier.settings.store.database)
    number = database.give_command(FLATTEN, "alice", wall_clock.now())
    eventually(lambda: database.answer(number), "alice has closed")
    database.close()
    eventually(lambda: shares(copier, "alice") == ["-260.00  flattened"], "it is named")
    assert told(copier) == []


def test_an_account_that_cannot_be_read_is_no_account_without_drift(copier: Copier) -> None:
    enter(copier)
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, ALICE, status=503, body="busy", times=1000))
    copier.logged("Positions unreadable, again in")
    with pytest.raises(PositionsUnread, match="503"):
        report(copier, "alice")
    assert told(copier) == []


def fix(copier: Copier, follower: str) -> list[tuple[str, bool, int]]:
    """Do what ``run.py drift --fix`` does; return what was proposed."""
    proposals = report(copier, follower).proposals
    database = Database(copier.settings.store.database)
    for one in proposals:
        name = f"{TRY_AGAIN} {one.leader_order_id} {one.units}"
        number = database.give_command(name, follower, wall_clock.now())
        answer = eventually(lambda number=number: database.answer(number), "it is answered")
        assert answer.is_done, answer.text
    database.close()
    return [(one.leader_order_id, one.is_exit, one.units) for one in proposals]


def held(copier: Copier, follower: str) -> int:
    return sum(units for (units,) in copier.rows("SELECT held FROM ledger WHERE follower = ?", follower))


def test_what_was_skipped_is_taken_up_again_as_far_as_the_leader_still_has_it(copier: Copier) -> None:
    enter(copier, 4)
    switch(copier, "alice", "false")
    copier.logged("Entries paused follower=alice")
    skipped = copier.buy(4, 0, order_type="MARKET")
    copier.mapping(skipped, "alice", "skipped")
    market(copier, LEADER, "SELL", 4)
    eventually(lambda: held(copier, "alice") == 2 * LOT, "half of what was copied is sold")
    switch(copier, "alice", "true")
    copier.logged("Entries resumed follower=alice")
    assert fix(copier, "alice") == [(skipped, False, 2 * LOT)]
    eventually(lambda: held(copier, "alice") == 4 * LOT, "she has what the leader has")
    eventually(lambda: shares(copier, "alice") == [], "nothing differs any more")
    assert fix(copier, "alice") == []
    market(copier, LEADER, "SELL", 4)
    eventually(lambda: held(copier, "alice") == held(copier, "bob") == 0, "everybody is flat with the leader")


def rejected(copier: Copier, number: int) -> None:
    """Have the broker reject alice's order of that number, once it rests."""

    def resting() -> str | None:
        rows = copier.copies("alice")
        is_there = len(rows) == number and rows[-1]["orderStatus"] == "PENDING"
        return str(rows[-1]["orderId"]) if is_there else None

    copier.broker.reject(ALICE, eventually(resting, "it rests"), "RMS: margin")
    query = "SELECT 1 FROM copy_mappings WHERE follower = 'alice' AND n = ? AND status = 'failed'"
    eventually(lambda: copier.rows(query, number), "it is on record")


def test_an_entry_that_was_rejected_is_sent_once_more_a_word(copier: Copier) -> None:
    order = copier.buy(4)
    rejected(copier, 1)
    copier.broker.fill(LEADER, order)
    eventually(lambda: report(copier, "alice").proposals, "it could be taken up")
    assert fix(copier, "alice") == [(order, False, 4 * LOT)]
    rejected(copier, 2)
    (again,) = report(copier, "alice").proposals
    assert (again.leader_order_id, again.why) == (order, "refused broker_rejected")
    assert [row["correlationId"] for row in copier.copies("alice")] == [f"ct-{order}-1", f"ct-{order}-2"]


def test_an_exit_that_was_rejected_is_taken_up_again(copier: Copier) -> None:
    enter(copier, 4)
    leaving = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price=150)
    copy = copier.copy_of(leaving, "alice")["orderId"]
    copier.mapping(leaving, "alice", "placed")
    copier.broker.reject(ALICE, str(copy), "RMS: blocked")
    copier.mapping(leaving, "alice", "failed")
    copier.broker.fill(LEADER, leaving)
    eventually(lambda: report(copier, "alice").proposals, "what is held too much is told")
    assert fix(copier, "alice") == [(leaving, True, 4 * LOT)]
    eventually(lambda: copier.copies("alice")[-1]["correlationId"] == f"ct-{leaving}-2", "it is sent again")


def test_what_rests_or_is_not_of_today_cannot_be_taken_up(copier: Copier) -> None:
    resting = copier.buy(4)
    copier.mapping(resting, "alice", "placed")
    database = Database(copier.settings.store.database)
    for order_id in (resting, "12345"):
        number = database.give_command(f"{TRY_AGAIN} {order_id} 65", "alice", wall_clock.now())
        answer = eventually(lambda number=number: database.answer(number), "it is answered")
        assert not answer.is_done
        assert f"{order_id} cannot be taken up" in answer.text
    database.close()
    assert len(copier.copies("alice")) == 1
