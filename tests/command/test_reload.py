"""run.py reload and SIGHUP beside a running run.py: what each says, and who is named at its start."""

import signal
from contextlib import closing
from pathlib import Path

from copytrade.app.paths import open_database
from copytrade.common import wall_clock
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import InstrumentKey, Product, Segment
from copytrade.paper.broker import PaperBroker
from copytrade.settings import load_settings
from copytrade.storage.records import LedgerChanged
from tests.command.program import log, running
from tests.support.alert_receiver import receiving
from tests.support.copier import CLIENTS, LEADER, LOT, OPTION, accounts
from tests.support.waiting import PATIENCE, eventually
from tests.system.changing.changing import ALICE, BOB, Folder


def holds(folder: Folder, name: str, units: int) -> None:
    """Have the database say what somebody holds by copying."""
    settings = load_settings(folder.file)
    with closing(open_database(settings)) as database:
        database.claim("live", LEADER)
        key = LineKey(InstrumentKey(Segment.NSE_FNO, OPTION), Product.MARGIN)
        database.write([LedgerChanged(name, Line(key, held=units, level=units), wall_clock.now())])


def test_settings_are_taken_by_a_command_and_by_a_signal_or_refused_as_a_whole(tmp_path: Path) -> None:
    other = tmp_path / "other.log"
    with receiving() as receiver, PaperBroker(accounts()) as broker:
        folder = Folder(tmp_path, broker)
        alerts = f'[alerts]\nurls = ["{receiver.url}"]\n'
        folder.write(ALICE, more=alerts)
        assert folder.ask("reload") == (2, "", "no copier is running: the next start reads the settings\n")
        assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
        holds(folder, "zoe", 130)
        with running(tmp_path) as process:
            eventually(lambda: "Ready " in log(tmp_path), "all actors are live")
            absent = 'Follower is not in the settings and holds copies follower=zoe holds="130 of 45674 MARGIN"'
            assert f"CRITICAL {absent}" in log(tmp_path)
            eventually(lambda: any("zoe" in body["title"] for body in receiver.received), "somebody is told of zoe")

            folder.write(ALICE, BOB, more=f'[log]\nfile = "other.log"\n{alerts}cooldown = 9\n')
            taken = folder.ask("reload")
            assert (taken.code, taken.err) == (0, "")
            assert taken.out.splitlines() == [
                "Follower added follower=bob",
                "Setting changed alerts.cooldown=300.0 -> 9.0",
                f"Setting changed log.file={tmp_path}/copy_trading.log -> {other}",
            ]
            assert "Follower added follower=bob" in eventually(other.read_text)
            eventually(lambda: broker.feed_connections(CLIENTS["bob"]), "bob is connected")

            folder.write(ALICE + "max_lots = 0\n", BOB, more=f'[log]\nfile = "other.log"\n{alerts}cooldown = 9\n')
            process.send_signal(signal.SIGHUP)
            eventually(lambda: "Settings unusable, tokens stay as they are" in other.read_text(), "the log says so")
            folder.write(ALICE + "max_lots = 1\n", BOB, more=f'[log]\nfile = "other.log"\n{alerts}cooldown = 9\n')
            process.send_signal(signal.SIGHUP)
            changed = "Follower changed follower=alice max_lots=none -> 1"
            eventually(lambda: changed in other.read_text(), "the signal has them taken")
            folder.buys()
            assert eventually(lambda: folder.orders("alice"), "alice copies")[0]["quantity"] == LOT
            process.terminate()
            assert process.wait(PATIENCE) == 0
