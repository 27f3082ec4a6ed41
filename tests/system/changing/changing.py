"""A copier in this process whose settings file and followers change while it runs, and the commands of its operator."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import pytest

from actors.store import actor as store
from actors.system import command_line
from actors.system.daily.backup import DailyBackup
from actors.system.reload import Reloads
from actors.system.session import Events, Session, _guarded
from copytrade.app.changes.membership import note_followers
from copytrade.app.commands import confirm
from copytrade.app.paths import open_database
from copytrade.paper.broker import PaperBroker
from copytrade.settings import load_settings
from copytrade.storage.files.lock_file import hold_lock
from tests.support.copier import CLIENTS, LEADER, LOT, OPTION, QUICK_READS, Copier, running
from tests.support.waiting import PATIENCE, eventually

ALICE = 'name = "alice"\nclient_id = "1000000101"\naccess_token = "token-of-alice"\n'
BOB = 'name = "bob"\nclient_id = "1000000102"\naccess_token = "token-of-bob"\nratio = 0.5\n'

#: What the time of an order is exact to.
SECOND = timedelta(seconds=1)

#: What bob holds after the leader has bought four lots.
HELD = f"{2 * LOT} of {OPTION} MARGIN"


class Said(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> tuple[int, str]:
        return self.code, (self.out + self.err).splitlines()[-1]


@dataclass
class Folder:
    """A folder with a settings file, as an operator has one."""

    path: Path
    broker: PaperBroker

    @property
    def file(self) -> Path:
        return self.path / "settings.toml"

    def write(self, *followers: str, more: str = "", mode: str = "live") -> None:
        """Write the settings file with these followers' blocks."""
        at, blocks = self.broker, "".join(f"[[followers]]\n{follower}" for follower in followers)
        reads = "\n".join(f"{window} = {count}" for window, count in QUICK_READS.items())
        self.file.write_text(
            f'mode = "{mode}"\nboard = {{ enabled = false }}\n'
            f'[leader]\nclient_id = "{LEADER}"\naccess_token = "token-of-leader"\n{blocks}'
            '[copy]\nsizing = "fixed_ratio"\n[market]\nhours = "always"\n'
            f'[dhan]\nrest_url = "{at.rest_url}"\nfeed_url = "{at.feed_url}"\nauth_url = "{at.auth_url}"\n'
            f'instruments_url = "{at.instruments_url}"\n[limits.reads]\n{reads}\n{more}'
        )

    def ask(self, *arguments: str) -> Said:
        """Run a command of run.py."""
        out, err, mask = StringIO(), StringIO(), os.umask(0o077)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = command_line.main([*arguments, "--settings", str(self.file)])
        finally:
            os.umask(mask)  # other tests run in this process
        return Said(code, out.getvalue(), err.getvalue())

    def taken(self) -> str:
        """Reload, and return what was taken, "" if it was refused."""
        said = self.ask("reload")
        return said.out if said.code == 0 else ""

    def buys(self, lots: int = 4, side: str = "BUY") -> str:
        """Have the leader trade at the market."""
        terms = {"side": side, "security_id": OPTION, "quantity": lots * LOT, "price": 0, "order_type": "MARKET"}
        return self.broker.place(LEADER, **terms)

    def orders(self, name: str) -> list[dict[str, object]]:
        return self.broker.orders(CLIENTS[name])

    def sold(self, name: str) -> int:
        """Return what an account has sold, in units."""
        return sum(int(str(row["filledQty"])) for row in self.orders(name) if row["transactionType"] == "SELL")


def copied(copier: Copier, name: str, order: str) -> int:
    """Wait until a copy is filled and recorded, and return its quantity."""
    copier.mapping(order, name, "filled")
    return int(copier.copy_of(order, name)["quantity"])


@contextmanager
def copying(folder: Folder, *, wait: bool = True) -> Iterator[Copier]:
    """Copy by the settings file as ``run.py`` does, with its lock and its main loop; commands are seen at once."""
    settings = load_settings(folder.file)
    events: Events = SimpleQueue()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(store, "SWITCHES_EVERY", 0.02)
        patch.setattr(confirm, "LOOK_EVERY", 0.02)
        stack.enter_context(hold_lock(settings.store.database))
        with closing(open_database(settings)) as database:
            database.claim(settings.mode, ",".join(settings.leader_ids.values()))
            note_followers(database, settings)
        copier = stack.enter_context(running(settings, folder.broker, wait=wait, session=Session(events)))
        reloads = Reloads(copier.system, folder.file, settings)
        ended = (copier.system, events, None, reloads, (DailyBackup(settings.store), reloads))
        loop = threading.Thread(target=_guarded, args=ended, daemon=True)
        loop.start()
        try:
            yield copier
        finally:
            events.put(None)
            loop.join(PATIENCE)
            assert not loop.is_alive()


def connected(folder: Folder, copier: Copier, name: str) -> None:
    """Wait until a follower that has come is live."""
    eventually(lambda: folder.broker.feed_connections(CLIENTS[name]), f"{name} is connected")
    eventually(copier.system.is_ready, f"{name} is live")
