"""What the leader takes back, and what becomes of each follower's order."""

from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import ALICE, LEADER, LOT, Copier
from tests.support.waiting import eventually


def is_cancelled(copier: Copier, leader: str, follower: str) -> bool:
    return bool(copier.copy_of(leader, follower)["orderStatus"] == "CANCELLED")


def cancels(copier: Copier) -> int:
    return sum(write.kind is Kind.CANCEL for write in copier.broker.writes(ALICE))


def test_a_resting_order_is_cancelled_everywhere(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    copier.broker.cancel(LEADER, leader)
    for follower in ("alice", "bob"):
        copier.mapping(leader, follower, "cancelled")


def test_after_a_part_is_filled_the_rest_is_cancelled_and_the_difference_recorded(copier: Copier) -> None:
    leader = copier.buy(4)
    row = copier.copy_of(leader, "alice")
    copier.broker.fill(ALICE, row["orderId"], LOT)
    copier.broker.fill(LEADER, leader, 2 * LOT)
    eventually(lambda: copier.copy_of(leader, "alice")["filledQty"] == LOT)
    copier.broker.cancel(LEADER, leader)
    reason, error, *_ = copier.mapping(leader, "alice", "cancelled")
    assert copier.copy_of(leader, "alice")["filledQty"] == LOT
    eventually(lambda: copier.mapping(leader, "alice", "cancelled")[0] == "filled_otherwise", f"{reason} {error}")


def test_cancelling_everything_cancels_every_copy(copier: Copier) -> None:
    leaders = [copier.buy(2, 100 + number) for number in range(5)]
    for leader in leaders:
        copier.copy_of(leader, "bob")
    for leader in leaders:
        copier.broker.cancel(LEADER, leader)
    for leader in leaders:
        eventually(lambda leader=leader: is_cancelled(copier, leader, "bob"))


def test_cancelling_one_leaves_the_others(copier: Copier) -> None:
    first, second = copier.buy(2, "100.00"), copier.buy(2, "101.00")
    copier.copy_of(second, "alice")
    copier.broker.cancel(LEADER, first)
    copier.mapping(first, "alice", "cancelled")
    assert copier.copy_of(second, "alice")["orderStatus"] == "PENDING"


def test_what_the_follower_has_already_got_is_not_cancelled(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.broker.fill(ALICE, copier.copy_of(leader, "alice")["orderId"])
    copier.mapping(leader, "alice", "filled")
    copier.broker.cancel(LEADER, leader)
    copier.mapping(leader, "bob", "cancelled")
    assert cancels(copier) == 0
    assert "leader got 0" in copier.logged("reason=filled_otherwise")


def test_what_was_never_copied_needs_no_cancellation(copier: Copier) -> None:
    leader = copier.buy(1)
    copier.mapping(leader, "bob", "skipped")
    copier.broker.cancel(LEADER, leader)
    copier.mapping(leader, "alice", "cancelled")
    assert copier.copies("bob") == []


def test_a_cancellation_that_overtakes_the_placement_leaves_no_orphan(copier: Copier) -> None:
    copier.broker.faults.add(RestFault(Mischief.NONE, Kind.PLACE, ALICE, delay=0.3))
    leader = copier.buy(4)
    copier.broker.cancel(LEADER, leader)
    eventually(lambda: copier.rows("SELECT 1 FROM copy_mappings WHERE follower = 'alice'"), "alice has decided")

    def is_over() -> bool:
        rows = copier.rows("SELECT status FROM copy_mappings WHERE follower = 'alice'")
        return rows in ([("cancelled",)], [("skipped",)])

    eventually(is_over, "nothing rests")
    assert all(row["orderStatus"] == "CANCELLED" for row in copier.copies("alice"))


def test_one_order_is_cancelled_with_one_request(copier: Copier) -> None:
    leader = copier.buy(4)
    copier.copy_of(leader, "alice")
    copier.broker.drop_feed(LEADER)  # the cancellation is then told by the order book, and again by the next read
    copier.broker.cancel(LEADER, leader)
    copier.mapping(leader, "alice", "cancelled")
    assert cancels(copier) == 1


def test_a_cancellation_does_not_wait_for_exits_that_are_not_answered(copier: Copier) -> None:
    held, resting = copier.buy(8, 0, order_type="MARKET"), copier.buy(2)
    copier.mapping(held, "alice", "filled")
    copier.mapping(resting, "alice", "placed")
    copier.broker.faults.add(RestFault(Mischief.NONE, Kind.PLACE, ALICE, times=8, delay=1.0))
    exits = [copier.buy(1, "140.00", side="SELL") for _ in range(8)]
    eventually(lambda: len(copier.broker.writes(ALICE)) > 2, "exits are on their way")
    copier.broker.cancel(LEADER, resting)
    eventually(lambda: copier.copy_of(resting, "alice")["orderStatus"] == "CANCELLED")
    kinds = [write.kind for write in copier.broker.writes(ALICE)]
    assert kinds.index(Kind.CANCEL) <= 2 + copier.settings.dhan.connections
    for leader in exits:
        copier.mapping(leader, "alice", "placed")
