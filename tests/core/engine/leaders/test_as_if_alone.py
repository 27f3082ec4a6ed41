"""What is copied of one leader is what would be copied of him alone, whatever another one does on the same line."""

import hypothesis
from hypothesis import strategies as st
from msgspec.structs import replace

from copytrade.core.model.orders import Order, Side, Status
from tests.core.engine.leaders.two_leaders import LOT, Account

LEADERS = ("asha", "dev", "emil")

#: What a leader does: whose order, which of his orders, its side and lots.
DEEDS = st.lists(
    st.tuples(
        st.sampled_from(LEADERS),
        st.sampled_from(["trades", "places", "fills part", "fills", "cancels", "copy fills", "restarts"]),
        st.integers(0, 5),
        st.sampled_from(Side),
        st.integers(1, 4),
    ),
    max_size=25,
)


class Told:
    """An account, and the orders by the number of the deed that placed them."""

    def __init__(self, *leaders: str) -> None:
        self.account = Account(*leaders)
        self.orders: dict[int, Order] = {}

    def resting(self, leader: str) -> list[int]:
        placed = self.account.placed
        return [
            number
            for number, order in self.orders.items()
            if order.leader == leader and not placed[order.id].is_terminal
        ]

    def does(self, number: int, leader: str, deed: str, which: int, side: Side, lots: int) -> None:
        account = self.account
        identity = {"id": f"{1000 + number}"}
        resting = self.resting(leader)
        if deed == "trades":
            self.orders[number] = account.trades(leader, side, lots, **identity)
        elif deed == "places":
            self.orders[number] = account.places(leader, side, lots, **identity)
        elif deed == "restarts":
            self.account = account.restarted()
        elif resting:
            order = account.placed[self.orders[resting[which % len(resting)]].id]
            if deed == "fills part":
                filled = min(order.quantity, order.filled_quantity + LOT)
                status = Status.TRADED if filled == order.quantity else Status.PART_TRADED
                account.tells(replace(order, filled_quantity=filled, status=status))
            elif deed == "fills":
                account.fills(order)
            elif deed == "cancels":
                account.tells(replace(order, status=Status.CANCELLED))
            else:
                for own in list(account.broker.values()):
                    if own.correlation_id.startswith(f"ct-{order.id}-") and not own.is_terminal:
                        account.copy_fills(own)
                        account.goes_on()

    def goes_home(self, leader: str) -> None:
        """Cancel what rests of a leader, close what he holds, and fill what rests of his copies."""
        for number in self.resting(leader):
            self.account.tells(replace(self.account.placed[self.orders[number].id], status=Status.CANCELLED))
        if net := self.account.leader_net(leader):
            side = Side.SELL if net > 0 else Side.BUY
            self.account.trades(leader, side, abs(net) // LOT, id=f"9{len(self.account.placed)}")
        for own in list(self.account.broker.values()):
            if not own.is_terminal and self.account.placed[own.correlation_id.split("-")[1]].leader == leader:
                self.account.copy_fills(own)
                self.account.goes_on()


def copied_of(account: Account, leader: str) -> list[tuple[str, Side, int, int, Status]]:
    """Return the copies of a leader's orders as the broker has them."""
    return sorted(
        (own.correlation_id, own.side, own.quantity, own.filled_quantity, own.status)
        for own in account.broker.values()
        if account.placed[own.correlation_id.split("-")[1]].leader == leader
    )


@hypothesis.given(deeds=DEEDS)
@hypothesis.settings(max_examples=150, deadline=None, derandomize=True)
def test_each_leader_is_copied_as_if_he_were_alone(deeds: list[tuple[str, str, int, Side, int]]) -> None:
    together, alone = Told(*LEADERS), {leader: Told(leader) for leader in LEADERS}
    for number, (leader, *deed) in enumerate(deeds):
        together.does(number, leader, *deed)
        for name, one in alone.items():
            if leader == name or deed[0] == "restarts":
                one.does(number, leader if leader == name else name, *deed)

    for leader in LEADERS:
        assert copied_of(together.account, leader) == copied_of(alone[leader].account, leader)
        assert together.account.held(leader) == alone[leader].account.held(leader)
    assert together.account.net() == sum(together.account.held(leader) for leader in LEADERS)

    for leader in LEADERS:
        others = {other: together.account.held(other) for other in LEADERS if other != leader}
        together.goes_home(leader)
        assert together.account.held(leader) == 0, "he is flat, and so are the copies of him"
        assert {other: together.account.held(other) for other in others} == others, "and no other's are touched"
    assert together.account.net() == 0
