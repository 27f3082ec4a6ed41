"""A copier whose database is a PostgreSQL server's, which fails as servers do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.reports.queries import copies_on
from copytrade.reports.snapshot import open_to_read
from copytrade.settings import Settings
from tests.support.copier import LEADER, LOT, running, settings_for
from tests.support.postgres import PostgresServer
from tests.support.trading import everybody_holds
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    server = PostgresServer(tmp_path_factory.mktemp("postgres"))
    yield server
    server.close()


@pytest.fixture
def settings(server: PostgresServer, broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)  # the side file of a URL is in the working folder
    return settings_for(broker, tmp_path, store={"database": server.new_database()})


def statuses(settings: Settings) -> list[tuple[str, str, str]]:
    with open_to_read(settings.store.database) as connection:
        today = copies_on(connection, wall_clock.now().astimezone(IST).date())
    return sorted((copy.leader_order_id, copy.follower, copy.status) for copy in today)


def test_a_server_that_dies_stops_entries_lets_exits_go_and_loses_nothing(
    server: PostgresServer, settings: Settings, broker: PaperBroker
) -> None:
    with running(settings, broker) as copier:
        first = copier.buy(4, 0, order_type="MARKET")
        everybody_holds(broker, 4 * LOT, 2 * LOT)
        server.kill()
        copier.logged("Database failing, entries stop")
        out = copier.buy(2, 0, side="SELL", order_type="MARKET")
        everybody_holds(broker, 2 * LOT, LOT)
        waiting = copier.buy(2, "99.00")
        copier.logged("Follower order filled")
        assert len(copier.copies("alice")) == 2, "an entry needs its intent in the database"
        server.start()
        copier.logged("Database works again")
        copier.copy_of(waiting, "bob")
        expected = sorted(
            (order, follower, status)
            for order, status in ((first, "filled"), (out, "filled"), (waiting, "placed"))
            for follower in ("alice", "bob")
        )
        eventually(lambda: statuses(settings) == expected, f"the database has {expected}, not {statuses(settings)}")
    with running(settings, broker) as copier:
        broker.cancel(LEADER, waiting)
        copier.logged("Order cancelled successfully")
        ids = [row["correlationId"] for row in broker.orders("1000000101")]
        assert len(ids) == len(set(ids)) == 3


def test_connections_that_an_administrator_ends_are_made_again(
    server: PostgresServer, settings: Settings, broker: PaperBroker
) -> None:
    with running(settings, broker) as copier:
        for _ in range(3):
            server.end_connections(settings.store.database)
            order = copier.buy(1, "99.00")
            copier.copy_of(order, "alice")
            eventually(lambda order=order: (order, "alice", "placed") in statuses(settings), "it is written")
