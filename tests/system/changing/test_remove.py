"""run.py remove: what becomes of a follower's copies before his block is taken out."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.reports.order import explain
from tests.support.asking import report
from tests.support.clocks import with_a_clock
from tests.support.copier import CLIENTS, LOT
from tests.support.waiting import eventually
from tests.system.changing.changing import ALICE, BOB, SECOND, Folder, connected, copied, copying


@pytest.fixture
def folder(broker: PaperBroker, tmp_path: Path) -> Folder:
    folder = Folder(tmp_path, broker)
    folder.write(ALICE, BOB)
    return folder


def resting(folder: Folder) -> list[object]:
    return [row["orderId"] for row in folder.orders("bob") if row["orderStatus"] == "PENDING"]


@pytest.mark.parametrize(("what", "closed"), [("--leave", 0), ("--flatten", 2 * LOT)])
def test_a_follower_is_removed_with_his_copies_closed_or_left(
    folder: Folder, what: str, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, move = with_a_clock(folder.broker, monkeypatch)
    with copying(folder) as copier:
        held = folder.buys()
        assert copied(copier, "bob", held) == 2 * LOT
        copier.mapping(copier.buy(4, "50.00"), "bob", "placed")
        done = folder.ask("remove", "bob", what, "--yes")
        assert (done.code, done.err) == (0, "")
        assert f"1 order cancelled, {'closed' if closed else 'left in the account:'} 130 NIFTY" in done.out
        assert (resting(folder), folder.sold("bob")) == ([], closed)
        explained = explain(copier.settings.store.database, held)
        assert ("left         1 order cancelled, left in the account: 130 NIFTY" in explained) is not bool(closed)
        if not closed:
            assert f"-{2 * LOT}.00  left" in report(copier, "bob").text

        entry = folder.buys()
        assert copied(copier, "alice", entry) == 4 * LOT
        reason, why = copier.mapping(entry, "bob", "skipped")[:2]
        assert reason == "copying_disabled"
        assert "by run.py remove" in why
        count = len(folder.orders("bob"))
        folder.write(ALICE)
        assert folder.ask("reload") == (0, "Follower removed follower=bob\n", "")
        copied(copier, "alice", folder.buys(8, "SELL"))
        eventually(lambda: not folder.broker.feed_connections(CLIENTS["bob"]), "he is gone")
        assert len(folder.orders("bob")) == count

        folder.write(ALICE, BOB)
        eventually(folder.taken, "he comes back, and is not paused")
        connected(folder, copier, "bob")
        move(SECOND)
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
    if not closed:
        assert any("Lines do not count as copied any more follower=bob reason=left" in line for line in copier.log)


def test_a_follower_is_left_where_no_copier_runs(folder: Folder) -> None:
    with copying(folder) as copier:
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
    left = folder.ask("remove", "bob", "--leave", "--yes")
    assert left.code == 0
    assert "left in the account: 130" in left.out
    assert folder.sold("bob") == 0
