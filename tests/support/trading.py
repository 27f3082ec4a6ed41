"""What the leader buys, and what everybody then holds."""

from typing import Any

from copytrade.paper.broker import PaperBroker
from tests.support.copier import ALICE, BOB, Copier
from tests.support.waiting import eventually


def net(broker: PaperBroker, client_id: str, product: str | None = None) -> int:
    """Return what an account holds, whatever the instrument."""
    rows = broker.positions(client_id)
    return sum(int(str(row["netQty"])) for row in rows if product in (None, row["productType"]))


def everybody_holds(broker: PaperBroker, alice: int, bob: int) -> None:
    held = f"alice holds {alice}, bob {bob}"
    eventually(lambda: (net(broker, ALICE), net(broker, BOB)) == (alice, bob), held)


def bought(copier: Copier, lots: int = 4, **parameters: Any) -> str:
    """Have the leader buy at once, and wait until everybody has."""
    order = copier.buy(lots, "125.00", **parameters)
    for follower in ("alice", "bob"):
        copier.mapping(order, follower, "filled")
    return order
