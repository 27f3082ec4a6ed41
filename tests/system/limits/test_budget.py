"""A request budget that is used up: what waits is on record, told once, and exits and cancellations go on."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind
from tests.support.copier import ALICE, LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

#: Of twenty requests an hour two are kept from entries.
FEW = {"per_hour": 20}
ENTRIES = 18


def use_up(copier: Copier) -> list[str]:
    """Have the leader place as many orders as may be entered."""
    placed = [copier.buy(2, f"{100 + number}.00") for number in range(ENTRIES)]
    for leader in placed:
        copier.mapping(leader, "alice", "placed")
    return placed


def test_entries_that_the_budget_makes_wait_are_on_record_and_one_alert_tells_of_them(
    broker: PaperBroker, tmp_path: Path
) -> None:
    with running(settings_for(broker, tmp_path, limits=FEW), broker) as copier:
        placed = use_up(copier)
        waiting = [copier.buy(2, f"{80 + number}.00") for number in range(6)]
        for leader in waiting:
            assert copier.mapping(leader, "alice", "skipped")[0] == "budget"
        line = copier.logged("Rate limit reached, waiting 35")
        assert "lane=entry" in line
        assert f"orders={waiting[0]}" in line
        alerts = [line for line in copier.log if "Request budget used up" in line and "alice" in line]
        assert len(alerts) == 1
        broker.cancel(LEADER, placed[0])
        copier.mapping(placed[0], "alice", "cancelled")
        late = copier.buy(2, "79.00")
        assert copier.mapping(late, "alice", "skipped")[0] == "budget", "also after what is kept was made use of"
        broker.cancel(LEADER, waiting[0])
        eventually(
            lambda: copier.mapping(waiting[0], "alice", "skipped")[0] == "leader_cancelled", "it is decided again"
        )
        assert [write.kind for write in broker.writes(ALICE)].count(Kind.PLACE) == ENTRIES


def test_what_the_budget_made_wait_is_sent_when_it_allows(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minute's window is the one that is used up, and the wait is taken for a long one."""
    monkeypatch.setattr("actors.follower.parts.permits.LONG_WAIT", 0.0)
    with running(settings_for(broker, tmp_path), broker) as copier:
        leaders = [copier.buy(2, f"{100 + number}.00") for number in range(15)]
        eventually(
            lambda: any("Order skipped: budget" in line and "alice" in line for line in copier.log), "some have to wait"
        )
        for leader in leaders:
            copier.mapping(leader, "alice", "placed")
        assert copier.rows("SELECT 1 FROM copy_mappings WHERE follower = 'alice' AND reason = 'budget'") == []
