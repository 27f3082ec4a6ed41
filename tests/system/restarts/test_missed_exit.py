"""An exit that the leader made while the program did not run is copied as that order, whatever he left before."""

from pathlib import Path
from typing import Any

from copytrade.paper.broker import PaperBroker
from tests.support.copier import LEADER, LOT, OPTION, running, settings_for
from tests.support.trading import everybody_holds

COPIES = "SELECT follower, n, status FROM copy_mappings WHERE leader_order_id = ? ORDER BY follower, n"


def test_a_missed_exit_is_copied_and_not_an_exit_of_before_once_more(broker: PaperBroker, tmp_path: Path) -> None:
    def trade(side: str, lots: int) -> str:
        terms: dict[str, Any] = {"security_id": OPTION, "price": 0, "order_type": "MARKET"}
        return broker.place(LEADER, side=side, quantity=lots * LOT, **terms)

    settings = settings_for(broker, tmp_path)
    with running(settings, broker) as copier:
        orders = [trade("BUY", 4)]
        everybody_holds(broker, 4 * LOT, 2 * LOT)
        orders.append(trade("SELL", 4))
        everybody_holds(broker, 0, 0)
        orders.append(trade("BUY", 8))
        for order in orders:
            for follower in ("alice", "bob"):
                copier.mapping(order, follower, "filled")
    missed = trade("SELL", 4)
    with running(settings, broker) as copier:
        everybody_holds(broker, 4 * LOT, 2 * LOT)
        for follower in ("alice", "bob"):
            copier.mapping(missed, follower, "filled")
        assert copier.rows(COPIES, orders[1]) == [("alice", 1, "filled"), ("bob", 1, "filled")]
