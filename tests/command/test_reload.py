"""run.py reload, and SIGHUP: changed settings are taken while it copies, or refused as a whole."""

import re
import signal
from pathlib import Path

from tests.command import reloading as at
from tests.command.reloading import ALICE, BOB, CAROL, CLIENTS, LOT, ask, buys, copied, copying, log, sells, write
from tests.waiting import eventually


def test_a_reload_is_refused_where_no_copier_runs(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE)
        found = ask(tmp_path, "reload")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == "no copier is running: the next start reads the settings\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.toml"]


def test_limits_count_at_once_and_a_ratio_from_when_the_line_is_flat(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert copied(broker, "bob", buys(broker)) == 2 * LOT
            assert ask(tmp_path, "reload").stdout == "Nothing has changed\n"
            write(tmp_path, broker, ALICE + "max_lots = 1\n", BOB.replace("0.5", "1.0"), more="[log]\nlevel='DEBUG'\n")
            taken = ask(tmp_path, "reload")
            assert (taken.returncode, taken.stderr) == (0, "")
            assert taken.stdout.splitlines() == [
                "Follower changed follower=alice max_lots=none -> 1",
                f'Follower changed follower=bob ratio=0.5 -> 1.0 when_flat="{2 * LOT} of 45674 MARGIN"',
                "Setting changed log.level=INFO -> DEBUG",
            ]
            for line in taken.stdout.splitlines():
                assert line in log(tmp_path)
            more = buys(broker)
            assert (copied(broker, "alice", more), copied(broker, "bob", more)) == (LOT, 2 * LOT)
            exit_all = sells(broker, 8)
            assert copied(broker, "bob", exit_all) == 4 * LOT
            filled = f"Follower order filled follower=bob leader_order={exit_all}"
            eventually(lambda: filled in log(tmp_path), "bob knows that he is flat")
            assert copied(broker, "bob", buys(broker)) == 4 * LOT


def test_settings_with_faults_are_refused_with_every_fault_and_change_nothing(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob") as process:
            write(tmp_path, broker, ALICE + "max_lots = 0\n", BOB + "zork = 1\n")
            refused = ask(tmp_path, "reload")
            assert (refused.returncode, refused.stdout) == (2, "")
            assert "followers[0].max_lots" in refused.stderr
            assert "followers[1].zork" in refused.stderr
            process.send_signal(signal.SIGHUP)
            eventually(lambda: "Settings unusable, tokens stay as they are" in log(tmp_path), "a signal says so too")
            assert copied(broker, "alice", buys(broker)) == 4 * LOT


def test_a_pause_stays_and_what_needs_a_restart_is_said(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE, BOB)
        with copying(tmp_path, broker, "alice", "bob"):
            assert ask(tmp_path, "pause", "alice").returncode == 0
            eventually(lambda: "Entries paused follower=alice" in log(tmp_path), "alice is paused")
            write(
                tmp_path, broker, ALICE + "max_lots = 9\n", BOB + "dry_run = true\n", more="[limits]\nper_second = 9\n"
            )
            taken = ask(tmp_path, "reload")
            assert taken.returncode == 0
            assert taken.stdout.splitlines() == [
                "Follower changed follower=alice max_lots=none -> 9",
                "Needs a restart: followers.bob.dry_run",
                "Needs a restart: limits.per_second",
            ]
            entry = buys(broker)
            assert copied(broker, "bob", entry) == 2 * LOT
            eventually(lambda: f"Order skipped: copying_disabled follower=alice leader_order={entry}" in log(tmp_path))


def test_a_follower_joins_and_leaves_while_it_copies_and_begins_anew_when_he_comes_back(tmp_path: Path) -> None:
    with at.broker() as broker:
        write(tmp_path, broker, ALICE)
        with copying(tmp_path, broker, "alice"):
            before = buys(broker)
            assert copied(broker, "alice", before) == 4 * LOT
            write(tmp_path, broker, ALICE, CAROL)
            joined = ask(tmp_path, "reload")
            assert (joined.returncode, joined.stdout) == (0, "Follower added follower=carol\n")
            eventually(lambda: re.search("STATUS carol +live", log(tmp_path)), "STATUS has her")
            eventually(lambda: re.search("STATUS feed-carol +live", log(tmp_path)), "and her feed")
            assert copied(broker, "carol", buys(broker)) == 4 * LOT
            assert len(broker.orders(CLIENTS["carol"])) == 1
            assert ask(tmp_path, "pause", "carol").returncode == 0
            eventually(lambda: "Entries paused follower=carol" in log(tmp_path), "she can be paused")
            assert ask(tmp_path, "resume", "carol").returncode == 0

            write(tmp_path, broker, ALICE)
            assert ask(tmp_path, "reload").returncode == 2
            sells(broker, 8)
            eventually(lambda: len(broker.orders(CLIENTS["carol"])) == 2, "she is flat")
            left = eventually(lambda: taken(tmp_path), "nothing is stranded")
            assert left == "Follower removed follower=carol\n"
            eventually(lambda: not broker.feed_connections(CLIENTS["carol"]), "her feed is closed")
            assert copied(broker, "alice", buys(broker)) == 4 * LOT
            assert len(broker.orders(CLIENTS["carol"])) == 2
            assert ask(tmp_path, "pause", "carol").returncode == 2

            write(tmp_path, broker, ALICE, CAROL)
            eventually(lambda: taken(tmp_path), "she comes back")
            eventually(lambda: broker.feed_connections(CLIENTS["carol"]), "she is connected")
            eventually(lambda: log(tmp_path).count("Follower added follower=carol") == 2, "the log says so")
            eventually(lambda: len(re.findall("STATUS carol +live", log(tmp_path))) > 1, "she is live")
            assert copied(broker, "carol", buys(broker)) == 4 * LOT
            assert len(broker.orders(CLIENTS["carol"])) == 3
            assert "crashed" not in log(tmp_path)


def taken(folder: Path) -> str:
    """Reload, and return what was taken, "" if it was refused."""
    found = ask(folder, "reload")
    return found.stdout if found.returncode == 0 else ""
