"""``run.py check`` as an operator runs it before the market opens: what is wrong is named in plain words."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from actors.follower.gateway import audit_of
from copytrade.brokers.outcomes import HttpExchange
from copytrade.core.decide.decisions import Cancel
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import InstrumentKey, Product, Segment
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.storage.database import Database
from copytrade.storage.records import LedgerChanged
from tests.support.waiting import PATIENCE, eventually

ROOT = Path(__file__).parents[3]
LEADER = "1000000001"
LOT = 65

#: Followers by what is wrong with each.
NAMES = ("healthy", "expired", "stranger", "elsewhere", "broke", "inactive", "feedless", "resting", "spent", "unbound")
CLIENTS = {name: f"10000001{number:02}" for number, name in enumerate(NAMES, 1)}


def accounts() -> list[PaperAccount]:
    funds = {"broke": Decimal(0)}
    made = [
        PaperAccount(client, f"canary-of-{name}", funds.get(name, Decimal(10**6))) for name, client in CLIENTS.items()
    ]
    return [PaperAccount(LEADER, "canary-of-leader"), *made]


@pytest.fixture
def broker() -> Iterator[PaperBroker]:
    with PaperBroker(accounts()) as broker:
        yield broker


def write_settings(folder: Path, broker: PaperBroker, *names: str, more: str = "", master: str = "") -> None:
    followers = "".join(
        f'[[followers]]\nname = "{name}"\nclient_id = "{CLIENTS[name]}"\naccess_token = "canary-of-{name}"\n'
        + EXTRA.get(name, "")
        for name in names
    )
    (folder / "settings.toml").write_text(
        'mode = "live"\nboard = { enabled = false }\n'
        f'[leader]\nclient_id = "{LEADER}"\naccess_token = "canary-of-leader"\n{followers}'
        f'[copy]\nsizing = "fixed_ratio"\n[limits]\nper_day = 10\n[log]\nlevel = "DEBUG"\n[dhan]\n'
        f'rest_url = "{broker.rest_url}"\nfeed_url = "{broker.feed_url}"\nauth_url = "{broker.auth_url}"\n'
        f'instruments_url = "{master or broker.instruments_url}"\n{more}'
    )


EXTRA = {"elsewhere": 'source_address = "127.0.0.3"\n', "unbound": 'source_address = "203.0.113.7"\n'}


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


def row(output: str, name: str) -> str:
    return next(line for line in output.splitlines() if line.startswith(name))


def said(output: str, name: str) -> str:
    """Return everything that is said of an account below the table."""
    _, _, below = output.partition("\n\n")
    return " ".join(line for line in below.splitlines() if name in line.split(":")[0].split(", "))


def test_all_that_can_be_wrong_is_named_in_plain_words(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, *NAMES)
    text = (tmp_path / "settings.toml").read_text()
    text = text.replace('"canary-of-expired"', '"canary-of-an-old-login"')
    (tmp_path / "settings.toml").write_text(text.replace(f'"{CLIENTS["stranger"]}"', '"1000000999"'))
    broker.register_addresses(CLIENTS["elsewhere"], "127.0.0.2", "10.0.0.9")
    broker.set_standing(CLIENTS["inactive"], segments=("Equity", "Currency"))
    broker.refuse_feed(CLIENTS["feedless"])
    terms = {"side": "BUY", "security_id": "45674", "quantity": LOT, "price": "100"}
    broker.place(CLIENTS["resting"], correlation_id="ct-1-1", **terms)
    broker.place(CLIENTS["resting"], **terms)
    gone = broker.place(CLIENTS["resting"], correlation_id="ct-2-1", **terms)
    broker.cancel(CLIENTS["resting"], gone)
    database = Database(str(tmp_path / "copy_trading.db"))
    database.claim("live", LEADER)
    request = audit_of("spent", Cancel(1, "wanted"), HttpExchange("DELETE", "/orders/1", "", 202, "", 1.0))
    database.write([request] * 10)
    database.close()

    result = run(tmp_path, "check")

    assert (result.returncode, result.stderr) == (1, "")
    out = result.stdout
    assert "canary" not in out
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:12]] == ["account", "leader", *NAMES]
    for name in ("leader", "healthy", "resting"):
        assert row(out, name).split()[1] == "go"
    for name in NAMES:
        if name not in ("healthy", "resting"):
            assert row(out, name).split()[1] == "NO-GO", name
    assert said(out, "healthy") == said(out, "leader") == ""
    assert "refuses the access token (DH-901" in said(out, "expired")
    assert "make a new one" in said(out, "expired")
    assert "refuses the access token" in said(out, "stranger")
    assert "The broker sees 127.0.0.3, registered is 127.0.0.2, 10.0.0.9" in said(out, "elsewhere")
    assert "register the one" in said(out, "elsewhere")
    assert "no funds" in said(out, "broke")
    assert "Segment Derivative is not active" in said(out, "inactive")
    assert "socket does not take the login" in said(out, "feedless")
    assert "1 order with an id of ours rests" in said(out, "resting")
    assert "order budget is used up (10 of 10)" in said(out, "spent")
    assert "203.0.113.7" in said(out, "unbound")
    assert "this machine" in said(out, "unbound")
    assert not (tmp_path / "copy_trading.log").exists()


def test_a_wrong_clock_and_a_missing_master_are_everybodys(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy", master="nowhere.csv")
    broker.set_clock(600.0)
    result = run(tmp_path, "check")
    assert result.returncode == 1
    assert "clock is wrong, 10 minutes behind" in said(result.stdout, "leader")
    assert "instrument master cannot be read" in said(result.stdout, "leader")
    assert "nowhere.csv" in said(result.stdout, "healthy")
    assert "+600s" in row(result.stdout, "leader")


def test_accounts_that_can_trade_are_a_go_and_nothing_is_left_behind(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy", "elsewhere")
    broker.register_addresses(CLIENTS["elsewhere"], "127.0.0.3")
    result = run(tmp_path, "check")
    assert (result.returncode, result.stderr) == (0, "")
    assert "NO-GO" not in result.stdout
    assert "127.0.0.3 accepted" in row(result.stdout, "elsewhere")
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
    assert broker.writes(LEADER) == broker.writes(CLIENTS["healthy"]) == []


def test_a_broker_that_is_not_there_is_a_no_go(tmp_path: Path) -> None:
    with PaperBroker(accounts()) as gone:
        write_settings(tmp_path, gone, "healthy")
    result = run(tmp_path, "check")
    assert result.returncode == 1
    assert "The broker does not answer" in said(result.stdout, "healthy")


def test_a_database_of_another_mode_is_told_before_the_morning(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy")
    database = Database(str(tmp_path / "copy_trading.db"))
    database.claim("paper", LEADER)
    database.close()
    result = run(tmp_path, "check")
    assert result.returncode == 2
    assert "belongs to mode paper" in result.stderr


def test_it_works_beside_a_running_copier(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy")
    command = [sys.executable, str(ROOT / "run.py")]
    with (tmp_path / "out").open("w") as out, subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out) as copier:
        try:
            log = tmp_path / "copy_trading.log"
            eventually(lambda: log.exists() and " Ready " in log.read_text(), "it is ready")
            broker.place(LEADER, side="BUY", security_id="45674", quantity=LOT, price="100")
            eventually(lambda: "Order replicated successfully" in log.read_text(), "an order is copied")
            eventually(
                lambda: row(run(tmp_path, "check").stdout, "healthy").split()[-2:] == ["1", "1/10"], "it is counted"
            )
            result = run(tmp_path, "check")
            assert result.returncode == 0
            assert "in use" in row(result.stdout, "healthy")
            assert broker.feed_connections(CLIENTS["healthy"]) == 1
        finally:
            copier.terminate()
        assert copier.wait(PATIENCE) == 0
    assert "Feed lost" not in log.read_text()


def test_somebody_elses_account_is_refused_before_anything_starts(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy")
    text = (
        (tmp_path / "settings.toml").read_text().replace('name = "healthy"', 'name = "healthy"\nrelationship = "other"')
    )
    (tmp_path / "settings.toml").write_text(text)
    for arguments in ((), ("check",)):
        result = run(tmp_path, *arguments)
        assert result.returncode == 2
        assert "acknowledged = true" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
    (tmp_path / "settings.toml").write_text(text.replace('"other"', '"other"\nacknowledged = true'))
    assert run(tmp_path, "check").returncode == 0


def test_two_people_at_one_address_are_warned_of(broker: PaperBroker, tmp_path: Path) -> None:
    write_settings(tmp_path, broker, "healthy", "resting")
    text = (
        (tmp_path / "settings.toml")
        .read_text()
        .replace('name = "resting"', 'name = "resting"\nrelationship = "spouse"')
    )
    (tmp_path / "settings.toml").write_text(text)
    result = run(tmp_path, "check")
    assert result.returncode == 0
    assert "healthy (self) and resting (spouse) send from the same address, 127.0.0.1:" in result.stdout
    text = text.replace('relationship = "spouse"', 'relationship = "spouse"\nsource_address = "127.0.0.2"')
    (tmp_path / "settings.toml").write_text(text)
    assert "same address" not in run(tmp_path, "check").stdout


def test_an_account_that_the_broker_would_refuse_is_left_out_and_the_others_start(
    broker: PaperBroker, tmp_path: Path
) -> None:
    names = ("healthy", "expired", "elsewhere", "broke", "feedless")
    write_settings(tmp_path, broker, *names, more="[alerts]\ncooldown = 1\n")
    text = (tmp_path / "settings.toml").read_text().replace('"canary-of-expired"', '"canary-of-an-old-login"')
    (tmp_path / "settings.toml").write_text(text)
    broker.register_addresses(CLIENTS["elsewhere"], "127.0.0.2")
    broker.refuse_feed(CLIENTS["feedless"])
    database = Database(str(tmp_path / "copy_trading.db"))
    database.claim("live", LEADER)
    line = Line(LineKey(InstrumentKey(Segment.NSE_FNO, "45674"), Product.MARGIN), held=2 * LOT)
    database.write([LedgerChanged("elsewhere", line, datetime.now(UTC))])
    database.close()
    log = tmp_path / "copy_trading.log"
    command = [sys.executable, str(ROOT / "run.py")]
    with (tmp_path / "out").open("w") as out, subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out) as copier:
        try:
            eventually(lambda: broker.feed_connections(CLIENTS["healthy"]), "the healthy one is connected")
            eventually(lambda: "Feed connected account=leader" in log.read_text(), "the leader is connected")
            broker.place(LEADER, side="BUY", security_id="45674", quantity=LOT, price="100")
            eventually(lambda: broker.orders(CLIENTS["healthy"]), "the healthy one copies")
            eventually(lambda: "Alert kind=left_out who=elsewhere" in log.read_text(), "somebody is told")
        finally:
            copier.terminate()
        assert copier.wait(PATIENCE) == 0
    lines = log.read_text().splitlines()
    left_out = {line.split("account=")[1].split()[0]: line for line in lines if "Account left out" in line}
    assert set(left_out) == {"expired", "elsewhere"}
    assert "refuses the access token" in left_out["expired"]
    assert "registered is 127.0.0.2" in left_out["elsewhere"]
    assert 'holds="130 of 45674 MARGIN"' in left_out["elsewhere"]
    (begins,) = [line for line in lines if "Copying begins" in line]
    assert begins.endswith("followers=healthy,broke,feedless")
    assert any("Not in order accounts=broke" in line and "no funds" in line for line in lines)
    assert broker.writes(CLIENTS["expired"]) == broker.writes(CLIENTS["elsewhere"]) == []
    assert "canary" not in log.read_text()


@pytest.mark.parametrize("whose", ["leader", "healthy"])
def test_nothing_starts_without_the_leader_or_without_anybody_to_copy_to(
    broker: PaperBroker, tmp_path: Path, whose: str
) -> None:
    write_settings(tmp_path, broker, "healthy")
    text = (tmp_path / "settings.toml").read_text().replace(f'"canary-of-{whose}"', '"canary-of-an-old-login"')
    (tmp_path / "settings.toml").write_text(text)
    result = run(tmp_path)
    assert result.returncode == 2
    assert f"{whose}: The broker refuses the access token (DH-901" in result.stderr
    assert "make a new one" in result.stderr
    assert "Copying begins" not in (tmp_path / "copy_trading.log").read_text()
    assert broker.feed_connections(LEADER) == 0
    (tmp_path / "settings.toml").write_text(f"{text}check = false\n")
    assert run(tmp_path, "--duration", "1").returncode == 0
