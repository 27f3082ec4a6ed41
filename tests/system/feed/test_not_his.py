"""Orders on the leader's account that carry an id of ours: none of his, and their fills none of his position."""

from pathlib import Path
from typing import Any

from copytrade.paper.broker import PaperBroker
from tests.support.copier import LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.trading import bought, everybody_holds
from tests.support.waiting import eventually

#: Reads of the positions come in quick succession.
OFTEN = {"audit_interval": 0.3}


def not_his(broker: PaperBroker, lots: int, **parameters: Any) -> str:
    terms = {"side": "SELL", "security_id": OPTION, "price": "115.00", "correlation_id": "ct-1-1"}
    return broker.place(LEADER, quantity=lots * LOT, **{**terms, **parameters})


def reads_of_positions(broker: PaperBroker, more: int) -> None:
    """Wait until the leader's positions have been read so often again."""

    def reads() -> int:
        return sum(str(read.path).endswith("/positions") for read in broker.reads(LEADER))

    before = reads()
    eventually(lambda: reads() >= before + more, "his positions are read again and again")


def leaves_one_and_the_rest(copier: Copier) -> None:
    one = copier.buy(1, "115.00", side="SELL")
    copier.mapping(one, "alice", "filled")
    everybody_holds(copier.broker, 3 * LOT, LOT)
    copier.mapping(copier.buy(3, "115.00", side="SELL"), "alice", "filled")
    everybody_holds(copier.broker, 0, 0)


def test_what_an_order_with_an_id_of_ours_fills_is_none_of_his_position(copier: Copier) -> None:
    bought(copier)
    other = not_his(copier.broker, 1)
    for follower in ("alice", "bob"):
        assert copier.mapping(other, follower, "skipped")[0] == "own_order"
    leaves_one_and_the_rest(copier)
    again = copier.buy(2, "125.00")
    copier.mapping(again, "alice", "filled")
    everybody_holds(copier.broker, 2 * LOT, LOT)


def test_reads_of_the_positions_do_not_make_it_his(broker: PaperBroker, tmp_path: Path) -> None:
    with running(settings_for(broker, tmp_path, recovery=OFTEN), broker) as copier:
        bought(copier)
        not_his(broker, 2)
        reads_of_positions(broker, 12)
        assert not any("changed while nobody looked" in line for line in copier.log)
    with running(settings_for(broker, tmp_path, recovery=OFTEN), broker) as copier:
        reads_of_positions(broker, 12)
        assert not any("changed while nobody looked" in line for line in copier.log)
        leaves_one_and_the_rest(copier)


def test_what_it_filled_before_the_first_start_is_not_his_either(broker: PaperBroker, tmp_path: Path) -> None:
    not_his(broker, 2, side="BUY", price="125.00")
    with running(settings_for(broker, tmp_path, recovery=OFTEN), broker) as copier:
        bought(copier)
        reads_of_positions(broker, 12)
        leaves_one_and_the_rest(copier)


def test_one_that_rests_and_fills_while_the_feed_is_down_is_left_out_too(copier: Copier) -> None:
    bought(copier)
    other = not_his(copier.broker, 4, price="140.00")
    copier.mapping(other, "alice", "skipped")
    copier.broker.drop_feed(LEADER, refuse_for=0.4)
    eventually(lambda: not copier.broker.feed_connections(LEADER))
    copier.broker.fill(LEADER, other, 2 * LOT)
    leaves_one_and_the_rest(copier)
