"""A follower whose positions come from fills that the test chooses."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from copytrade.core.ledger.arithmetic.exit_shares import exit_shares
from copytrade.core.ledger.positions import Positions
from copytrade.core.ledger.sizing import Capitals, Size, SizingPolicy, Strategy
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.ledger import LineKey, Part, Working
from copytrade.core.model.orders import Order, Product, Side, Status
from tests.core.orders import NOW, OPTION, an_order

LOT = 65
INSTRUMENT = Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", LOT, Decimal("0.05"))
LARGEST = 27 * LOT
NO_CAPITALS = Capitals()
LINE = LineKey(OPTION, Product.MARGIN)


def ratio_policy(ratio: str | Decimal) -> SizingPolicy:
    return SizingPolicy(Strategy.FIXED_RATIO, ratio=Decimal(ratio))


def taken(positions: Positions, order: Order, exits: list[Working]) -> int:
    """Return how many units an exit is yet to take, of what the account really has."""
    line = positions.holdings.reconciled(LINE)
    return exit_shares(line, exits, positions.holdings.really_held(line)).get(order.id, 0)


@dataclass
class Account:
    """A follower whose every order fills when the test says so."""

    policy: SizingPolicy
    positions: Positions
    capitals: Capitals = NO_CAPITALS

    @classmethod
    def sized(cls, ratio: str | SizingPolicy, leader: int = 0) -> "Account":
        positions = Positions()
        positions.of("").read({LINE: leader}, NOW - timedelta(hours=1), NOW.date(), ())
        positions.holdings.read({}, NOW)
        return cls(ratio if isinstance(ratio, SizingPolicy) else ratio_policy(ratio), positions)

    def leader_does(
        self, order_id: str, side: Side, lots: int, filled: int | None = None, days: int = 0, **more: Any
    ) -> Order:
        """Take a leader order of so many lots, all of it filled if not said otherwise, ``days`` from now."""
        filled = lots if filled is None else filled
        status = Status.TRADED if filled == lots else Status.PENDING
        order = an_order(
            id=order_id,
            side=side,
            quantity=lots * LOT,
            filled_quantity=filled * LOT,
            **{"status": status, "created_at": NOW + timedelta(days=days)} | more,
        )
        self.positions.leader_seen(order, NOW)
        return order

    def entry(self, order: Order, *, is_opening: bool = True) -> Size:
        found = self.positions.sizes.size(
            order, INSTRUMENT, self.policy, self.capitals, is_opening=is_opening, largest=LARGEST
        )
        assert found is not None
        return found[0]

    def exit(self, order: Order) -> int:
        left = 0 if order.is_terminal else order.quantity - order.filled_quantity
        exits = [Working(order.id, order.side, False, left, order.filled_quantity > 0, 0, False)]
        return taken(self.positions, order, exits)

    def fills(self, order: Order, part: Part, before: int, after: int) -> None:
        own = an_order(id=f"own-{order.id}-{part}", side=order.side, filled_quantity=after)
        self.positions.holdings.account.seen(own, is_copy=True, at=NOW)
        self.positions.copy_filled(order.id, part, before, after)

    @property
    def held(self) -> int:
        return self.positions.ledger.line(LINE).held
