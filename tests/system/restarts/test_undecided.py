"""Orders that nobody decided before the copier was killed, and whose day is over when it starts again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from copytrade.core.model.accounts import AccountType
from copytrade.core.model.commands import since_key
from copytrade.core.model.orders import Status
from copytrade.paper.broker import PaperBroker
from copytrade.storage.database import Database
from copytrade.storage.records import ConfigSet, OrderChanged
from tests.core.orders import an_order
from tests.support.copier import running, settings_for

REASONS = "SELECT leader_order_id, follower, status, reason FROM copy_mappings ORDER BY leader_order_id, follower"


def test_each_of_them_has_a_row_that_says_why_and_none_is_entered(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker):
        pass
    yesterday = datetime.now(UTC) - timedelta(days=1)
    times = {"created_at": yesterday, "updated_at": yesterday, "observed_at": yesterday}
    filled = an_order(id="1", status=Status.TRADED, filled_quantity=260, **times)
    cancelled = an_order(id="2", status=Status.CANCELLED, **times)
    resting = an_order(id="3", **times)
    before = yesterday - timedelta(hours=1)
    earlier = an_order(id="0", **{name: before - timedelta(seconds=1) for name in times})
    database = Database(settings.store.database)
    orders = [OrderChanged("leader", AccountType.LEADER, one) for one in (earlier, filled, cancelled, resting)]
    begun = [ConfigSet(since_key(one), str(int(before.timestamp()))) for one in ("alice", "bob")]
    database.write([*orders, *begun])
    database.close()
    for _ in range(2):
        with running(settings, broker) as copier:
            copier.mapping("3", "alice", "skipped")
            copier.mapping("3", "bob", "skipped")
            late, ended = ("skipped", "missed_too_old"), ("skipped", "leader_cancelled")
            assert copier.rows(REASONS) == [
                (order_id, follower, *why)
                for order_id, why in (("1", late), ("2", ended), ("3", late))
                for follower in ("alice", "bob")
            ]
            assert not copier.copies("alice")
