"""Who was told of a trouble that lasts is told when it is over."""

from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.alert_receiver import Receiver, receiving
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, running, settings_for
from tests.support.sql import locked

DENIED = '{"errorType": "Order_Error", "errorCode": "DH-902", "errorMessage": "No access to the Trading APIs"}'


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.supervisor.actor.SNAPSHOT_EVERY", 0.05)
    monkeypatch.setattr("actors.follower.parts.account_state.SUSPENDED_FOR", 0.2)
    monkeypatch.setattr("actors.follower.parts.permits.LONG_WAIT", 0.0)


def ends(receiver: Receiver, title: str, says: str) -> None:
    """Wait for the end of a trouble, which was told of before."""
    over = receiver.told(f"over again: {title}")
    titles = [body["title"] for body in receiver.received]
    assert titles.index(f"copytrade: {title}") < titles.index(f"copytrade: over again: {title}"), titles
    assert over["type"] == "info"
    assert says in over["message"]
    assert "What to do" not in over["message"]


def test_the_end_of_each_trouble_that_lasts_is_told_once(broker: PaperBroker, tmp_path: Path) -> None:
    with receiving() as receiver:
        settings = settings_for(
            broker,
            tmp_path,
            alerts={"urls": [receiver.url]},
            tokens={"attempt_interval": 0.1},
            supervision={"max_restarts": 1, "backoff": 0.01, "quarantine_retry": 0.3},
        )
        with running(settings, broker) as copier:
            started = receiver.told("started leader")
            assert (started["message"], started["type"]) == ("Started, 2 of 2 followers", "info")

            broker.revoke_token(ALICE)
            copier.buy(4)
            receiver.told("token alice")
            broker.replace_token(ALICE, "token-of-alice")
            ends(receiver, "token alice", "Token works account=alice")
            ends(receiver, "suspended alice", "Account goes on with a token that works follower=alice")

            broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, "1000000102", status=400, body=DENIED, times=1))
            copier.buy(4, "99.00")
            ends(receiver, "suspended bob", "Account goes on, the broker takes its requests follower=bob")

            with locked(settings.store.database):
                copier.buy(4, "98.00")
                receiver.told("database")
            ends(receiver, "database", "Database works again")

            for number in range(12):
                copier.buy(1, f"{80 + number}.00")
            ends(receiver, "budget alice", "Request budget allows orders again follower=alice")

            address(copier, "alice").tell(Bomb(RuntimeError("on purpose")))
            ends(receiver, "crashed alice", "Actor alice works again")
            address(copier, "alice").tell(Bomb(RuntimeError("on purpose")))
            ends(receiver, "quarantine alice", "Actor alice is out of quarantine")
        over = [body["title"] for body in receiver.received if "over again" in body["title"]]
        assert len(over) == len(set(over)), over
