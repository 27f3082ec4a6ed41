"""What tests ask of a running copier, its broker and its database."""

from typing import Any

from actors.runtime.actor import ShowFigures
from copytrade.app.clients import rest_of
from copytrade.app.commands import pause
from copytrade.brokers.dhan.positions import read_net
from copytrade.common.logs import fields
from copytrade.core.model.commands import enabled_key
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind
from copytrade.reports.drift.report import DriftReport, drift_report
from copytrade.storage.database import Database
from copytrade.storage.records import ConfigSet
from tests.support.copier import ALICE, CLIENTS, Copier


def report(copier: Copier, follower: str) -> DriftReport:
    (settings,) = (one for one in copier.settings.followers if one.name == follower)
    rest = rest_of(settings, copier.settings.dhan)
    database = copier.settings.store.database
    found = drift_report(database, follower, lambda: read_net(rest, holdings=False))
    rest.close()
    assert found.is_explained, found.text
    return found


def switch(copier: Copier, follower: str, value: str) -> None:
    """Do what ``run.py pause`` and ``resume`` do."""
    database = Database(copier.settings.store.database)
    database.write([ConfigSet(enabled_key(follower), value)])
    database.close()


def paused_by_command(copier: Copier, follower: str) -> None:
    """Pause as ``run.py pause`` does."""
    assert pause.switch(copier.settings, follower, enabled=False) == 0


def figures_of(feed: Any) -> str:
    feed.tell(ShowFigures())
    return str(fields(**feed.health.figures))


def places(broker: PaperBroker) -> int:
    return [write.kind for write in broker.writes(ALICE)].count(Kind.PLACE)


def position(copier: Copier, name: str) -> int:
    """Return an account's net position from its orders at the broker, in units."""
    rows = copier.broker.orders(CLIENTS[name])
    signs = {"BUY": 1, "SELL": -1}
    return sum(signs[str(row["transactionType"])] * int(str(row["filledQty"])) for row in rows)
