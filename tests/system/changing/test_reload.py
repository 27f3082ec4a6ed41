"""A reload while it copies: what is taken at once, what waits, what is refused, and who comes and goes."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.common.logs import alert
from copytrade.core.model.commands import RELOAD
from copytrade.paper.broker import PaperBroker
from copytrade.storage.database import Database
from tests.support.alert_receiver import receiving
from tests.support.clocks import with_a_clock
from tests.support.copier import CLIENTS, LOT, Copier
from tests.support.waiting import eventually
from tests.system.changing.changing import ALICE, BOB, HELD, SECOND, Folder, connected, copied, copying


@pytest.fixture
def folder(broker: PaperBroker, tmp_path: Path) -> Folder:
    return Folder(tmp_path, broker)


@pytest.fixture
def move(broker: PaperBroker, monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    return with_a_clock(broker, monkeypatch)[1]


def filled(copier: Copier, name: str, order: str) -> int:
    """Return how many units all copies of a leader order have filled."""
    query = "SELECT SUM(follower_filled) FROM copy_mappings WHERE leader_order_id = ? AND follower = ?"
    return int(copier.rows(query, order, name)[0][0] or 0)


def test_limits_count_at_once_and_a_ratio_from_when_the_line_is_flat(folder: Folder) -> None:
    folder.write(ALICE, BOB)
    with copying(folder) as copier:
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
        assert folder.ask("reload") == (0, "Nothing has changed\n", "")
        folder.write(ALICE + "max_lots = 1\n", BOB.replace("0.5", "1.0") + "capital = 500000\n")
        lines = [
            "Follower changed follower=alice max_lots=none -> 1",
            f'Follower changed follower=bob ratio=0.5 -> 1.0 when_flat="{HELD}"',
            "Needs a restart: followers.bob.capital",
        ]
        assert folder.ask("reload") == (0, "".join(f"{line}\n" for line in lines), "")
        for line in lines:
            copier.logged(line)
        more = folder.buys()
        assert (copied(copier, "alice", more), copied(copier, "bob", more)) == (LOT, 2 * LOT)
        out = folder.buys(8, "SELL")
        for name, lots in (("alice", 5), ("bob", 4)):  # an exit may leave in parts while the reads of a start go on
            eventually(lambda name=name, lots=lots: filled(copier, name, out) == lots * LOT, f"{name} is out")  # type: ignore[misc]
        assert copied(copier, "bob", folder.buys()) == 4 * LOT

        folder.write(ALICE, BOB.replace("0.5", "10.0").replace("token-of-bob", "token-of-paper"), mode="paper")
        copier.log.clear()
        with closing(Database(copier.settings.store.database, exists=True)) as database:
            database.give_command(RELOAD, "", wall_clock.now())  # as SIGHUP does
        copier.logged("Needs a restart: mode")
        assert not [line for line in copier.log if "Follower changed" in line]
        across = folder.buys(8, "SELL")
        eventually(lambda: filled(copier, "alice", across) == 2 * LOT, "alice is out, and in by one lot")
        eventually(lambda: filled(copier, "bob", across) == 8 * LOT, "bob is out, and in again")
        back = folder.buys()
        eventually(lambda: filled(copier, "bob", back) == 4 * LOT, "what was written for another mode is not taken")


def test_faulty_settings_change_nothing_and_every_fault_is_told(folder: Folder) -> None:
    folder.write(ALICE, BOB)
    with copying(folder) as copier:
        folder.write(ALICE + "max_lots = 0\n", BOB + "zork = 1\n")
        said = folder.ask("reload")
        assert (said.code, said.out) == (2, "")
        assert "followers.alice.max_lots" in said.err
        assert "followers.bob.zork" in said.err
        folder.write(ALICE + "max_lots = 1\n", BOB, more='[log]\nfile = "settings.toml/log"\n')
        said = folder.ask("reload")
        assert (said.code, said.out) == (2, "")
        assert "log.file: " in said.err
        folder.write(ALICE, BOB.replace('"bob"', '"rob"'))
        assert "follower rob has the client_id of bob: take the old block out first" in folder.ask("reload").err
        folder.write(ALICE, BOB.replace("1000000102", "1000000103"))
        assert "follower bob has another client_id: take the old block out first" in folder.ask("reload").err
        folder.write(ALICE, BOB)
        assert folder.taken() == "Nothing has changed\n"
        copier.logged("Settings are taken again")
        assert copied(copier, "alice", folder.buys()) == 4 * LOT


def test_alerts_go_where_the_new_settings_say(folder: Folder) -> None:
    folder.write(ALICE)
    with receiving() as receiver, copying(folder) as copier:
        alert("before", "alice", "nobody is told")
        copier.logged("Alert kind=before")
        folder.write(ALICE, more=f'[alerts]\nurls = ["{receiver.url}"]\n')
        said = folder.ask("reload")
        assert (said.code, said.err) == (0, "")
        assert said.out == "Setting changed alerts.urls=none -> **********\n"
        alert("after", "alice", "somebody is told")
        eventually(lambda: receiver.received, "it is told")
        assert "somebody is told" in receiver.received[0]["message"]


def test_a_follower_joins_and_leaves_and_begins_anew_when_he_comes_back(
    folder: Folder, move: Callable[[timedelta], None]
) -> None:
    folder.write(ALICE)
    with copying(folder) as copier:
        assert copied(copier, "alice", folder.buys()) == 4 * LOT
        folder.write(ALICE, BOB)
        assert folder.ask("pause", "bob").last == (1, "bob: does not run in the copier, so nothing was done")
        assert folder.ask("drift", "bob").last == (1, "bob: does not run in the copier, nothing is copied to him")
        assert folder.ask("reload") == (0, "Follower added follower=bob\n", "")
        connected(folder, copier, "bob")
        copier.logged("STATUS feed-bob     live")
        copier.logged("earlier orders of the leader are left out follower=bob")
        move(SECOND)
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
        assert len(folder.orders("bob")) == 1

        folder.write(ALICE)
        said = folder.ask("reload")
        assert (said.code, said.out) == (2, "")
        assert f"follower bob holds {HELD}: keep his block with enabled = false until he is flat" in said.err
        assert folder.ask("pause", "bob").code == 0
        copier.logged("Entries paused follower=bob")
        assert folder.ask("resume", "bob").code == 0
        assert copied(copier, "bob", folder.buys(4, "SELL")) == LOT
        assert folder.ask("flatten", "bob", "--yes").code == 0
        assert folder.sold("bob") == 2 * LOT
        assert folder.ask("reload") == (0, "Follower removed follower=bob\n", "")
        eventually(lambda: not folder.broker.feed_connections(CLIENTS["bob"]), "his feed is closed")
        assert folder.ask("pause", "bob").last == (2, "there is no follower bob; there are: alice")
        copier.log.clear()
        copier.system.log_status()
        copier.logged("STATUS total")
        assert not [line for line in copier.log if "STATUS" in line and "bob" in line]
        count = len(folder.orders("bob"))
        assert copied(copier, "alice", folder.buys()) == 4 * LOT

        folder.write(ALICE, BOB)
        eventually(folder.taken, "he comes back")
        connected(folder, copier, "bob")
        move(SECOND)
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
        assert len(folder.orders("bob")) == count + 1
        assert not [line for line in copier.log if "crashed" in line]


def test_a_follower_whom_the_broker_refuses_is_left_out_until_it_does_not(
    folder: Folder, move: Callable[[timedelta], None]
) -> None:
    folder.write(ALICE)
    with copying(folder) as copier:
        folder.write(ALICE, BOB.replace("token-of-bob", "a-token-of-yesterday"))
        said = folder.ask("reload")
        assert said.code == 0
        assert said.out.startswith("Account left out account=bob")
        assert "refuses the access token" in said.out
        assert folder.ask("pause", "bob").code == 1
        assert copied(copier, "alice", folder.buys()) == 4 * LOT
        folder.write(ALICE, BOB)
        assert folder.ask("reload").out == "Follower added follower=bob\n"
        connected(folder, copier, "bob")
        move(SECOND)
        assert copied(copier, "bob", folder.buys()) == 2 * LOT
