"""What the leader can change, and what each follower's order becomes."""

import pytest

from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, LEADER, LOT, Copier
from tests.support.waiting import eventually


def becomes(copier: Copier, leader: str, follower: str, **wanted: object) -> None:
    """Wait until a follower's copy looks like this."""

    def does() -> bool:
        row = copier.copy_of(leader, follower)
        return all(row[name] == value for name, value in wanted.items())

    eventually(does, f"{follower}'s copy becomes {wanted}")


@pytest.mark.parametrize("lots", [8, 2])
def test_a_new_quantity_is_scaled_anew(copier: Copier, lots: int) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "bob")
    copier.broker.modify(LEADER, leader, quantity=lots * LOT)
    becomes(copier, leader, "alice", quantity=lots * LOT)
    becomes(copier, leader, "bob", quantity=lots * LOT // 2)
    query = "SELECT 1 FROM order_events WHERE order_id = ? AND event_type = 'modified'"
    eventually(lambda: copier.rows(query, leader), "the modification is among the events")


def test_a_new_price_leaves_the_quantity(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "bob")
    copier.broker.modify(LEADER, leader, price="102.00")
    becomes(copier, leader, "bob", price=102.0, quantity=2 * LOT)


def test_a_trailed_stop_is_trailed_at_every_follower(copier: Copier) -> None:
    bought = copier.buy(4, 0, order_type="MARKET")
    for follower in ("alice", "bob"):
        copier.mapping(bought, follower, "filled")
    stop = copier.buy(4, "109.00", side="SELL", order_type="STOP_LOSS", trigger_price="110.00")
    becomes(copier, stop, "bob", triggerPrice=110.0, quantity=2 * LOT)
    copier.broker.modify(LEADER, stop, trigger_price="112.00", price="111.00")
    becomes(copier, stop, "bob", triggerPrice=112.0, price=111.0, orderType="STOP_LOSS")


def test_a_limit_order_made_a_market_order_is_one_everywhere(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "bob")
    copier.broker.modify(LEADER, leader, order_type="MARKET")
    copier.mapping(leader, "bob", "filled")


def test_a_day_order_made_immediate_is_one_everywhere(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    copier.broker.modify(LEADER, leader, validity="IOC", price="125.00")
    copier.mapping(leader, "alice", "filled")
    *_, write = copier.broker.writes(ALICE)
    assert (write.kind, write.payload["validity"], write.payload["price"]) == (Kind.MODIFY, "IOC", 125.0)


def test_of_several_changes_in_a_row_the_last_is_what_stands(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "bob")
    for price in ("101.00", "102.00", "103.00", "104.00", "105.00"):
        copier.broker.modify(LEADER, leader, price=price)
    becomes(copier, leader, "alice", price=105.0)
    becomes(copier, leader, "bob", price=105.0)


def test_after_a_part_is_filled_only_the_rest_changes(copier: Copier) -> None:
    leader = copier.buy(4)
    row = copier.copy_of(leader, "alice")
    copier.broker.fill(ALICE, row["orderId"], LOT)
    copier.broker.fill(LEADER, leader, LOT)
    copier.broker.modify(LEADER, leader, quantity=3 * LOT)
    becomes(copier, leader, "alice", quantity=3 * LOT, filledQty=LOT)


def test_what_is_already_filled_is_left_alone(copier: Copier) -> None:
    leader = copier.buy(4)
    row = copier.copy_of(leader, "alice")
    copier.broker.fill(ALICE, row["orderId"])
    copier.mapping(leader, "alice", "filled")
    copier.broker.modify(LEADER, leader, price="101.00")
    becomes(copier, leader, "bob", price=101.0)
    assert [write.kind for write in copier.broker.writes(ALICE)] == [Kind.PLACE]


def test_a_change_that_overtakes_the_placement_is_applied_after_it(copier: Copier) -> None:
    copier.broker.faults.add(RestFault(Mischief.NONE, Kind.PLACE, ALICE, accepted=True, delay=0.3))
    leader = copier.buy(4)
    copier.broker.modify(LEADER, leader, price="103.00")
    becomes(copier, leader, "alice", price=103.0)
    assert len(copier.copies("alice")) == 1


def test_twenty_five_changes_are_followed_to_the_last(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    for step in range(1, 26):  # the leader's own order takes no more either
        copier.broker.modify(LEADER, leader, price=100 + step / 20)
    becomes(copier, leader, "alice", price=101.25)
    modifications = sum(write.kind is Kind.MODIFY for write in copier.broker.writes(ALICE))
    assert 0 < modifications <= 25
    query = "SELECT modifications FROM copy_mappings WHERE follower = 'alice'"
    eventually(lambda: copier.rows(query) == [(modifications,)], "each is on record")
