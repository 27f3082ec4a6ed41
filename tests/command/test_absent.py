"""A follower that the settings do not name any more is never forgotten, and success is said only of who runs."""

import subprocess
from pathlib import Path

from tests.command import reloading as at
from tests.command.reloading import ALICE, BOB, CAROL, CLIENTS, LOT, ask, buys, copied, copying, log, write
from tests.waiting import eventually

HELD = f"{2 * LOT} of 45674 MARGIN"


def said(found: "subprocess.CompletedProcess[str]") -> tuple[int, str]:
    return found.returncode, (found.stdout + found.stderr).splitlines()[-1]


def test_a_reload_that_would_strand_copies_is_refused_and_he_stays_within_reach(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            write(tmp_path, broker, ALICE)
            refused = ask(tmp_path, "reload")
            assert refused.returncode == 2
            assert f"follower bob holds {HELD}: keep his block with enabled = false" in refused.stderr
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            assert said(ask(tmp_path, "pause", "bob"))[0] == 0
            eventually(lambda: "Entries paused follower=bob" in log(tmp_path), "bob is paused")
            assert ask(tmp_path, "flatten", "bob", "--yes").returncode == 0
            sold = [row for row in broker.orders(CLIENTS["bob"]) if row["transactionType"] == "SELL"]
            assert sum(int(str(row["filledQty"])) for row in sold) == 4 * LOT


def test_who_holds_copies_and_is_not_in_the_settings_is_named_at_every_start(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            eventually(lambda: "Follower order filled follower=bob" in log(tmp_path), "it is written down")
        write(tmp_path, broker, ALICE)
        (tmp_path / "copy_trading.log").unlink()
        with copying(tmp_path, broker, "alice"):
            critical = f'CRITICAL Follower is not in the settings and holds copies follower=bob holds="{HELD}"'
            assert critical in log(tmp_path)
            eventually(lambda: "Alert kind=absent who=bob" in log(tmp_path), "somebody is told")
            assert said(ask(tmp_path, "flatten", "bob", "--yes")) == (
                1,
                "bob: does not run in this copier, so nothing can be done for him",
            )
            assert said(ask(tmp_path, "drift", "bob")) == (
                2,
                f"bob: is not in the settings, so his account cannot be read; by the database he holds {HELD}",
            )
            assert said(ask(tmp_path, "pause", "bob")) == (
                1,
                "bob: does not run in the copier, so nothing was done",
            )
            assert said(ask(tmp_path, "flatten", "zork")) == (2, "there is no follower zork; there are: alice, bob")
        everybody = ask(tmp_path, "flatten", "--yes")
        assert everybody.returncode == 1
        assert "bob: is not in the settings, and without credentials nothing can be closed" in everybody.stdout


def test_nothing_is_reported_as_done_for_a_follower_that_was_added_and_does_not_run_yet(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            write(tmp_path, broker, ALICE, BOB, CAROL)
            assert said(ask(tmp_path, "pause", "carol")) == (
                1,
                "carol: does not run in the copier, so nothing was done",
            )
            assert said(ask(tmp_path, "drift", "carol")) == (
                1,
                "carol: does not run in the copier, nothing is copied to him",
            )
