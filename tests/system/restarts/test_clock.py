"""A clock that is wrong, and a day that ends while orders rest."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from copytrade.core.model.orders import IST
from copytrade.paper.broker import PaperBroker
from tests.support.clocks import set_clock, with_a_clock
from tests.support.copier import ALICE, CLIENTS, LEADER, LOT, OPTION, Copier, accounts, running, settings_for
from tests.support.waiting import eventually


@pytest.mark.parametrize("hours", [1, -1])
def test_ages_are_reckoned_by_the_brokers_clock(
    broker: PaperBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """With ours an hour ahead, what the leader has just bought would be too old to be copied."""
    settings = settings_for(broker, tmp_path, copy={"max_missed_age": 60.0}, recovery={"start_from": "today"})
    with running(settings, broker):
        pass  # since when is copied is written down by a clock that is right: an hour ahead may be another day
    set_clock(monkeypatch, timedelta(hours=hours))
    with running(settings, broker) as copier:
        copier.logged(f"ages are reckoned by the broker's follower=alice broker_is_ahead={-hours * 3600}s")
        copier.mapping(copier.buy(4, 0, order_type="MARKET"), "alice", "filled")
        broker.drop_feed(LEADER, refuse_for=0.2)
        eventually(lambda: not broker.feed_connections(LEADER))
        missed = copier.buy(4, 0, order_type="MARKET")
        copier.mapping(missed, "alice", "filled")


def test_an_order_rests_over_midnight_and_is_cancelled_the_next_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commodities trade until shortly before midnight, and after-market orders wait for the morning."""
    broker = PaperBroker(accounts())
    evening, move = at_ten_seconds_to_midnight(broker, monkeypatch)
    settings = settings_for(broker, tmp_path)
    with broker:
        with running(settings, broker) as copier:
            rests, changes, ends = (copier.buy(4, price) for price in ("100.00", "101.00", "102.00"))
            for leader in (rests, changes, ends):
                copier.mapping(leader, "alice", "placed")
            move(timedelta(minutes=1))
            broker.modify(LEADER, changes, price="99.00")
            broker.cancel(LEADER, ends)
            eventually(lambda: copier.copy_of(changes, "alice")["price"] == 99.0, "it is modified")
            copier.mapping(ends, "alice", "cancelled")
            fresh = copier.buy(4, "103.00")
            copier.mapping(fresh, "alice", "placed")
        move(timedelta(hours=9))
        with running(settings, broker) as copier:
            broker.cancel(LEADER, rests)
            copier.mapping(rests, "alice", "cancelled")
            morning = copier.buy(4, "98.00")
            copier.mapping(morning, "alice", "placed")
            assert dates(copier) == {
                rests: evening.date(),
                changes: evening.date(),
                ends: evening.date(),
                fresh: evening.date() + timedelta(days=1),
                morning: evening.date() + timedelta(days=1),
            }
            ids = [row["correlationId"] for row in copier.copies("alice")]
            assert len(ids) == len(set(ids)) == 5
            assert {row["orderStatus"]: row["quantity"] for row in broker.orders(LEADER)} == {
                "PENDING": 4 * LOT,
                "CANCELLED": 4 * LOT,
            }


def test_what_is_over_is_forgotten_the_next_day_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = PaperBroker(accounts())
    evening, move = at_ten_seconds_to_midnight(broker, monkeypatch)
    tomorrow = evening.date() + timedelta(days=1)
    settings = settings_for(broker, tmp_path, copy={"late_after": 60.0, "max_missed_age": 60.0})
    with broker:
        with running(settings, broker) as copier:
            rests, ends = copier.buy(4, "100.00"), copier.buy(2, "101.00")
            for leader in (rests, ends):
                copier.mapping(leader, "alice", "placed")
            bought = copier.buy(6, 0, order_type="MARKET")
            broker.cancel(LEADER, ends)
            for follower in ("alice", "bob"):
                copier.mapping(bought, follower, "filled")
                copier.mapping(ends, follower, "cancelled")
            move(timedelta(hours=9))
            for client_id in CLIENTS.values():
                broker.drop_feed(client_id)
            for follower in ("alice", "bob"):
                copier.logged(f"Ended orders of earlier days forgotten follower={follower} orders=2 before={tomorrow}")
            sold = copier.buy(6, 0, order_type="MARKET", side="SELL")
            copier.mapping(sold, "alice", "filled")
        with running(settings, broker) as copier:
            broker.cancel(LEADER, rests)
            copier.mapping(rests, "alice", "cancelled")
            copier.mapping(rests, "bob", "cancelled")
            for follower, lots in (("alice", 6), ("bob", 3)):
                quantities = {row["correlationId"]: row["filledQty"] for row in copier.copies(follower)}
                assert quantities == {
                    f"ct-{rests}-1": 0,
                    f"ct-{ends}-1": 0,
                    f"ct-{bought}-1": lots * LOT,
                    f"ct-{sold}-1": lots * LOT,
                }


def test_what_is_over_goes_on_if_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broker = PaperBroker(accounts())
    _, move = with_a_clock(broker, monkeypatch)
    with broker, running(settings_for(broker, tmp_path), broker) as copier:
        bought = copier.buy(4, 0, order_type="MARKET")
        rests = copier.buy(2, "100.00")
        for follower in ("alice", "bob"):
            copier.mapping(bought, follower, "filled")
            copier.mapping(rests, follower, "placed")
        move(timedelta(minutes=2))
        for client_id in CLIENTS.values():
            broker.drop_feed(client_id)
        correct_the_price(broker, ALICE, str(copier.copy_of(bought, "alice")["orderId"]), Decimal("0.10"))
        eventually(lambda: copier.mapping(bought, "alice", "filled")[-1] == pytest.approx(0.1), "alice paid more")
        correct_the_price(broker, LEADER, bought, Decimal("0.10"))
        eventually(lambda: copier.mapping(bought, "bob", "filled")[-1] == pytest.approx(-0.1), "bob paid less")
        eventually(lambda: copier.mapping(bought, "alice", "filled")[-1] == pytest.approx(0.0), "alice paid the same")
        sold = copier.buy(4, 0, order_type="MARKET", side="SELL")
        broker.cancel(LEADER, rests)
        for follower, lots in (("alice", 4), ("bob", 2)):
            copier.mapping(sold, follower, "filled")
            copier.mapping(rests, follower, "cancelled")
            assert {row["correlationId"]: row["filledQty"] for row in copier.copies(follower)} == {
                f"ct-{bought}-1": lots * LOT,
                f"ct-{rests}-1": 0,
                f"ct-{sold}-1": lots * LOT,
            }
        assert not [line for line in copier.log if "crashed" in line]


def correct_the_price(broker: PaperBroker, client_id: str, order_id: str, by: Decimal) -> None:
    """Have the broker say that an order that was over was filled at another price."""

    def correct() -> None:
        order = broker.exchange.order(client_id, order_id)
        order.value += by * order.filled
        broker.exchange._note(order, order.status, order.word, order.reason)

    broker.call(correct)


def at_ten_seconds_to_midnight(
    broker: PaperBroker, monkeypatch: pytest.MonkeyPatch
) -> tuple[datetime, Callable[[timedelta], None]]:
    """Set our clock and the broker's; return the time in India, and what moves both on."""
    now = datetime.now(UTC)
    return with_a_clock(broker, monkeypatch, now.astimezone(IST).replace(hour=23, minute=59, second=50) - now)


def dates(copier: Copier) -> dict[str, object]:
    rows = copier.rows("SELECT leader_order_id, trade_date FROM copy_mappings WHERE follower = 'alice'")
    return {order_id: datetime.fromisoformat(day).date() for order_id, day in rows}


def test_the_first_start_copies_the_whole_day_where_it_is_told_to(broker: PaperBroker, tmp_path: Path) -> None:
    before = broker.place(LEADER, side="BUY", security_id=OPTION, quantity=4 * LOT, price="97.00")
    order = broker.exchange.order(LEADER, before)
    order.created_at -= timedelta(seconds=2)
    with running(settings_for(broker, tmp_path, recovery={"start_from": "today"}), broker) as copier:
        copier.mapping(before, "alice", "placed")
