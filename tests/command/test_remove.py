"""run.py remove: what becomes of a follower's copies before his block is taken out."""

import re
import subprocess
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from tests.command import reloading as at
from tests.command.reloading import (
    ALICE,
    BOB,
    CLIENTS,
    LEADER,
    LOT,
    OPTION,
    ask,
    buys,
    copied,
    copying,
    log,
    sells,
    write,
)
from tests.waiting import eventually


def rests(broker: PaperBroker) -> list[str]:
    return [str(row["orderId"]) for row in broker.orders(CLIENTS["bob"]) if row["orderStatus"] == "PENDING"]


def sold(broker: PaperBroker) -> int:
    rows = [row for row in broker.orders(CLIENTS["bob"]) if row["transactionType"] == "SELL"]
    return sum(int(str(row["filledQty"])) for row in rows)


def removed(folder: Path, what: str) -> "subprocess.CompletedProcess[str]":
    return ask(folder, "remove", "bob", what, "--yes")


@pytest.mark.parametrize(("what", "closed"), [("--leave", 0), ("--flatten", 2 * LOT)])
def test_a_follower_is_removed_with_his_copies_closed_or_left(tmp_path: Path, what: str, closed: int) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            broker.place(LEADER, side="BUY", security_id=OPTION, quantity=4 * LOT, price="50.00")
            eventually(lambda: rests(broker), "an order rests")
            done = removed(tmp_path, what)
            assert (done.returncode, done.stderr) == (0, "")
            assert f"1 orders cancelled, {'closed' if closed else 'left in the account:'} " in done.stdout
            assert (rests(broker), sold(broker)) == ([], closed)
            count = len(broker.orders(CLIENTS["bob"]))
            assert copied(broker, "alice", buys(broker)) == 4 * LOT
            assert len(broker.orders(CLIENTS["bob"])) == count
            write(tmp_path, broker, ALICE)
            taken = ask(tmp_path, "reload")
            assert (taken.returncode, taken.stdout) == (0, "Follower removed follower=bob\n")
            sells(broker, 8)
            eventually(lambda: not broker.feed_connections(CLIENTS["bob"]), "he is gone")
            assert len(broker.orders(CLIENTS["bob"])) == count

            write(tmp_path, broker, ALICE, BOB)
            assert ask(tmp_path, "reload").stdout == "Follower added follower=bob\n"
            eventually(lambda: broker.feed_connections(CLIENTS["bob"]), "he comes back, and is not paused")
            eventually(lambda: len(re.findall("STATUS bob +live", log(tmp_path))) > 1, "he is live")
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
        if not closed:
            assert "Lines do not count as copied any more follower=bob reason=left" in log(tmp_path)


def test_who_is_in_the_database_alone_can_be_left_and_not_closed(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            eventually(lambda: "Follower order filled follower=bob" in log(tmp_path), "it is written down")
        write(tmp_path, broker, ALICE)
        refused = removed(tmp_path, "--flatten")
        assert refused.returncode == 1
        assert "without credentials nothing can be closed" in refused.stdout
        left = removed(tmp_path, "--leave")
        assert (left.returncode, left.stderr) == (0, "")
        assert left.stdout.splitlines()[-1] == f"bob: does not count as copied any more: {2 * LOT} of 45674 MARGIN"
        gone = removed(tmp_path, "--leave")
        assert (gone.returncode, gone.stderr) == (2, "there is no follower bob; there are: alice\n")


def test_a_follower_is_left_by_a_copier_that_does_only_that(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            eventually(lambda: "Follower order filled follower=bob" in log(tmp_path), "it is written down")
        left = removed(tmp_path, "--leave")
        assert left.returncode == 0
        assert "left in the account: 130" in left.stdout
        assert sold(broker) == 0
        write(tmp_path, broker, ALICE)
        assert ask(tmp_path, "drift", "bob").returncode == 2
