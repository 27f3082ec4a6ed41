"""Tokens as an operator has to do with them: .env, the token file, SIGHUP, and secrets that stay secret."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.command.program import command, log, running
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually

LEADER, ALICE, BOB = "1000000001", "1000000101", "1000000102"
PIN, SECRET = "27182818", "CANARYCANARYCANA"  # 80 bits, as many are

SETTINGS = """
mode = "live"
leader = {{ client_id = "1000000001", access_token = "${{LEADER_TOKEN}}" }}
followers = [
    {{ name = "alice", client_id = "1000000101", access_token = "${{ALICE_TOKEN}}" }},
    {{ name = "bob", client_id = "1000000102", pin = "${{BOB_PIN}}", totp_secret = "${{BOB_TOTP_SECRET}}" }},
]
copy = {{ sizing = "fixed_ratio" }}
market = {{ hours = "always" }}
board = {{ enabled = false }}
log = {{ level = "TRACE", status_interval = 1 }}
tokens = {{ attempt_interval = 0.2 }}
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
"""


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    accounts = [
        PaperAccount(LEADER, "canary-of-leader"),
        PaperAccount(ALICE, "canary-of-alice"),
        PaperAccount(BOB, "", pin=PIN, totp_secret=SECRET),
    ]
    with PaperBroker(accounts) as broker:
        broker.allow_logins(0)
        yield broker


@pytest.fixture
def folder(broker: PaperBroker, tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(broker=broker))
    env(tmp_path)
    return tmp_path


def env(folder: Path, leader: str = "canary-of-leader", alice: str = "canary-of-alice") -> None:
    names = {"LEADER_TOKEN": leader, "ALICE_TOKEN": alice, "BOB_PIN": PIN, "BOB_TOTP_SECRET": SECRET}
    (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in names.items()))


def buy(broker: PaperBroker) -> str:
    return broker.place(LEADER, side="BUY", security_id="45674", quantity=65, price="99.05")


def copied(broker: PaperBroker, client_id: str, leader_order: str) -> bool:
    return [row["correlationId"] for row in broker.orders(client_id)].count(f"ct-{leader_order}-1") == 1


def test_tokens_that_die_are_replaced_by_hand_and_read_again_on_sighup(broker: PaperBroker, folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: broker.feed_connections(BOB), "bob has logged in")
        eventually(lambda: re.search("STATUS feed-bob .* token=24h ", log(folder)), "STATUS says how long it lives")
        first = buy(broker)
        for client_id in (ALICE, BOB):
            eventually(lambda client_id=client_id: copied(broker, client_id, first), "it is copied")
        broker.replace_token(ALICE, "canary-another-of-alice")
        second = buy(broker)
        eventually(lambda: copied(broker, BOB, second), "bob does not notice")
        eventually(lambda: "Token refused, the account waits for another" in log(folder), "the log says what to do")

        env(folder, alice="canary-another-of-alice")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: copied(broker, ALICE, second), "what waited is copied")

        broker.replace_token(LEADER, "canary-another-of-leader")
        broker.drop_feed(LEADER)
        third = buy(broker)
        eventually(lambda: log(folder).count("Token refused, the account waits") == 2, "the leader's is refused too")
        tokens = folder / "copy_trading.db.tokens"
        kept = json.loads(tokens.read_text())
        tokens.write_text(json.dumps(kept | {LEADER: {"access_token": "canary-another-of-leader"}}))
        process.send_signal(signal.SIGHUP)
        for client_id in (ALICE, BOB):
            eventually(lambda client_id=client_id: copied(broker, client_id, third), "the leader is followed again")

        (folder / "settings.toml").write_text("half a file = ")
        process.send_signal(signal.SIGHUP)
        eventually(lambda: "Settings unusable, tokens stay as they are" in log(folder), "faults change nothing")
        fourth = buy(broker)
        eventually(lambda: copied(broker, ALICE, fourth), "it goes on")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    with opened(folder / "copy_trading.db") as database:
        twice = "SELECT count(*) FROM copy_mappings GROUP BY leader_order_id, follower HAVING count(*) > 1"
        assert database.execute(twice).fetchall() == []


def test_no_pin_secret_code_or_token_is_written_anywhere_but_in_the_token_file(
    broker: PaperBroker, folder: Path
) -> None:
    broker.change_pin(BOB, "314159")
    with running(folder) as process:
        eventually(lambda: "Login refused" in log(folder), "a login is refused")
        broker.change_pin(BOB, PIN)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: broker.feed_connections(BOB), "bob has logged in")
        for client_id in (BOB, ALICE, LEADER):
            broker.revoke_token(client_id)
            broker.drop_feed(client_id)
        eventually(lambda: log(folder).count("Token replaced account=bob") == 2, "bob logs in again")
        buy(broker)
        eventually(lambda: "unauthorised" in log(folder), "STATUS says who waits")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    kept = json.loads((folder / "copy_trading.db.tokens").read_text())
    secrets = ["canary", SECRET, PIN, "eyJ", "totp=", *(one["access_token"] for one in kept.values())]
    assert kept[BOB]["access_token"].startswith("eyJ")
    written = [path for path in folder.rglob("*") if path.is_file()]
    for path in written:
        if path.name not in (".env", "settings.toml", "copy_trading.db.tokens"):
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret and secret.encode() in content], path
    assert (folder / "copy_trading.db.tokens").stat().st_mode & 0o777 == 0o600
    assert {"copy_trading.db", "copy_trading.log", "out", "err"} <= {path.name for path in written}


def test_what_the_broker_repeats_of_a_secret_is_kept_nowhere(broker: PaperBroker, folder: Path) -> None:
    said = f"no: canary-of-alice, pin {PIN} ({SECRET}) canary-of-leader"
    refusal = json.dumps({"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": said})
    with running(folder) as process:
        eventually(lambda: broker.feed_connections(BOB), "bob has logged in")
        first = buy(broker)
        for client_id in (ALICE, BOB):
            eventually(lambda client_id=client_id: copied(broker, client_id, first), "it is copied")
            order = next(row["orderId"] for row in broker.orders(client_id))
            broker.reject(client_id, order, said)
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, BOB, status=400, body=refusal))
        second = buy(broker)
        eventually(lambda: copied(broker, ALICE, second), "alice copies the next")
        broker.reject(LEADER, second, said)
        eventually(lambda: log(folder).count("*** (***)") >= 3, "what was said is logged without them")
        explained = subprocess.run(
            command("explain", first), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        (folder / "explained").write_text(explained.stdout)
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert "no: ***, pin *** (***) ***" in (folder / "explained").read_text()
    (backup,) = (folder / "copy_trading.db.backups").iterdir()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if path.name not in (".env", "settings.toml", "copy_trading.db.tokens"):
            found = re.search(rf"canary|{SECRET}|(?<![0-9A-Za-z.]){PIN}(?![0-9A-Za-z])".encode(), path.read_bytes())
            assert found is None, (path, found)
    with opened(backup) as copied_database:
        for table, column in (("orders", "reason"), ("copy_mappings", "error_message"), ("order_events", "event_data")):
            rows = copied_database.execute(f"SELECT {column} FROM {table} WHERE {column} LIKE '%no: ***%'").fetchall()
            assert rows, (table, column)


def test_the_check_makes_no_login_and_bars_nobody_who_can_make_one(broker: PaperBroker, folder: Path) -> None:
    def check() -> str:
        done = subprocess.run(
            command("check"), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "No access token works now: one is fetched with PIN and TOTP at the start." in check()
    assert broker.token_attempts(BOB) == []
    with running(folder) as process:
        eventually(lambda: broker.feed_connections(BOB), "bob has logged in")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert "No access token works now" not in check()  # the one that was kept does
    assert [attempt.refused for attempt in broker.token_attempts(BOB)] == [""]


def test_what_an_account_holds_is_read_with_the_token_that_is_kept(broker: PaperBroker, folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: broker.feed_connections(BOB), "bob has logged in")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    done = subprocess.run(
        command("drift", "bob"), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
