"""Tokens that expire, die, are renewed and replaced, over real sockets: nothing is lost, doubled or shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, CLIENTS, LEADER, Copier, running, settings_for
from tests.support.waiting import eventually

PIN = "271828"
SECRETS = {"leader": "LEADERLEADERLEADERLEADER", "alice": "ALICEALICEALICEALICEAAAA", "bob": "BOBBOBBOBBOBBOBBOBBOBBBB"}

#: What tests do not wait for: two minutes between two logins.
QUICKLY = {"attempt_interval": 0.2}


@pytest.fixture
def broker() -> Any:
    """Every account has PIN and TOTP beside its token; a login may follow another at once."""
    accounts = [
        PaperAccount(client_id, f"token-of-{name}", pin=PIN, totp_secret=SECRETS[name])
        for name, client_id in CLIENTS.items()
    ]
    with PaperBroker(accounts) as broker:
        broker.allow_logins(0)
        yield broker


def logging_in(
    broker: PaperBroker, folder: Path, *names: str, given: bool = True, tokens: dict[str, float] | None = None
) -> Settings:
    """Return settings in which some accounts have PIN and TOTP secret, with or without a token that is given."""
    raw: dict[str, Any] = {"tokens": {**QUICKLY, **(tokens or {})}}
    ways = {name: {"pin": PIN, "totp_secret": SECRETS[name]} for name in names}
    without = {} if given else {"access_token": None}
    if "leader" in names:
        raw["leader"] = ways["leader"] | without
    raw["followers"] = [
        {"name": name, "client_id": CLIENTS[name], "access_token": f"token-of-{name}", "ratio": 1.0}
        | (ways[name] | without if name in ways else {})
        for name in ("alice", "bob")
    ]
    return settings_for(broker, folder, **raw)


def logins(broker: PaperBroker, client_id: str) -> list[str]:
    return [refused for kind, refused in attempts(broker, client_id) if kind == "login"]


def attempts(broker: PaperBroker, client_id: str) -> list[tuple[str, str]]:
    return [(attempt.kind, attempt.refused) for attempt in broker.token_attempts(client_id)]


def kept(settings: Settings) -> dict[str, Any]:
    path = Path(f"{settings.store.database}.tokens")
    document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return document


def statuses(broker: PaperBroker, client_id: str) -> list[int]:
    return [write.status for write in broker.writes(client_id)]


def test_accounts_without_a_token_log_in_and_copy(broker: PaperBroker, tmp_path: Path) -> None:
    settings = logging_in(broker, tmp_path, "leader", "alice", "bob", given=False)
    for client_id in CLIENTS.values():
        broker.revoke_token(client_id)
    with running(settings, broker) as copier:
        leader = copier.buy(4)
        for name in ("alice", "bob"):
            copier.mapping(leader, name, "placed")
        for client_id in CLIENTS.values():
            assert logins(broker, client_id) == [""]
            assert kept(settings)[client_id]["source"] == "login"
        assert Path(f"{settings.store.database}.tokens").stat().st_mode & 0o777 == 0o600
        assert "token=24h" in status(copier, "feed-leader")
        assert "token=24h" in status(copier, "feed-alice")


def status(copier: Copier, name: str) -> str:
    """Have every actor's line logged, and return one's."""
    copier.log.clear()
    copier.system.log_status()
    return copier.logged(f"STATUS {name}")


def test_a_restart_uses_the_token_that_was_kept(broker: PaperBroker, tmp_path: Path) -> None:
    settings = logging_in(broker, tmp_path, "alice", given=False)
    for _ in range(3):
        with running(settings, broker) as copier:
            copier.mapping(copier.buy(4), "alice", "placed")
    assert logins(broker, ALICE) == [""]


def test_a_token_that_is_given_and_has_expired_is_replaced_at_the_start(broker: PaperBroker, tmp_path: Path) -> None:
    broker.shorten_token(ALICE)
    with running(logging_in(broker, tmp_path, "alice"), broker) as copier:
        copier.mapping(copier.buy(4), "alice", "placed")
        assert logins(broker, ALICE) == [""]


def revoke(broker: PaperBroker, client_id: str) -> None:
    """Another login, which the copier knows nothing of: DH-906 Invalid Token."""
    broker.revoke_token(client_id)


def expire(broker: PaperBroker, client_id: str) -> None:
    """The end of its time: DH-901."""
    broker.shorten_token(client_id)


@pytest.mark.parametrize("end", [revoke, expire])
def test_a_token_that_dies_is_replaced_and_what_waited_goes_out_once(
    broker: PaperBroker, tmp_path: Path, end: Callable[[PaperBroker, str], None]
) -> None:
    with running(logging_in(broker, tmp_path, "alice"), broker) as copier:
        resting = copier.buy(4, "99.00")
        changing = copier.buy(2, "98.00")
        for leader in (resting, changing):
            for name in ("alice", "bob"):
                copier.mapping(leader, name, "placed")
        end(broker, ALICE)
        broker.cancel(LEADER, resting)
        broker.modify(LEADER, changing, price="98.50")
        new = copier.buy(4, "97.00")
        for name in ("alice", "bob"):
            copier.mapping(resting, name, "cancelled")
            copier.mapping(new, name, "placed")
            eventually(lambda name=name: copier.copy_of(changing, name)["price"] == 98.5, f"{name} is modified")
            copies = [row["correlationId"] for row in copier.copies(name)]
            assert sorted(copies) == sorted(f"ct-{leader}-1" for leader in (resting, changing, new))
        assert logins(broker, ALICE) == [""]
        assert set(statuses(broker, BOB)) == {200, 202}
        assert copier.rows("SELECT count(*) FROM audit_log WHERE account = 'bob' AND status_code >= 400") == [(0,)]
        eventually(lambda: address(copier, "feed-alice").health.state == "live", "the feed is back, with the new token")
        broker.fill(ALICE, str(copier.copy_of(new, "alice")["orderId"]))
        copier.mapping(new, "alice", "filled")


def test_an_exit_waits_for_the_token_and_is_not_lost(broker: PaperBroker, tmp_path: Path) -> None:
    with running(logging_in(broker, tmp_path, "bob"), broker) as copier:
        entry = copier.buy(4, "99.00")
        copier.mapping(entry, "alice", "placed")
        broker.fill(LEADER, entry)
        for name in ("alice", "bob"):
            broker.fill(CLIENTS[name], str(copier.copy_of(entry, name)["orderId"]))
            copier.mapping(entry, name, "filled")
        broker.revoke_token(ALICE)
        exit_ = copier.buy(4, "130.00", side="SELL")
        copier.logged("Token refused, the account waits for another: put a new access_token")
        copier.mapping(exit_, "bob", "placed")
        assert not [row for row in copier.copies("alice") if row["transactionType"] == "SELL"]
        broker.replace_token(ALICE, "token-of-alice")
        sold = copier.copy_of(exit_, "alice")
        assert (sold["transactionType"], sold["quantity"]) == ("SELL", 4 * 65)
        copier.mapping(exit_, "alice", "placed")


def test_an_entry_that_waited_is_recorded_and_copied_when_there_is_a_token(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, tokens=QUICKLY), broker) as copier:
        broker.revoke_token(ALICE)
        leader = copier.buy(4, "99.00")
        reason, error, *_ = copier.mapping(leader, "alice", "skipped")
        assert (reason, error) == ("account_suspended", "DH-906 Invalid Token")
        assert "open=0" in copier.logged("Account waits for a token that works follower=alice")
        broker.replace_token(ALICE, "token-of-alice")
        copier.mapping(leader, "alice", "placed")
        assert len(copier.copies("alice")) == 1
        assert copier.logged("Account goes on with a token that works follower=alice")


def test_the_leaders_token_dies_and_what_he_did_meanwhile_is_copied(broker: PaperBroker, tmp_path: Path) -> None:
    with running(logging_in(broker, tmp_path, "leader"), broker) as copier:
        copier.mapping(copier.buy(4, "99.00"), "alice", "placed")
        broker.revoke_token(LEADER)
        broker.drop_feed(LEADER)
        leader = copier.buy(4, "98.00")
        for name in ("alice", "bob"):
            copier.mapping(leader, name, "placed")
        assert logins(broker, LEADER) == [""]
        copier.logged("Reconnected after disconnect")
        assert all(address(copier, name).epoch == 1 for name in ("alice", "bob", "feed-leader"))


def test_a_dead_token_is_found_out_by_the_audit_though_nothing_is_copied(broker: PaperBroker, tmp_path: Path) -> None:
    settings = logging_in(broker, tmp_path, "leader", "alice")
    often = settings.recovery.model_copy(update={"audit_interval": 0.2})
    with running(settings.model_copy(update={"recovery": often}), broker):
        for client_id in (LEADER, ALICE):
            broker.revoke_token(client_id)
        for client_id in (LEADER, ALICE):
            eventually(lambda client_id=client_id: logins(broker, client_id) == [""], "another token was fetched")


def test_a_wrong_pin_is_said_in_plain_words_and_not_tried_for_ever(broker: PaperBroker, tmp_path: Path) -> None:
    broker.change_pin(ALICE, "314159")
    with running(logging_in(broker, tmp_path, "alice"), broker) as copier:
        broker.revoke_token(ALICE)
        leader = copier.buy(4, "99.00")
        copier.mapping(leader, "bob", "placed")
        said = copier.logged("Login refused, are PIN and TOTP secret right, and this machine's clock?")
        assert "account=alice" in said
        assert 'error="Invalid Pin"' in said
        eventually(lambda: logins(broker, ALICE) == ["Invalid Pin"] * 3, "three times")
        copier.mapping(leader, "alice", "skipped")
        eventually(lambda: address(copier, "alice").health.state == "unauthorised", "STATUS says so")
        broker.replace_token(ALICE, "token-of-alice")
        copier.mapping(leader, "alice", "placed")
        assert logins(broker, ALICE) == ["Invalid Pin"] * 3
        assert not [line for line in copier.log if PIN in line or SECRETS["alice"] in line]


def test_logins_keep_their_distance_over_crashes_and_restarts(broker: PaperBroker, tmp_path: Path) -> None:
    broker.change_pin(ALICE, "314159")
    with running(logging_in(broker, tmp_path, "alice", tokens={"attempt_interval": 120.0}), broker) as copier:
        broker.revoke_token(ALICE)
        leader = copier.buy(4, "99.00")
        copier.mapping(leader, "alice", "skipped")
        address(copier, "tokens").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor tokens restarted (1)")
        copier.mapping(copier.buy(4, "98.00"), "alice", "skipped")
    with running(copier.settings, broker, wait=False) as again:
        eventually(lambda: address(again, "alice").health.state == "unauthorised", "it waits")
        again.mapping(again.buy(4, "97.00"), "bob", "placed")
    assert logins(broker, ALICE) == ["Invalid Pin"]


def test_a_token_is_replaced_ahead_of_its_end(broker: PaperBroker, tmp_path: Path) -> None:
    given = broker.replace_token(ALICE, lives=3600.0)
    broker.shorten_token(BOB, 3600.0)
    settings = logging_in(broker, tmp_path, "bob", tokens={"renew_before": 7200.0})
    with running(with_token(settings, "alice", given), broker) as copier:
        for client_id in (ALICE, BOB):  # both made on the web site, so that bob need not log in
            eventually(lambda client_id=client_id: attempts(broker, client_id) == [("renewal", "")], "it is renewed")
        copier.logged("Token replaced account=alice by=renewal")
        copier.mapping(copier.buy(4), "alice", "placed")
        assert kept(settings)[ALICE]["source"] == "renewed"


def with_token(settings: Settings, name: str, token: str) -> Settings:
    """Return the settings with another token for a follower."""
    followers = [
        follower.model_dump(exclude_unset=True) | {"access_token": token}
        if follower.name == name
        else follower.model_dump(exclude_unset=True)
        for follower in settings.followers
    ]
    return Settings.model_validate({**settings.model_dump(by_alias=True), "followers": followers})


def test_one_that_cannot_be_renewed_is_warned_of_and_logged_in_for_where_that_is_possible(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = logging_in(broker, tmp_path, "alice", given=False, tokens={"renew_before": 86_300.0})
    with running(settings, broker) as copier:
        eventually(lambda: len(logins(broker, ALICE)) == 1, "it has logged in")
        copier.mapping(copier.buy(4), "alice", "placed")
    broker.shorten_token(BOB, 3600.0)
    with running(settings, broker) as copier:
        assert "account=bob" in copier.logged("Token expires soon, put a new access_token into the settings")


def test_a_false_alarm_costs_no_login(broker: PaperBroker, tmp_path: Path) -> None:
    with running(logging_in(broker, tmp_path, "alice"), broker) as copier:
        refusal = '{"errorType": "Invalid_Authentication", "errorCode": "DH-901", "errorMessage": "invalid or expired"}'
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=401, body=refusal, times=2))
        leader = copier.buy(4)
        copier.mapping(leader, "alice", "placed")
        assert statuses(broker, ALICE) == [0, 0, 200]
        assert broker.token_attempts(ALICE) == []
        assert copier.logged("Token works though it was refused account=alice")


def test_a_token_of_another_account_is_never_used(broker: PaperBroker, tmp_path: Path) -> None:
    bobs = broker.replace_token(BOB)
    settings = with_token(logging_in(broker, tmp_path, "alice", "bob"), "alice", bobs)
    with running(settings, broker) as copier:
        copier.mapping(copier.buy(4), "alice", "placed")
        assert logins(broker, ALICE) == [""]


@pytest.mark.parametrize("name", ["tokens", "gap-recovery", "feed-alice", "alice"])
def test_whoever_crashes_after_a_replacement_goes_on_with_the_new_token(
    broker: PaperBroker, tmp_path: Path, name: str
) -> None:
    with running(logging_in(broker, tmp_path, "alice"), broker) as copier:
        broker.revoke_token(ALICE)
        copier.mapping(copier.buy(4, "99.00"), "alice", "placed")
        copier.logged("Token replaced account=alice by=login")
        address(copier, name).tell(Bomb(RuntimeError("a bug")))
        copier.logged(f"Actor {name} restarted (1)")
        copier.mapping(copier.buy(4, "98.00"), "alice", "placed")
        eventually(copier.system.is_ready, "everybody is at work")
        assert logins(broker, ALICE) == [""]


def test_what_rests_for_a_quarantined_follower_is_cancelled_once_there_is_a_token(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = logging_in(broker, tmp_path, "alice")
    once = settings.supervision.model_copy(update={"max_restarts": 0, "quarantine_retry": 3600.0})
    with running(settings.model_copy(update={"supervision": once}), broker) as copier:
        leader = copier.buy(4, "99.00")
        copier.mapping(leader, "alice", "placed")
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice quarantined")
        broker.revoke_token(ALICE)
        broker.cancel(LEADER, leader)
        eventually(lambda: copier.copy_of(leader, "alice")["orderStatus"] == "CANCELLED", "it is cancelled")
        assert logins(broker, ALICE) == [""]
