"""The leader is called what the settings say, in messages, tables, logs and reports."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.reports.order import explain
from tests.support.copier import LEADER, LOT, running, settings_for
from tests.support.waiting import eventually


def test_a_leader_has_a_name_of_its_own(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    settings = settings.model_copy(update={"leaders": (settings.leader.model_copy(update={"name": "guru"}),)})
    with running(settings, broker) as copier:
        order = copier.buy(4)
        copier.mapping(order, "alice", "placed")
        broker.drop_feed(LEADER)
        copier.logged("Reconnected after disconnect, fetching missed orders... account=guru")
        broker.fill(LEADER, order)
        copier.mapping(order, "bob", "placed")
        copier.system.log_status()
        copier.logged("STATUS feed-guru")
        who = "SELECT DISTINCT account FROM orders WHERE account_type = 'leader'"
        eventually(lambda: copier.rows(who) == [("guru",)], "the table says so")
    told = explain(settings.store.database, order)
    assert "\nguru\n" in told
    assert f"LIMIT {4 * LOT} at 100.05" in told
