"""Leaders who go: nobody is left with copies that nobody brings down."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.app.changes.following import say_who_is_not_followed
from copytrade.paper.broker import PaperBroker
from copytrade.settings import load_settings
from tests.support.copier import LOT, OPTION
from tests.support.waiting import eventually
from tests.system.changing.changing import Folder, copying
from tests.system.leaders.leading import IDS, accounts, holds, is_ready, rests, trades

BINA = f'name = "bina"\nclient_id = "{IDS["bina"]}"\naccess_token = "token-of-bina"\n'
WITHOUT_DEV = "[followers.of.dev]\nenabled = false\n"


class TwoLeaders(Folder):
    """A folder whose settings name these leaders."""

    leaders: tuple[str, ...] = ("asha", "dev")

    def write(self, *followers: str, more: str = "", mode: str = "live") -> None:
        super().write(*followers, more=more, mode=mode)
        blocks = "".join(
            f'[[leaders]]\nname = "{name}"\nclient_id = "{IDS[name]}"\naccess_token = "token-of-{name}"\n'
            for name in self.leaders
        )
        written = self.file.read_text()
        begins, ends = written.index("[leader]"), written.index("[[followers]]")
        self.file.write_text(written[:begins] + blocks + written[ends:])


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[TwoLeaders]:
    with PaperBroker(accounts()) as broker:
        yield TwoLeaders(tmp_path, broker)


def test_a_leader_whose_copies_are_held_goes_only_when_it_was_said_what_becomes_of_them(folder: TwoLeaders) -> None:
    broker = folder.broker
    folder.write(BINA)
    with copying(folder, wait=False) as copier:
        is_ready(copier)
        trades(broker, "asha", "BUY", 2)
        trades(broker, "dev", "BUY", 1)
        holds(broker, "bina", 3)
        kept = rests(broker, "asha")
        copier.mapping(kept, "bina", "placed")
        gone = rests(broker, "dev")
        copier.mapping(gone, "bina", "placed")

        folder.write(BINA + 'leaders = ["asha"]\n')
        said = folder.ask("reload")
        has = f"{LOT} of {OPTION} MARGIN, orders that rest: 1"
        assert (said.code, said.out) == (2, "")
        assert f"follower bina has {has} by copying dev: keep him among the leaders" in said.err
        said = folder.ask("remove", "dev", "--flatten", "--yes")
        assert said.code != 0
        assert "bina: dev is copied: first set enabled = false in [followers.of.dev], and run.py reload" in said.out

        folder.write(BINA + WITHOUT_DEV)
        assert "Follower changed follower=bina of.dev.enabled=True -> False\n" in folder.taken()
        assert copier.mapping(rests(broker, "dev", price="99.05"), "bina", "skipped")[0] == "copying_disabled"
        said = folder.ask("remove", "dev", "--flatten", "--yes")
        assert said.code == 0, said
        assert f"bina has by copying dev: {has}" in said.out
        holds(broker, "bina", 2)
        states = {row["correlationId"]: row["orderStatus"] for row in broker.orders(IDS["bina"])}
        assert (states[f"ct-{gone}-1"], states[f"ct-{kept}-1"]) == ("CANCELLED", "PENDING")

        folder.write(BINA + 'leaders = ["asha"]\n')
        assert "Needs a restart: followers.bina.leaders" in folder.taken()
        trades(broker, "asha", "SELL", 2)
        holds(broker, "bina", 0)


def test_copies_that_are_left_do_not_count_any_more_and_those_of_a_leader_who_is_gone_are_told(
    folder: TwoLeaders,
) -> None:
    broker = folder.broker
    folder.write(BINA)
    with copying(folder, wait=False) as copier:
        is_ready(copier)
        trades(broker, "dev", "SELL", 1)
        holds(broker, "bina", -1)
        eventually(lambda: copier.rows("SELECT held FROM ledger WHERE leader = 'dev'") == [(-LOT,)])
    folder.write(BINA + 'leaders = ["asha"]\n')
    told = f"Follower bina does not follow dev and holds copies of him: -{LOT} of {OPTION} MARGIN"
    assert say_who_is_not_followed(load_settings(folder.file)) == [("bina", told)]
    with copying(folder, wait=False) as copier:
        is_ready(copier)
        said = folder.ask("remove", "dev", "--leave", "--yes")
        assert said.code == 0, said
        eventually(lambda: copier.rows("SELECT held FROM ledger WHERE leader = 'dev'") == [(0,)])
        assert broker.orders(IDS["bina"])[-1]["transactionType"] == "SELL"
    assert say_who_is_not_followed(load_settings(folder.file)) == []
