"""A day of an operator with five followers: what he is told agrees with the broker's books at each moment."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from copytrade.common.redaction import without_secrets
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.alert_receiver import receiving
from tests.support.bombs import address
from tests.support.copier import CLIENTS, LEADER, LOT, OPTION, Copier
from tests.support.waiting import eventually
from tests.system.alerts.test_the_day import noon
from tests.system.changing.changing import SECOND, connected, copying
from tests.system.operator.day import IDS, RATIOS, Day

NO_FUNDS = '{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Insufficient funds"}'

Move = Callable[[timedelta], None]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[PaperBroker]:
    for name, client_id in IDS.items():
        monkeypatch.setitem(CLIENTS, name, client_id)
    everybody = {"leader": LEADER, **IDS}
    with PaperBroker([PaperAccount(client_id, f"token-of-{name}") for name, client_id in everybody.items()]) as broker:
        yield broker


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("actors.supervisor.actor.SNAPSHOT_EVERY", 0.05)
    monkeypatch.setattr("actors.system.command_line.signal.signal", lambda *_: None)  # SIGPIPE is for a process
    monkeypatch.setattr("copytrade.common.backoff.Backoff.next_delay", lambda _: 0.05)
    return monkeypatch


def test_a_day_of_an_operator(broker: PaperBroker, tmp_path: Path, quick: pytest.MonkeyPatch) -> None:
    calendar, move = noon(broker, quick, tmp_path)
    with receiving() as receiver:
        day = Day(tmp_path, broker, receiver, calendar)
        sink = logger.add(
            lambda line: day.log.append(without_secrets(str(line))), level="DEBUG", format="{level} {message}"
        )
        for name in list(RATIOS)[:5]:
            day.joins(name)
        with copying(day) as copier:
            _starts(day, copier)
            _a_token_dies(day, copier)
            _margin_is_refused(day, copier)
            _trades_by_hand(day, copier)
            _a_pause(day, copier)
            _a_sixth_follower(day, copier, move)
            _a_ratio_changes(day, copier)
            _one_is_removed(day, copier)
            _the_feed_is_down(day, copier, move)
        missed = day.buys(4, "SELL")
        with copying(day) as copier:
            _is_started_again(day, copier, missed)
            _evening(day, copier, move)
        logger.remove(sink)


def _starts(day: Day, copier: Copier) -> None:
    day.agrees(copier, "started leader")
    day.buys()
    day.agrees(copier)


def _a_token_dies(day: Day, copier: Copier) -> None:
    day.broker.revoke_token(IDS["ravi"])
    lacking = day.buys()
    assert copier.mapping(lacking, "ravi", "skipped")[0] == "account_suspended"
    alerts = "token ravi", "suspended ravi", "account_suspended ravi"
    lacks = {"ravi": [("skipped", -2.0 * LOT)]}
    day.agrees(copier, *alerts, apart=lacks, states={"ravi": "unauthorised"})
    day.broker.replace_token(IDS["ravi"], "another-token-of-ravi")
    day.keys["ravi"]["access_token"] = "another-token-of-ravi"
    day.save()
    day.reloads("Follower changed follower=ravi access_token=*** -> **********")
    copier.mapping(lacking, "ravi", "filled")
    day.agrees(copier, "over again: token ravi", "over again: suspended ravi")


def _margin_is_refused(day: Day, copier: Copier) -> None:
    fault = RestFault(Mischief.ANSWER, Kind.PLACE, IDS["mira"], status=400, body=NO_FUNDS)
    day.broker.faults.add(fault)
    refused = day.buys()
    copier.mapping(refused, "mira", "failed")
    day.agrees(copier, "margin mira", apart={"mira": [("refused", -4.0 * LOT)]})
    assert day.ask("drift", "mira", "--fix", "--yes").code == 0
    day.agrees(copier)


def _trades_by_hand(day: Day, copier: Copier) -> None:
    """One buys of his own; another closes a part of what was copied."""
    day.by_hand("asha", "BUY", 1)
    day.agrees(copier, f"drift asha:NSE_FNO:{OPTION}", apart={"asha": [("manual", LOT)]})
    day.by_hand("lena", "SELL", 2)
    apart = {"asha": [("manual", LOT)], "lena": [("external_close", -2.0 * LOT)]}
    day.agrees(copier, f"drift lena:NSE_FNO:{OPTION}", apart=apart)
    day.buys(12, "SELL")
    day.by_hand("asha", "SELL", 1)
    day.agrees(copier)


def _a_pause(day: Day, copier: Copier) -> None:
    assert day.ask("pause", "dave") == (0, "dave: entries paused, exits and cancellations go on\n", "")
    day.has_logged("Entries paused follower=dave")
    lacking = day.buys()
    assert copier.mapping(lacking, "dave", "skipped")[0] == "copying_disabled"
    lacks = {"dave": [("skipped", -1.0 * LOT)]}
    day.agrees(copier, apart=lacks, states={"dave": "paused"})
    assert day.ask("resume", "dave").code == 0
    day.has_logged("Entries resumed follower=dave")
    day.agrees(copier, apart=lacks)


def _a_sixth_follower(day: Day, copier: Copier, move: Move) -> None:
    day.joins("zoya")
    day.reloads("Follower added follower=zoya")
    connected(day, copier, "zoya")
    move(SECOND)
    nothing: dict[str, list[tuple[str, float | None]]] = {"zoya": [("not_copied", None)]}
    day.agrees(copier, apart={"dave": [("skipped", -1.0 * LOT)], **nothing})
    day.buys(4, "SELL")
    day.agrees(copier)


def _a_ratio_changes(day: Day, copier: Copier) -> None:
    day.buys()
    day.agrees(copier)
    day.keys["asha"]["ratio"] = 0.5
    day.save()
    held = f"{4 * LOT} of {OPTION} MARGIN"
    day.reloads(f'Follower changed follower=asha ratio=1.0 -> 0.5 when_flat="{held}"')
    day.buys()
    day.agrees(copier)
    day.buys(8, "SELL")
    day.agrees(copier)
    day.shares["asha"] = 0.5
    day.buys()
    day.agrees(copier)


def _one_is_removed(day: Day, copier: Copier) -> None:
    removed = day.ask("remove", "lena", "--flatten", "--yes")
    assert (removed.code, removed.err) == (0, "")
    day.leaves("lena")
    day.reloads("Follower removed follower=lena")
    eventually(lambda: not day.broker.feed_connections(IDS["lena"]), "her feed is closed")
    assert day.sold("lena") == sum(int(str(row["filledQty"])) for row in day.orders("lena")) // 2
    day.agrees(copier)


def _the_feed_is_down(day: Day, copier: Copier, move: Move) -> None:
    day.buys()
    day.agrees(copier)
    day.broker.drop_feed(LEADER, refuse_for=600.0)
    eventually(lambda: address(copier, "feed-leader").health.state == "reconnecting", "the feed is down")
    missed = day.buys(8), day.buys(8, "SELL")
    eventually(lambda: _leader(day)["feed"] == "reconnecting", "the status says so")
    move(timedelta(minutes=2))
    day.receiver.told("feed_down leader")
    assert day.ask("status").code == 1
    day.broker.feeds._refused_until = 0.0
    for order, name in product(missed, day.keys):
        copier.mapping(order, name, "filled")
    day.agrees(copier, "feed_down leader", "over again: feed_down leader")
    assert (_leader(day)["feed"], _leader(day)["gate"]) == ("live", "open")


def _is_started_again(day: Day, copier: Copier, missed: str) -> None:
    for name in day.keys:
        copier.mapping(missed, name, "filled")
    day.agrees(copier)
    assert len(day.receiver.titled("started leader")) == 2


def _evening(day: Day, copier: Copier, move: Move) -> None:
    day.broker.set_price(OPTION, "130")
    day.agrees(copier)
    move(timedelta(hours=1, minutes=10))
    day.status()  # of after the close, which the watches have seen
    move(SECOND)
    day.reads_positions(copier)
    told = day.receiver.told("closed leader")
    results = [f"{name}: result Rs {day.result(name):+,.2f}, in sync" for name in day.keys]
    assert (told["message"], told["type"]) == (f"Day over: {'; '.join(results)}", "info")
    day.agrees(copier, "closed leader")
    assert day.ask("audit", "--verify").code == 0


def _leader(day: Day) -> dict[str, Any]:
    (leader,) = day.status()["leaders"]
    return dict(leader)
