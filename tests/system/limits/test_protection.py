"""Limits on what a follower enters, over real sockets: entries end with a reason, exits and cancellations pass."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event

import pytest

from actors.messages.reads import ResultRead
from copytrade.common import wall_clock
from copytrade.core.model.accounts import Result
from copytrade.core.model.commands import FLATTEN
from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.storage.database import Database
from tests.support.bombs import Bomb, Pause, address
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.limited import answered, enter, leave, limited, net
from tests.support.waiting import eventually


def lose(copier: Copier) -> None:
    """Have the market fall by ten rupees: four lots lose 2600."""
    copier.broker.set_price(OPTION, 110)


def breaches(copier: Copier) -> list[str]:
    return [line for line in copier.log if "Daily loss reached, entries stop follower=alice" in line]


@pytest.mark.parametrize("limit", [2000, "0.2%"])
def test_a_daily_loss_ends_entries_and_nothing_else_with_one_alert(
    broker: PaperBroker, tmp_path: Path, limit: object
) -> None:
    settings = limited(broker, tmp_path, max_daily_loss=limit)
    with running(settings, broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        for follower in ("alice", "bob"):
            copier.mapping(held, follower, "filled")
            copier.mapping(resting, follower, "placed")
        lose(copier)
        eventually(lambda: breaches(copier), "the loss is noticed")
        entry = copier.buy(4, "99.00")
        assert copier.mapping(entry, "alice", "skipped")[0] == "max_daily_loss"
        copier.mapping(entry, "bob", "placed")
        copier.broker.cancel(LEADER, resting)
        copier.mapping(resting, "alice", "cancelled")
        copier.mapping(leave(copier), "alice", "filled")
        eventually(
            lambda: (
                address(copier, "alice").health.figures.get("close_only") == "daily_loss" or copier.system.log_status()
            )
        )
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        again = copier.buy(4, "98.00")
        assert copier.mapping(again, "alice", "skipped")[0] == "max_daily_loss"
        assert len(breaches(copier)) == 1
        assert breaches(copier)[0].startswith("CRITICAL")
    with running(settings, broker) as copier:
        broker.set_price(OPTION, 150)
        another = copier.buy(4, "97.00")
        assert copier.mapping(another, "alice", "skipped")[0] == "max_daily_loss"
        assert not breaches(copier)


def test_a_result_that_meets_a_follower_who_has_just_been_restarted_is_no_second_loss(
    broker: PaperBroker, tmp_path: Path
) -> None:
    """What was read for its predecessor comes before what is on record."""
    with running(limited(broker, tmp_path, max_daily_loss=2000), broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        lose(copier)
        eventually(lambda: breaches(copier), "the loss is noticed")
        alice, store_may_go_on = address(copier, "alice"), Event()
        address(copier, "store").tell(Pause(store_may_go_on))
        alice.tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        alice.tell(ResultRead("alice", Result(Decimal(-2600), wall_clock.now())))
        store_may_go_on.set()
        assert copier.mapping(copier.buy(4, "98.00"), "alice", "skipped")[0] == "max_daily_loss"
        assert len(breaches(copier)) == 1


def test_while_no_result_can_be_read_entries_wait_where_a_loss_is_limited(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, max_daily_loss=2000)
    row = '[{"securityId": "45674", "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "netQty": 0}]'
    fault = RestFault(Mischief.ANSWER, Kind.READ, ALICE, 1000, status=200, body=row, path="/positions")
    broker.faults.add(fault)
    with running(settings, broker) as copier:
        entry = copier.buy(4)
        copier.mapping(entry, "bob", "placed")
        copier.logged("Result of the day unreadable, again in")
        assert copier.logged("Result of the day not known, entries wait follower=alice").startswith("ERROR")
        assert not copier.copies("alice")
        broker.faults.clear()
        copier.mapping(entry, "alice", "placed")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"allowed": ["BANKNIFTY"]}, "not_allowed"),
        ({"blocked": ["nifty"]}, "blocked"),
        ({"blocked": ["NSE_FNO"]}, "blocked"),
        ({"max_open_lots": 3}, "max_open_lots"),
    ],
)
def test_what_a_follower_may_not_enter_is_on_record(
    broker: PaperBroker, tmp_path: Path, limits: dict[str, object], reason: str
) -> None:
    with running(limited(broker, tmp_path, **limits), broker) as copier:
        entry = copier.buy(4)
        assert copier.mapping(entry, "alice", "skipped")[0] == reason
        copier.mapping(entry, "bob", "placed")


@pytest.mark.parametrize("key", ["trade_from", "trade_until"])
def test_outside_its_window_a_follower_leaves_and_does_not_enter(broker: PaperBroker, tmp_path: Path, key: str) -> None:
    with running(limited(broker, tmp_path), broker) as copier:
        held = enter(copier)
        copier.mapping(held, "alice", "filled")
    now = datetime.now(IST)
    if key == "trade_from" and now.time() >= datetime.max.time().replace(hour=23, minute=58):
        pytest.skip("no time of the day is left")
    limit = (now + timedelta(minutes=1)).time() if key == "trade_from" else now.time()
    with running(limited(broker, tmp_path, **{key: limit}), broker) as copier:
        entry = copier.buy(4)
        assert copier.mapping(entry, "alice", "skipped")[0] == "outside_window"
        copier.mapping(leave(copier), "alice", "filled")


def test_entries_are_counted_over_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, max_orders_per_day=2)
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        copier.mapping(leave(copier), "alice", "filled")
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        assert copier.mapping(enter(copier), "alice", "skipped")[0] == "max_orders_per_day"
        copier.mapping(leave(copier, 8), "alice", "filled")


def flatten(copier: Copier, *followers: str) -> list[int]:
    """Do what ``run.py flatten`` does beside a running copier."""
    database = Database(copier.settings.store.database)
    numbers = [database.give_command(FLATTEN, follower, wall_clock.now()) for follower in followers]
    database.close()
    return numbers


def by_hand(copier: Copier, client_id: str) -> list[str]:
    """Have a follower trade by hand: two lots held, one resting."""
    terms = {"side": "BUY", "security_id": OPTION}
    held = copier.broker.place(client_id, quantity=2 * LOT, order_type="MARKET", **terms)
    return [held, copier.broker.place(client_id, quantity=LOT, price="90.00", **terms)]


def test_by_command_copies_are_cancelled_and_closed_and_nothing_else_is_touched(copier: Copier) -> None:
    held, resting = enter(copier), copier.buy(4)
    target = copier.broker.place(LEADER, side="SELL", security_id=OPTION, quantity=4 * LOT, price="140.00")
    for follower in ("alice", "bob"):
        copier.mapping(held, follower, "filled")
        copier.mapping(resting, follower, "placed")
        copier.mapping(target, follower, "placed")
    mine = by_hand(copier, ALICE)
    (number,) = flatten(copier, "alice")
    assert answered(copier, number) == (1, "2 orders cancelled, closed 260 NIFTY-Dec2026-26000-CE")
    copier.logged("Everything is closed follower=alice")
    assert copier.mapping(resting, "alice", "cancelled")[0] == "flattened"
    assert net(copier, ALICE) == 2 * LOT
    assert [copier.broker.order(ALICE, order)["orderStatus"] for order in mine] == ["TRADED", "PENDING"]
    assert copier.rows("SELECT held, level FROM ledger WHERE follower = 'alice'") == [(0, 0)]
    assert net(copier, BOB) == 2 * LOT
    assert copier.copy_of(resting, "bob")["orderStatus"] == "PENDING"
    after = copier.buy(4, "99.00")
    copier.mapping(after, "alice", "placed")
    copier.broker.modify(LEADER, resting, price="98.00")
    eventually(lambda: copier.copy_of(resting, "bob")["price"] == 98.0, "the change has reached everybody")
    assert copier.copy_of(resting, "alice")["orderStatus"] == "CANCELLED"


def test_what_cannot_be_closed_is_answered_so(copier: Copier) -> None:
    copier.mapping(enter(copier), "alice", "filled")
    body = '{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Not now"}'
    copier.broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=body))
    (number,) = flatten(copier, "alice")
    is_done, answer = answered(copier, number)
    assert not is_done
    assert answer.startswith("0 orders cancelled, nothing closed; left: 260 NIFTY-Dec2026-26000-CE (broker_refused")
    copier.logged("Not everything is closed follower=alice")
    (again,) = flatten(copier, "alice")
    assert answered(copier, again) == (1, "0 orders cancelled, closed 260 NIFTY-Dec2026-26000-CE")


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_command_outlives_its_follower_and_closes_once(
    broker: PaperBroker, tmp_path: Path, is_carried_out: bool
) -> None:
    settings = settings_for(broker, tmp_path, recovery={"absence_window": 0.5})
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        broker.faults.add(RestFault(Mischief.HANG, Kind.PLACE, ALICE, accepted=is_carried_out))
        (number,) = flatten(copier, "alice")
        eventually(lambda: len(broker.writes(ALICE)) == 2, "the order that closes has left")
        address(copier, "alice").tell(Bomb(RuntimeError("a bug")))
        copier.logged("Actor alice restarted")
        assert answered(copier, number)[0] == 1
        assert net(copier, ALICE) == 0


def test_a_command_that_nobody_was_there_to_take_is_not_carried_out_later(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        copier.mapping(enter(copier), "alice", "filled")
        database = Database(settings.store.database)
        number = database.give_command(FLATTEN, "alice", wall_clock.now() - timedelta(minutes=2))
        database.close()
        assert answered(copier, number) == (0, "nobody was there")
        assert net(copier, ALICE) == 4 * LOT


def test_a_daily_loss_closes_what_was_copied_where_it_is_to(broker: PaperBroker, tmp_path: Path) -> None:
    settings = limited(broker, tmp_path, max_daily_loss=2000, on_breach="flatten")
    with running(settings, broker) as copier:
        held, resting = enter(copier), copier.buy(4)
        copier.mapping(held, "alice", "filled")
        copier.mapping(resting, "alice", "placed")
        mine = by_hand(copier, ALICE)
        lose(copier)
        copier.logged("Everything is closed follower=alice")
        assert copier.mapping(resting, "alice", "cancelled")[0] == "flattened"
        assert net(copier, ALICE) == 2 * LOT
        assert copier.broker.order(ALICE, mine[1])["orderStatus"] == "PENDING"
        assert len(breaches(copier)) == 1
        assert net(copier, BOB) == 2 * LOT
        entry = copier.buy(4, "99.00")
        assert copier.mapping(entry, "alice", "skipped")[0] == "max_daily_loss"
        leaving = leave(copier)
        copier.mapping(leaving, "bob", "filled")
        assert copier.mapping(leaving, "alice", "skipped")[0] == "nothing_held"
