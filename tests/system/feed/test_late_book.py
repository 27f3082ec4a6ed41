"""A gap in the leader's feed while his order book is late: what he did in between is in neither of them at first."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from tests.support.copier import LEADER, LOT, OPTION, QUICK_READS, Copier, running, settings_for
from tests.support.waiting import eventually

MARKET = {"security_id": OPTION, "price": 0, "order_type": "MARKET"}


def _learn_that_the_book_is_late(copier: Copier) -> None:
    copier.broker.lag(LEADER, book=1.4)
    known = copier.buy(2, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(known, follower, "filled")
    key = "SELECT value FROM config WHERE key = 'book_delay.leader'"
    eventually(lambda: copier.rows(key), "the delay of the book is written down")


def _leaves(copier: Copier, lots: int) -> str:
    return copier.broker.place(LEADER, side="SELL", quantity=lots * LOT, **MARKET)


def _never_short(broker: PaperBroker, copier: Copier) -> None:
    for client in copier.settings.followers:
        held = 0
        for order in broker.orders(client.client_id):
            held += order["filledQty"] * (1 if order["transactionType"] == "BUY" else -1)
        assert held == 0, client.name


def test_an_exit_after_a_gap_waits_for_what_a_late_book_does_not_show_yet(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, limits={"reads": QUICK_READS}), broker) as copier:
        _the_feed_is_dropped(copier)


def _the_feed_is_dropped(copier: Copier) -> None:
    _learn_that_the_book_is_late(copier)
    copier.mapping(_leaves(copier, 2), "alice", "filled")
    copier.broker.drop_feed(LEADER, refuse_for=0.2)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    entered = copier.buy(4, 0, order_type="MARKET")
    eventually(lambda: copier.broker.feed_connections(LEADER), "the feed is back")
    left = _leaves(copier, 4)
    for follower in ("alice", "bob"):
        assert copier.mapping(entered, follower, "skipped")
        assert copier.mapping(left, follower, "skipped")
    _never_short(copier.broker, copier)


def test_a_late_book_is_known_to_be_late_after_a_restart(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, limits={"reads": QUICK_READS})
    with running(settings, broker) as copier:
        _learn_that_the_book_is_late(copier)
        copier.mapping(_leaves(copier, 2), "alice", "filled")
    entered = broker.place(LEADER, side="BUY", quantity=4 * LOT, **MARKET)
    with running(settings, broker, wait=False) as copier:
        eventually(lambda: broker.feed_connections(LEADER), "the feed is back")
        left = _leaves(copier, 4)
        for follower in ("alice", "bob"):
            copier.mapping(entered, follower, "skipped")
            copier.mapping(left, follower, "skipped")
        _never_short(broker, copier)
