"""Over real sockets: positions, order books and updates are never of one instant, and exits wait for none of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from copytrade.settings import Settings
from tests.support.bombs import Bomb, address
from tests.support.copier import ALICE, BOB, CLIENTS, LEADER, LOT, OPTION, Copier, accounts, running, settings_for
from tests.support.killed import SETTINGS
from tests.support.killed import copier as killed_at_the_end
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually

OTHER = "45675"

#: Seconds between two audits: of the order books and the positions.
SOON = {"audit_interval": 0.5}

#: Bob is twice as large as the leader.
TWICE = [
    {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", "ratio": 1.0},
    {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", "ratio": 2.0},
]


def net(broker: PaperBroker, account: str, security_id: str = OPTION) -> int:
    """Return what an account really holds."""
    rows = broker.positions(CLIENTS[account])
    return sum(int(str(row["netQty"])) for row in rows if row["securityId"] == security_id)


def least(broker: PaperBroker, account: str, security_id: str = OPTION) -> int:
    """Return the least that an account's orders have ever come to."""
    held, lowest, filled = 0, 0, dict[str, int]()
    for row in broker.changes(CLIENTS[account]):
        if row["securityId"] != security_id:
            continue
        order_id, after = str(row["orderId"]), int(str(row["filledQty"]))
        held += (after - filled.get(order_id, 0)) * (1 if row["transactionType"] == "BUY" else -1)
        filled[order_id] = after
        lowest = min(lowest, held)
    return lowest


def market(broker: PaperBroker, account: str, side: str, quantity: int, security_id: str = OPTION) -> str:
    return broker.place(
        CLIENTS[account], side=side, security_id=security_id, quantity=quantity, price=0, order_type="MARKET"
    )


def holds(broker: PaperBroker, **units: int) -> None:
    """Wait until accounts hold so many units."""
    eventually(
        lambda: {name: net(broker, name) for name in units} == units,
        f"accounts hold {units}, not { {name: net(broker, name) for name in CLIENTS} }",
    )


@contextmanager
def again_and_again(act: Callable[[], object], every: float) -> Iterator[Callable[[], None]]:
    """Do something at a pace in a thread of its own until the block ends, or what it gives is called."""
    over = threading.Event()
    failures: list[BaseException] = []

    def go_on() -> None:
        try:
            while not over.wait(every):
                act()
        except BaseException as error:  # raised again where the test can see it
            failures.append(error)

    thread = threading.Thread(target=go_on, daemon=True)

    def end() -> None:
        over.set()
        thread.join(PATIENCE)
        if failures:
            raise failures[0]

    thread.start()
    try:
        yield end
    finally:
        end()


def reads_of(broker: PaperBroker, account: str, path: str) -> int:
    return sum(read.path.endswith(path) for read in broker.reads(CLIENTS[account]))


@pytest.fixture
def settings(broker: PaperBroker, tmp_path: Path) -> Settings:
    return settings_for(broker, tmp_path, recovery=SOON)


@pytest.mark.parametrize("lag", [{"positions": 0.5}, {"book": 0.5}, {"visible": 0.5}], ids=["positions", "book", "new"])
@pytest.mark.parametrize("late", ["leader", "followers"])
def test_a_start_while_the_leader_trades_and_the_broker_is_late_leaves_nobody_short(
    broker: PaperBroker, tmp_path: Path, lag: dict[str, float], late: str
) -> None:
    for client_id in (LEADER,) if late == "leader" else (ALICE, BOB):
        broker.lag(client_id, **lag)
    settings = settings_for(broker, tmp_path, recovery=SOON, followers=TWICE)
    with again_and_again(lambda: market(broker, "leader", "BUY", LOT), 0.08) as end:
        eventually(lambda: net(broker, "leader") >= 3 * LOT, "he trades before the start")
        with running(settings, broker) as copier:
            eventually(lambda: reads_of(broker, "leader", "/positions") >= 3, "his positions are audited")
            eventually(lambda: net(broker, "alice") and net(broker, "bob"), "both copy")
            end()
            broker.clear_faults()
            while (left := net(broker, "leader")) > 0:  # no order may be larger than the exchange takes
                market(broker, "leader", "SELL", min(left, 24 * LOT))
            holds(broker, leader=0, alice=0, bob=0)
            entry = copier.buy(4, 0, order_type="MARKET")
            copier.mapping(entry, "bob", "filled")
            holds(broker, leader=4 * LOT, alice=4 * LOT, bob=8 * LOT)
            market(broker, "leader", "SELL", 4 * LOT)
            holds(broker, leader=0, alice=0, bob=0)
            assert least(broker, "alice") == least(broker, "bob") == 0


def test_a_follower_whose_positions_are_late_after_a_kill_is_flat_when_the_leader_leaves(
    broker: PaperBroker, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(broker=broker))
    for client_id in (ALICE, BOB):
        broker.lag(client_id, positions=1.5)
    with killed_at_the_end(tmp_path):
        eventually(lambda: all(broker.feed_connections(client) for client in CLIENTS.values()), "it is connected")
        market(broker, "leader", "BUY", 4 * LOT)
        holds(broker, alice=4 * LOT, bob=2 * LOT)
    with killed_at_the_end(tmp_path):
        eventually(lambda: all(broker.feed_connections(client) for client in CLIENTS.values()), "it is connected again")
        market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
    with opened(str(tmp_path / "copy_trading.db")) as database:
        assert not database.execute("SELECT * FROM copy_mappings WHERE reason = 'external_close'").fetchall()
    assert least(broker, "alice") == least(broker, "bob") == 0


def entered(settings: Settings, broker: PaperBroker, lots: int = 4) -> str:
    """Have both copy an entry, and stop the copier."""
    with running(settings, broker) as copier:
        order = copier.buy(lots, 0, order_type="MARKET")
        for follower in ("alice", "bob"):
            copier.mapping(order, follower, "filled")
        return order


def critical(copier: Copier) -> list[str]:
    return [line for line in copier.log if line.startswith("CRITICAL")]


def test_an_exit_after_a_restart_leaves_while_the_leader_goes_on_filling_elsewhere(
    broker: PaperBroker, settings: Settings
) -> None:
    entered(settings, broker)
    broker.faults.add(RestFault(Mischief.NONE, Kind.READ, times=None, delay=0.15))
    largest = 27 * LOT
    busy = [broker.place(LEADER, side="BUY", security_id=OTHER, quantity=largest, price="1") for _ in range(10)]
    pieces = iter([order for order in busy for _ in range(largest // LOT)])
    with (
        again_and_again(lambda: broker.fill(LEADER, next(pieces), LOT), 0.1) as end,
        running(settings, broker) as copier,
    ):
        market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        end()
        assert critical(copier) == []


@pytest.mark.parametrize("path", ["/orders", "/positions"])
def test_an_exit_leaves_by_the_ledger_with_an_alert_where_the_account_cannot_be_read(
    broker: PaperBroker, settings: Settings, path: str
) -> None:
    entered(settings, broker)
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, ALICE, times=None, status=503, path=path))
    with running(settings, broker, wait=False) as copier:
        eventually(lambda: all(broker.feed_connections(client) for client in CLIENTS.values()), "all are connected")
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        (line,) = critical(copier)
        assert "Exit leaves by the ledger" in line
        assert f"follower=alice leader_order={exit_}" in line
        assert "by hand" in line
        assert f"id=ct-{exit_}-1" in line


def test_the_slices_of_an_exit_wait_for_an_unreadable_account_once(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, recovery=SOON, followers=TWICE)
    entered(settings, broker, 27)
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, BOB, times=None, status=503, path="/positions"))
    with running(settings, broker, wait=False) as copier:
        eventually(lambda: all(broker.feed_connections(client) for client in CLIENTS.values()), "all are connected")
        market(broker, "leader", "SELL", 27 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        assert len(copier.copies("bob")) == 4
        (line,) = critical(copier)
        assert "Exit leaves by the ledger" in line


def test_an_exit_while_the_accounts_own_feed_is_down_knows_what_was_closed_by_hand(
    broker: PaperBroker, settings: Settings
) -> None:
    with running(settings, broker) as copier:
        entry = copier.buy(4, 0, order_type="MARKET")
        copier.mapping(entry, "alice", "filled")
        broker.refuse_feed(ALICE)
        broker.drop_feed(ALICE)
        eventually(lambda: not broker.feed_connections(ALICE), "her feed is down")
        market(broker, "alice", "SELL", 3 * LOT)
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        assert least(broker, "alice") == 0
        assert copier.copy_of(exit_, "alice")["quantity"] == LOT
        assert critical(copier) == []


def test_a_stop_that_filled_while_the_copier_was_down_is_not_sold_again(
    broker: PaperBroker, settings: Settings
) -> None:
    with running(settings, broker) as copier:
        entry = copier.buy(4, 0, order_type="MARKET")
        copier.mapping(entry, "bob", "filled")
        terms = {"side": "SELL", "order_type": "STOP_LOSS", "trigger_price": "92"}
        stop = copier.buy(4, "90", **terms)
        for follower in ("alice", "bob"):
            copier.mapping(stop, follower, "placed")
        resting = {name: str(copier.copy_of(stop, name)["orderId"]) for name in ("alice", "bob")}
    for name, order_id in resting.items():
        broker.fill(CLIENTS[name], order_id)
    with running(settings, broker):
        broker.cancel(LEADER, stop)
        market(broker, "leader", "SELL", 4 * LOT)
        eventually(lambda: net(broker, "leader") == 0, "he is flat")
        with_word = "SELECT reason FROM copy_mappings WHERE reason IN ('nothing_held', 'external_close')"
        eventually(lambda: len(copier.rows(with_word)) == 2, "there is nothing left to sell")
    assert least(broker, "alice") == least(broker, "bob") == 0


@pytest.mark.parametrize("by_hand", [4, 3])
def test_what_a_follower_sold_by_hand_while_the_copier_was_down_is_not_sold_again(
    broker: PaperBroker, settings: Settings, by_hand: int
) -> None:
    entered(settings, broker)
    market(broker, "alice", "SELL", by_hand * LOT)
    with running(settings, broker) as copier:
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        if by_hand == 4:
            assert copier.mapping(exit_, "alice", "skipped")[0] == "external_close"
        else:
            assert copier.copy_of(exit_, "alice")["quantity"] == LOT
    assert least(broker, "alice") == 0


@pytest.mark.parametrize("read", ["positions", "orders"])
def test_an_exit_leaves_by_the_ledger_where_the_leader_cannot_be_read(
    broker: PaperBroker, settings: Settings, read: str
) -> None:
    entered(settings, broker)
    broker.faults.add(RestFault(Mischief.ANSWER, Kind.READ, LEADER, times=None, status=503, path=f"/{read}"))
    with running(settings, broker, wait=False):
        eventually(lambda: all(broker.feed_connections(client) for client in CLIENTS.values()), "all are connected")
        market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)


def test_an_exit_after_a_crash_of_the_followers_leaves_for_what_their_accounts_have(
    broker: PaperBroker, settings: Settings
) -> None:
    with running(settings, broker) as copier:
        entry = copier.buy(4, 0, order_type="MARKET")
        for follower in ("alice", "bob"):
            copier.mapping(entry, follower, "filled")
        for follower in ("alice", "bob"):
            address(copier, follower).tell(Bomb(RuntimeError("a bug")))
        market(broker, "alice", "SELL", LOT)
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
        assert copier.copy_of(exit_, "alice")["quantity"] == 3 * LOT
        assert not any("Exit leaves by the ledger" in line for line in critical(copier))
    assert least(broker, "alice") == least(broker, "bob") == 0


def test_what_was_closed_without_an_order_while_the_copier_was_down_is_not_sold_again(
    broker: PaperBroker, settings: Settings
) -> None:
    entered(settings, broker)
    broker.rewrite("row", ALICE, shift=-60)  # no fill of just now explains what the positions lack
    broker.rewrite("position", ALICE, where={"securityId": OPTION}, put={"netQty": 0, "buyQty": 0, "dayBuyQty": 0})
    with running(settings, broker) as copier:
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        assert copier.mapping(exit_, "alice", "skipped")[0] == "external_close"
        holds(broker, leader=0, bob=0)
    assert net(broker, "alice") == 4 * LOT


YESTERDAY = (
    "UPDATE copy_mappings SET trade_date = date(trade_date, '-1 day')",
    "UPDATE allotments SET trade_date = date(trade_date, '-1 day')",
)


@contextmanager
def next_day(settings: Settings, **carried: int) -> Iterator[PaperBroker]:
    """Give a broker on which nothing was ordered today, and accounts hold so many units of before."""
    with opened(settings.store.database) as database:
        for statement in YESTERDAY:
            database.execute(statement)
    with PaperBroker(accounts()) as broker:
        for account, units in carried.items():
            broker.carry(CLIENTS[account], OPTION, units)
        yield broker


def test_what_the_leader_left_over_night_leaves_the_followers_with_his_next_exit(
    broker: PaperBroker, settings: Settings, tmp_path: Path
) -> None:
    entered(settings, broker)
    with next_day(settings, leader=2 * LOT, alice=4 * LOT, bob=2 * LOT) as broker_today:
        with running(settings_for(broker_today, tmp_path, recovery=SOON), broker_today) as copier:
            copier.logged("Leader's position changed while nobody looked")
            market(broker_today, "leader", "SELL", 2 * LOT)
            holds(broker_today, leader=0, alice=0, bob=0)
        assert critical(copier) == []


def test_a_sale_of_what_the_leader_held_over_night_and_nobody_copied_is_copied_by_nobody(
    broker: PaperBroker, settings: Settings
) -> None:
    broker.carry(LEADER, OPTION, 4 * LOT)
    with running(settings, broker) as copier:
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        for follower in ("alice", "bob"):
            assert copier.mapping(exit_, follower, "skipped")[0] == "nothing_held"
        holds(broker, leader=0, alice=0, bob=0)
        assert not copier.copies("alice") + copier.copies("bob")


def test_positions_that_are_ahead_of_the_updates_make_nobody_larger_or_short(
    broker: PaperBroker, settings: Settings
) -> None:
    for client_id in CLIENTS.values():
        broker.lag(client_id, feed=0.7)
    with running(settings, broker):
        for _ in range(3):
            market(broker, "leader", "BUY", 4 * LOT)
            holds(broker, leader=4 * LOT, alice=4 * LOT, bob=2 * LOT)
            market(broker, "leader", "SELL", 4 * LOT)
            holds(broker, leader=0, alice=0, bob=0)
    assert least(broker, "alice") == least(broker, "bob") == 0


def test_copies_that_seemed_closed_by_other_hands_and_are_there_all_the_same_are_left_with_the_leader(
    broker: PaperBroker, settings: Settings
) -> None:
    entered(settings, broker)
    broker.rewrite("row", ALICE, shift=-60)  # no fill of just now explains what the positions lack
    broker.rewrite("position", ALICE, where={"securityId": OPTION}, put={"netQty": 0})
    with running(settings, broker) as copier:
        first = market(broker, "leader", "SELL", LOT)
        assert copier.mapping(first, "alice", "skipped")[0] == "external_close"
        broker.clear_faults()
        copier.logged("Copied units are there after all")
        market(broker, "leader", "SELL", 3 * LOT)
        holds(broker, leader=0, alice=0, bob=0)
    assert least(broker, "alice") == 0


def test_copies_that_seemed_closed_when_the_leader_left_and_are_there_all_the_same_leave_after_him(
    broker: PaperBroker, settings: Settings
) -> None:
    entered(settings, broker)
    broker.rewrite("row", ALICE, shift=-60)  # no fill of just now explains what the positions lack
    broker.rewrite("position", ALICE, where={"securityId": OPTION}, put={"netQty": 0})
    with running(settings, broker) as copier:
        exit_ = market(broker, "leader", "SELL", 4 * LOT)
        assert copier.mapping(exit_, "alice", "skipped")[0] == "external_close"
        broker.clear_faults()
        holds(broker, leader=0, alice=0, bob=0)
        copier.mapping(exit_, "alice", "filled")
    assert least(broker, "alice") == 0


@pytest.mark.parametrize("lag", [1.0, 2.5, 5.0])
def test_positions_that_lag_by_seconds_keep_no_follower_in(broker: PaperBroker, settings: Settings, lag: float) -> None:
    for client_id in CLIENTS.values():
        broker.lag(client_id, positions=lag)
    with running(settings, broker) as copier:
        for _ in range(2):
            entry = copier.buy(4, 0, order_type="MARKET")
            for follower in ("alice", "bob"):
                copier.mapping(entry, follower, "filled")
            before = reads_of(broker, "alice", "/positions")
            eventually(lambda before=before: reads_of(broker, "alice", "/positions") >= before + 3, "it is audited")
            for _ in range(4):
                market(broker, "leader", "SELL", LOT)
            holds(broker, leader=0, alice=0, bob=0)
    assert least(broker, "alice") == least(broker, "bob") == 0
