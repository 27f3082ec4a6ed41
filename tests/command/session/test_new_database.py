"""A database is not made silently where the accounts show that there was one."""

import subprocess
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.command.program import command, log
from tests.command.session.test_run import CLIENTS, live_settings
from tests.support.waiting import PATIENCE, eventually

SAID = "New database, it knows nothing of what the account has"


def test_a_new_database_names_the_accounts_that_have_orders_of_ours_or_positions(tmp_path: Path) -> None:
    with PaperBroker([PaperAccount(client, f"canary-of-{name}") for name, client in CLIENTS.items()]) as broker:
        (tmp_path / "settings.toml").write_text(live_settings(broker))
        terms = {"side": "BUY", "security_id": "45674", "quantity": 65}
        broker.place(CLIENTS["alice"], order_type="MARKET", correlation_id="ct-1-1", **terms)
        eventually(lambda: broker.exchange.positions(CLIENTS["alice"]), "the order is filled")

        def said() -> list[str]:
            earlier = len(log(tmp_path))
            done = subprocess.run(
                command("--duration", "1"), cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
            )
            assert done.returncode == 0
            return [line for line in log(tmp_path)[earlier:].splitlines() if SAID in line]

        (line,) = said()
        assert f"WARNING  {SAID} account=alice orders=1 positions=1 file={tmp_path / 'copy_trading.db'}" in line
        assert said() == []
