"""A follower whose legs are grouped, at a broker that does what a test says: bought and sold legs of one underlying."""

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Place
from copytrade.core.decide.legs.group import GroupAction, GroupPolicy
from copytrade.core.model.orders import InstrumentKey, Order, Segment, Side, Status
from tests.core.account import Account
from tests.core.asking import NIFTY, POLICY
from tests.core.engine.policies import LOT
from tests.core.orders import NOW, an_order

#: Four options on one underlying: a test buys the first two and sells the others.
KEYS = [InstrumentKey(Segment.NSE_FNO, str(45678 + number)) for number in range(4)]

HEDGE, SOLD, OTHER_HEDGE, OTHER_SOLD = "112611230001", "112611230002", "112611230003", "112611230004"
_KEY_OF = {HEDGE: KEYS[0], OTHER_HEDGE: KEYS[1], SOLD: KEYS[2], OTHER_SOLD: KEYS[3]}


def accepts(_action: Action) -> str:
    return "accepted"


class Legs(Account):
    """A follower at half the leader's size; ``within`` 2 s and ``wait`` 30 s if not said otherwise."""

    def __init__(
        self,
        verdict: Callable[[Action], str] = accepts,
        action: GroupAction = GroupAction.SKIP,
        within: float = 2.0,
    ) -> None:
        super().__init__(verdict)
        self.engine.know_instruments({key: replace(NIFTY, symbol=key.security_id) for key in KEYS})
        policy = replace(POLICY, late_after=10**9, unfilled_after=10**9, copying_since=NOW - timedelta(hours=1))
        self.engine.change_policy(replace(policy, groups=GroupPolicy(within, 30.0, action)))

    def places(self, order_id: str, lots: int = 4, **changes: object) -> None:
        """Have the leader place a leg, a limit order that rests if not said otherwise."""
        side = Side.BUY if order_id in (HEDGE, OTHER_HEDGE) else Side.SELL
        terms = {"side": side, "key": _KEY_OF[order_id], "quantity": lots * LOT, "created_at": self.now}
        self.leader(id=order_id, **terms, **changes)

    def changes(self, order_id: str, **changes: object) -> None:
        """Let something happen to a leader order."""
        known: Order = self.leaders[order_id]
        order = replace(known, updated_at=self.now, observed_at=self.now, **changes)
        self.leaders[order_id] = order
        self.engine.leader_changed(order, None)
        self.goes_on()

    def fills_for_leader(self, order_id: str) -> None:
        self.changes(order_id, status=Status.TRADED, filled_quantity=self.leaders[order_id].quantity)

    def own(self, order_id: str) -> list[Order]:
        """Return the follower's orders for a leg."""
        return [order for order in self.orders.values() if order.correlation_id.startswith(f"ct-{order_id}-")]

    def fills_own(self, order_id: str, lots: int) -> None:
        """Let the follower's only order for a leg have filled so many lots."""
        (order,) = self.own(order_id)
        self.fills(order.id, lots * LOT)

    def sent_of(self, order_id: str) -> float:
        """Return how many lots were sent of a leg in all, as the last request of each of its orders says."""
        return sum(order.quantity for order in self.own(order_id)) / LOT

    def order_of_sending(self) -> list[str]:
        return [leader for _, leader, action in self.sent if isinstance(action, Place)]


def an_exit(order_id: str, number: int) -> dict[str, object]:
    """Return the terms of an order that leaves a leg."""
    side = Side.SELL if order_id in (HEDGE, OTHER_HEDGE) else Side.BUY
    return {"id": f"11261123010{number}", "side": side, "key": _KEY_OF[order_id], "quantity": an_order().quantity}
