"""Recognisable secrets go wherever a secret can go, and everything that is written is searched for them."""

import subprocess
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.command.program import command, log, running
from tests.support.waiting import PATIENCE, eventually

LEADER, ALICE, BOB = "1000000001", "1000000101", "1000000102"

#: Each is long enough to be recognised, and a name says whose it is.
SECRETS = {
    "LEADER_TOKEN": "canary.of-leader.in-env-0123456789",
    "ALICE_TOKEN": "canary.of-alice.in-env-0123456789",
    "BOB_TOKEN": "canary.of-bob.in-env-0123456789",
    "CAROL_TOKEN": "canary.of-carol.in-env-0123456789",
    "CAROL_PROXY": "http://canary-user:canary-of-proxy@127.0.0.1:9",
    "ALERT_URL": "json://canary-user:canary-word@127.0.0.1:9/canary-path?+X-Key=canary-header",
}

SETTINGS = """
mode = "live"
[board]
enabled = false
[leader]
client_id = "1000000001"
access_token = "${{LEADER_TOKEN}}"
[[followers]]
name = "alice"
client_id = "1000000101"
access_token = "${{ALICE_TOKEN}}"
[[followers]]
name = "bob"
client_id = "1000000102"
access_token = "${{BOB_TOKEN}}"
[[followers]]
name = "carol"
client_id = "1000000103"
access_token = "${{CAROL_TOKEN}}"
proxy = "${{CAROL_PROXY}}"
[copy]
sizing = "fixed_ratio"
[market]
hours = "always"
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
check = false
[alerts]
urls = ["${{ALERT_URL}}"]
[log]
status_interval = 1
level = "TRACE"
json = {json}
"""


@pytest.mark.parametrize("json", ["false", "true"])
def test_no_secret_is_written_anywhere_and_what_is_written_is_for_its_owner_alone(tmp_path: Path, json: str) -> None:
    (tmp_path / ".env").touch(0o604)
    (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in SECRETS.items()))
    accounts = [PaperAccount(LEADER, SECRETS["LEADER_TOKEN"]), PaperAccount(ALICE, SECRETS["ALICE_TOKEN"])]
    accounts.append(PaperAccount(BOB, "another token, so that bob's is refused"))
    with PaperBroker(accounts) as broker:
        (tmp_path / "settings.toml").write_text(SETTINGS.format(broker=broker, json=json))
        with running(tmp_path, umask=0) as process:
            eventually(lambda: broker.feed_connections(ALICE), "alice is connected")
            the_broker_echoes(broker, SECRETS["ALICE_TOKEN"])
            for price in ("100.05", "100.10", "100.15"):
                broker.place(LEADER, side="BUY", security_id="45674", quantity=65, price=price)
            broker.send_frame(
                ALICE, f'{{"Type": "order_alert", "Data": {{"orderNo": {{"x": "{SECRETS["ALICE_TOKEN"]}"}}}}}}'
            )
            broker.send_frame(LEADER, f"token={SECRETS['LEADER_TOKEN']} is no frame")
            broker.drop_feed(LEADER)
            for said in ("Failed to place", "Order replicated", "Unreadable frame", "Token refused", "not delivered"):
                eventually(lambda said=said: said in log(tmp_path), f"the log says {said!r}")  # type: ignore[misc]
            for question in (["report"], ["pause", "alice"], ["explain", broker.orders(LEADER)[0]["orderId"]]):
                keep(tmp_path, *map(str, question))
            process.terminate()
            assert process.wait(10) == 0
    assert f"Anybody on this machine may read {Path('.env')}" in log(tmp_path)
    (tmp_path / "settings.toml").write_text((tmp_path / "settings.toml").read_text() + "zork = '${ALICE_TOKEN}'\n")
    keep(tmp_path)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in (".env", "settings.toml")]
    assert {"copy_trading.db", "copy_trading.db.lock", "copy_trading.log", "out", "err", "report", "explain"} <= {
        path.name for path in written
    }
    for path in written:
        assert b"canary" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o777 == 0o600 or not path.name.startswith("copy_trading"), path


def the_broker_echoes(broker: PaperBroker, token: str) -> None:
    """Have the broker say the token in a refusal, in a page that is no JSON, and in place of an answer."""
    refusal = f'{{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "token {token} said no"}}'
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=refusal))
    page = f"<html>access-token: {token}</html>"
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=502, body=page, content_type="text/html"))
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, LEADER, status=400, body=page))


def keep(folder: Path, *arguments: str) -> None:
    """Run a command, and keep what it says as a file among the others."""
    done = subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    (folder / (arguments[0] if arguments else "refusal")).write_text(done.stdout + done.stderr)
    assert done.stdout + done.stderr
