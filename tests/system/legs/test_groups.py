"""Groups of legs over real sockets: judged by the broker's books and log."""

from copytrade.app.commands.status_table import table
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports.order import explain
from copytrade.reports.status import status_of
from copytrade.storage.files.status_file import read_status
from tests.support.copier import ALICE, BOB, LEADER, LOT, Copier
from tests.support.waiting import eventually
from tests.system.legs.spreads import Spread


def test_a_spread_needs_the_margin_of_a_spread_whichever_leg_is_told_first(copier: Copier, spread: Spread) -> None:
    for client_id in (ALICE, BOB):
        copier.broker.set_margins(client_id, sold=100_000, hedged=500)
    entries = [spread.sells(), spread.buys_hedge()]
    for follower, lots in (("alice", 4), ("bob", 2)):
        for entry in entries:
            copier.mapping(entry, follower, "filled")  # what is not known to be held is not left yet
        spread.holds(follower, lots, -lots)
        assert spread.placed(follower) == [("BUY", spread.hedge), ("SELL", spread.sold)]
    spread.trades("BUY", spread.sold, price="99.00", order_type="LIMIT")
    spread.trades("SELL", spread.hedge)
    for follower in ("alice", "bob"):
        eventually(
            lambda follower=follower: len(spread.orders(follower, spread.sold)) == 2, "the sold leg is being left"
        )
    copier.broker.set_price(spread.sold, "99.00")
    for follower in ("alice", "bob"):
        spread.holds(follower, 0, 0)
        assert spread.placed(follower)[2:] == [("BUY", spread.sold), ("SELL", spread.hedge)]
    rows = [*copier.broker.orders(ALICE), *copier.broker.orders(BOB)]
    assert {row["orderStatus"] for row in rows} == {"TRADED"}, "no margin was lacking"
    for client_id in (ALICE, BOB):
        copier.broker.set_margins(client_id, sold=0, hedged=0)


def test_the_bought_leg_is_left_at_once_where_the_sold_one_is_not(copier: Copier, spread: Spread) -> None:
    entries = [spread.buys_hedge(), spread.sells()]
    for entry in entries:
        copier.mapping(entry, "alice", "filled")
    spread.trades("SELL", spread.hedge)
    spread.holds("alice", 0, -4)
    spread.trades("BUY", spread.sold)
    spread.holds("alice", 0, 0)
    assert spread.placed("alice")[2:] == [("SELL", spread.hedge), ("BUY", spread.sold)]


def test_nobody_holds_a_sold_leg_whose_hedge_was_refused(copier: Copier, spread: Spread) -> None:
    copier.broker.refuse("DH-906", "place", ALICE, where={"securityId": spread.hedge}, message="RMS says no")
    spread.buys_hedge()
    sold = spread.sells()
    spread.holds("bob", 2, -2)
    reason, error, *_ = copier.mapping(sold, "alice", "skipped")
    assert (reason, error) == ("hedge_missing", f"the hedge: {copier.rows(LAST)[0][0]} (missing, 0 of {4 * LOT} units)")
    copier.logged(f"Order skipped: hedge_missing follower=alice leader_order={sold}")
    spread.trades("BUY", spread.sold)
    spread.trades("SELL", spread.hedge)
    spread.holds("bob", 0, 0)
    assert spread.placed("alice") == [("BUY", spread.hedge)]


#: The leader order of alice's hedge that was refused.
LAST = "SELECT leader_order_id FROM copy_mappings WHERE follower = 'alice' AND reason = 'broker_refused'"


def test_a_hedge_that_fills_in_pieces_is_followed_in_proportion(copier: Copier, spread: Spread) -> None:
    hedge = spread.buys_hedge(price="49.00", order_type="LIMIT")
    sold = spread.sells()
    (own,) = eventually(lambda: spread.orders("alice", spread.hedge), "alice's hedge rests")
    order_id = str(own["orderId"])
    for lots in (1, 3):
        copier.broker.fill(ALICE, order_id, LOT if lots == 1 else 2 * LOT)
        spread.holds("alice", lots, -lots)
    spread.holds("bob", 0, 0)
    reason, error, *_ = copier.mapping(sold, "bob", "skipped")
    assert reason == "hedge_missing"
    assert f"{hedge} (pending, 0 of {2 * LOT} units)" in error
    copier.logged(f"Sold leg not sent in full follower=alice leader_order={sold}")
    copier.broker.set_price(spread.hedge, "49.00")
    spread.holds("alice", 4, -3)
    spread.holds("bob", 2, 0)


def test_the_sold_leg_of_a_hedge_that_the_leader_cancels_is_left(copier: Copier, spread: Spread) -> None:
    hedge = spread.buys_hedge(price="49.00", order_type="LIMIT")
    sold = spread.sells(price="130.00", order_type="LIMIT")
    copier.copy_of(hedge, "alice")
    copier.broker.cancel(LEADER, hedge)
    assert copier.mapping(sold, "alice", "skipped")[0] == "hedge_missing"
    copier.mapping(hedge, "alice", "cancelled")
    assert spread.placed("alice") == [("BUY", spread.hedge)]


def test_a_straddle_is_no_group_and_is_sent_a_little_later(copier: Copier, spread: Spread) -> None:
    legs = [spread.sells(), spread.trades("SELL", spread.hedge)]
    spread.holds("alice", -4, -4)
    assert [side for side, _ in spread.placed("alice")] == ["SELL", "SELL"]
    for leg in legs:
        assert copier.mapping(leg, "alice", "filled")[0] is None


def test_status_and_explain_say_how_legs_are_copied(copier: Copier, spread: Spread) -> None:
    database = copier.settings.store.database
    written = eventually(lambda: read_status(database), "the status is written")
    status = status_of(written, database, ["alice", "bob"], {"all": "open"})
    assert "alice: legs within 1 s are one group, skip after 2 s" in table(status).splitlines()
    hedge = spread.buys_hedge(price="49.00", order_type="LIMIT")
    sold = spread.sells(price="130.00", order_type="LIMIT")
    (own,) = eventually(lambda: spread.orders("alice", spread.hedge), "alice's hedge rests")
    copier.broker.fill(ALICE, str(own["orderId"]), LOT)
    copier.mapping(sold, "alice", "placed")
    in_part = f"{LOT} by now for its hedge: {hedge} (pending, {LOT} of {4 * LOT} units)"
    eventually(lambda: in_part in explain(database, sold), f"explain says {in_part}")
    eventually(lambda: f"hedge_missing: {MEANINGS[Reason.HEDGE_MISSING]}" in explain(database, sold), "and why no more")
