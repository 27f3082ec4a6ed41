"""What happens when the database does not take what it is told."""

import sqlite3

from tests.system.copier import Copier
from tests.waiting import eventually


def test_no_entry_leaves_while_the_database_is_locked_and_nothing_is_lost(copier: Copier) -> None:
    before = copier.buy(4)
    copier.mapping(before, "alice", "placed")
    lock = sqlite3.connect(copier.settings.store.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    leader = copier.buy(4)
    copier.logged("Database failing, entries stop")
    assert len(copier.copies("alice")) == 1
    copier.broker.cancel(copier.settings.leader.client_id, before)
    eventually(lambda: copier.copy_of(before, "alice")["orderStatus"] == "CANCELLED", "a cancellation passes")
    lock.execute("ROLLBACK")
    lock.close()
    copier.copy_of(leader, "alice")
    copier.mapping(leader, "alice", "placed")
    copier.mapping(before, "alice", "cancelled")
    assert copier.logged("Database works again")
