"""What was missed: while the feed was down, while the program was not running, and when an answer was lost."""

from datetime import timedelta
from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.bombs import address
from tests.support.copier import ALICE, LEADER, LOT, QUICK_READS, Copier, running, settings_for
from tests.support.waiting import eventually


def test_what_happened_while_the_feed_was_down_is_made_up_for(copier: Copier) -> None:
    kept, cancelled = copier.buy(4, "100.00"), copier.buy(4, "101.00")
    copier.copy_of(kept, "alice")
    copier.copy_of(cancelled, "alice")
    copier.broker.drop_feed(LEADER, refuse_for=0.3)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    placed = copier.buy(4, "102.00")
    copier.broker.modify(LEADER, kept, price="99.00")
    copier.broker.cancel(LEADER, cancelled)
    never = copier.buy(4, "103.00")
    copier.broker.cancel(LEADER, never)
    for follower, quantity in (("alice", 4 * LOT), ("bob", 2 * LOT)):
        assert copier.copy_of(placed, follower)["quantity"] == quantity
        eventually(lambda follower=follower: copier.copy_of(kept, follower)["price"] == 99.0)
        eventually(lambda follower=follower: copier.copy_of(cancelled, follower)["orderStatus"] == "CANCELLED")
        assert copier.mapping(never, follower, "skipped")[0] == "leader_cancelled"
        assert len(copier.copies(follower)) == 3
    assert copier.logged("Reconnected after disconnect, fetching missed orders...")
    assert copier.logged("Fetching orders placed since: ")
    assert copier.logged("Found 4 missed orders, processing...")


def test_a_market_order_that_filled_while_the_feed_was_down_is_copied(copier: Copier) -> None:
    copier.broker.drop_feed(LEADER, refuse_for=0.3)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    leader = copier.buy(4, 0, order_type="MARKET")
    assert copier.broker.order(LEADER, leader)["orderStatus"] == "TRADED"
    copier.mapping(leader, "alice", "filled")
    copier.mapping(leader, "bob", "filled")


def test_of_what_was_filled_long_ago_only_exits_are_copied_and_late_entries_do_not_chase(
    broker: PaperBroker, tmp_path: Path
) -> None:
    settings = settings_for(broker, tmp_path, copy={"max_missed_age": 20.0}, recovery={"start_from": "today"})
    with running(settings, broker) as copier:
        old_ones_are_left(copier)


def old_ones_are_left(copier: Copier) -> None:
    held = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(held, follower, "filled")
    copier.broker.drop_feed(LEADER, refuse_for=0.4)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    sell = {"side": "SELL", "security_id": "45674", "order_type": "MARKET"}
    old_exit = copier.broker.place(LEADER, quantity=2 * LOT, **sell)  # type: ignore[arg-type]
    old_entry, young_entry = (copier.buy(2, 0, order_type="MARKET") for _ in range(2))
    for order, age in ((old_exit, 30), (old_entry, 30), (young_entry, 10)):
        copier.broker.call(lambda order=order, age=age: _age_fill(copier.broker, order, age))  # type: ignore[misc]
    copier.broker.set_price("45674", "123.00")  # 2.5 % above what the leader paid
    assert copier.mapping(old_entry, "alice", "skipped")[0] == "missed_too_old"
    assert copier.logged("Order skipped: missed_too_old follower=alice").startswith("WARNING")
    copier.mapping(old_exit, "alice", "filled")
    row = copier.copy_of(young_entry, "alice")
    assert (row["orderType"], row["price"], row["orderStatus"]) == ("LIMIT", 122.4, "PENDING")


def test_what_was_missed_counts_in_the_order_in_which_it_happened(copier: Copier) -> None:
    """An exit, and then a fill of an order placed before it: what he bought after the exit is not left by it."""
    held = copier.buy(4, 0, order_type="MARKET")
    resting = copier.buy(4, "100.00")
    copier.mapping(held, "alice", "filled")
    copier.mapping(resting, "alice", "placed")
    copier.broker.drop_feed(LEADER, refuse_for=0.4)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    leaving = copier.broker.place(
        LEADER, side="SELL", security_id="45674", quantity=4 * LOT, price=0, order_type="MARKET"
    )
    copier.broker.modify(LEADER, resting, price="120.00")
    filled = copier.broker.exchange.order(LEADER, resting)
    filled.updated_at = filled.exchange_at = filled.updated_at + timedelta(seconds=2)
    for leader in (leaving, resting):
        for follower in ("alice", "bob"):
            copier.mapping(leader, follower, "filled")
    assert [row["filledQty"] for row in copier.copies("alice")] == [4 * LOT] * 3


def test_a_read_that_began_in_an_earlier_gap_does_not_open_the_gate(broker: PaperBroker, tmp_path: Path) -> None:
    """It may have been answered before what the later gap hides."""
    settings = settings_for(broker, tmp_path, dhan={"request_timeout": 1.5}, limits={"reads": QUICK_READS})
    with running(settings, broker) as copier:
        feed = address(copier, "feed-leader")
        eventually(lambda: feed.health.figures.get("gate") == "open" or copier.system.log_status(), "the start is over")
        for fault in (
            RestFault(Mischief.ANSWER, Kind.READ, LEADER, status=200, body="[]", delay=1.0, path="/orders"),
            RestFault(Mischief.HANG, Kind.READ, LEADER, path="/orders"),
        ):
            broker.faults.add(fault)
        read_before = len(broker.reads(LEADER))
        for times in (1, 2):
            eventually(lambda: broker.feed_connections(LEADER), "the broker has seen the login")
            broker.drop_feed(LEADER)
            eventually(
                lambda times=times: sum("Reconnected after disconnect" in line for line in copier.log) == times,
                "it is back",
            )
            if times == 1:
                eventually(lambda: len(broker.reads(LEADER)) > read_before, "the book is being read")
        leader = copier.buy(4)
        copier.logged("Order book unreadable")
        assert not copier.copies("alice")
        copier.mapping(leader, "alice", "placed")


def test_a_feed_that_is_connected_but_silent_is_found_out_by_the_audit(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, recovery={"audit_interval": 0.5})
    with running(settings, broker) as copier:
        copier.copy_of(copier.buy(4), "alice")
        broker.mute_feed(LEADER)
        copier.copy_of(copier.buy(4), "alice")
        assert copier.logged("Audit found what the feed did not tell")


def test_a_follower_whose_own_feed_is_down_copies_all_the_same(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, recovery={"audit_interval": 0.5})
    with running(settings, broker) as copier:
        broker.mute_feed(ALICE)
        leader = copier.buy(4)
        row = copier.copy_of(leader, "alice")
        broker.fill(LEADER, leader)
        broker.fill(ALICE, row["orderId"])
        copier.mapping(leader, "alice", "filled")


def test_a_restart_goes_on_where_the_program_stopped(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        resting, cancelled = copier.buy(4), copier.buy(4)
        for leader in (resting, cancelled):
            for follower in ("alice", "bob"):
                copier.copy_of(leader, follower)
                copier.mapping(leader, follower, "placed")
    broker.cancel(LEADER, cancelled)
    broker.modify(LEADER, resting, price="98.00")
    missed = broker.place(LEADER, side="BUY", security_id="45674", quantity=4 * LOT, price="97.00")
    with running(settings, broker) as copier:
        for follower in ("alice", "bob"):
            copier.copy_of(missed, follower)
            eventually(lambda follower=follower: copier.copy_of(resting, follower)["price"] == 98.0)
            eventually(lambda follower=follower: copier.copy_of(cancelled, follower)["orderStatus"] == "CANCELLED")
            assert len(copier.copies(follower)) == 3


def test_what_was_placed_before_copying_began_is_not_copied(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    old = broker.place(LEADER, side="BUY", security_id="45674", quantity=4 * LOT, price="97.00")
    broker.call(lambda: _age(broker, old))
    with running(settings, broker) as copier:
        assert copier.mapping(old, "alice", "skipped")[0] == "before_start"
        copier.copy_of(copier.buy(4), "alice")
        assert len(copier.copies("alice")) == 1


def _age_fill(broker: PaperBroker, order_id: str, seconds: int) -> None:
    """Make an order that was placed and filled seconds ago of one that has just been."""
    order = broker.exchange.order(LEADER, order_id)
    for name in ("created_at", "updated_at", "exchange_at"):
        setattr(order, name, getattr(order, name) - timedelta(seconds=seconds))


def _age(broker: PaperBroker, order_id: str) -> None:
    """Make an order an hour old."""
    order = broker.exchange.order(LEADER, order_id)
    order.created_at = order.created_at.replace(year=order.created_at.year - 1)


def test_a_broker_that_calls_for_less_is_left_alone_for_a_while(broker: PaperBroker, tmp_path: Path) -> None:
    busy = '{"errorType": "Rate_Limit", "errorCode": "DH-904", "errorMessage": "Too many requests"}'
    with running(settings_for(broker, tmp_path), broker) as copier:
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=429, body=busy, times=1))
        leaders = [copier.buy(4), copier.buy(2)]
        for leader in leaders:
            copier.copy_of(leader, "alice")
            copier.mapping(leader, "alice", "placed")
        assert copier.logged("Broker's rate limit, backing off 1s follower=alice")
        assert [write.status for write in broker.writes(ALICE)] == [0, 200, 200]


def test_an_account_without_access_is_stopped_and_no_other(broker: PaperBroker, tmp_path: Path) -> None:
    denied = '{"errorType": "Order_Error", "errorCode": "DH-902", "errorMessage": "No access to the Trading APIs"}'
    with running(settings_for(broker, tmp_path), broker) as copier:
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, ALICE, status=400, body=denied, times=100))
        first = copier.buy(4)
        assert copier.mapping(first, "alice", "skipped")[0] == "account_suspended"
        second = copier.buy(4)
        assert copier.mapping(second, "alice", "skipped")[0] == "account_suspended"
        copier.copy_of(second, "bob")
        assert len(broker.writes(ALICE)) == 1
        assert copier.logged("Account suspended")
