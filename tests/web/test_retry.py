"""The command ``retry``, from the database to the supervisor."""

from pathlib import Path

from copytrade.common import wall_clock
from copytrade.core.model.commands import RETRY, Answer
from copytrade.paper.broker import PaperBroker
from copytrade.storage.database import Database
from tests.support.bombs import Bomb
from tests.support.copier import accounts, running, settings_for
from tests.support.waiting import eventually


def test_a_quarantined_follower_gets_another_chance_by_command(tmp_path: Path) -> None:
    supervision = {"max_restarts": 0, "quarantine_retry": 3600.0}
    with (
        PaperBroker(accounts()) as broker,
        running(settings_for(broker, tmp_path, supervision=supervision), broker) as copier,
    ):
        copier.system._addresses.followers["alice"].tell(Bomb(RuntimeError("again")))
        copier.logged("Actor alice quarantined")
        database = Database(copier.settings.store.database, exists=True)
        number = database.give_command(RETRY, "alice", wall_clock.now())
        copier.logged("Actor alice restarted")
        answer = eventually(lambda: database.answer(number), "it is answered")
        assert answer == Answer("alice", True, "gets another chance")
        database.close()
        copier.mapping(copier.buy(4), "alice", "placed")
