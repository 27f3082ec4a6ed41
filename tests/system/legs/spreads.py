"""Spreads of two options, each of an underlying of its own, and what everybody does with them."""

from dataclasses import dataclass
from typing import Any

from copytrade.paper.broker import PaperBroker
from tests.support.copier import CLIENTS, LEADER, LOT
from tests.support.waiting import eventually

#: Seconds within which legs are one group, and that a sold leg waits for its hedges.
WITHIN, WAIT = 1.0, 2.0

UNDERLYINGS = 8


def list_spreads(broker: PaperBroker) -> None:
    """Add underlyings with two options each: one to buy, at 50 rupees, and one to sell, at 100."""
    for number in range(UNDERLYINGS):
        for id_, strike, price in ((f"7{number}1", 27000, 50), (f"7{number}2", 26000, 100)):
            symbol = f"SPREAD{number}-Dec2026-{strike}-CE"
            broker.add_instrument(
                segment="NSE_FNO", security_id=id_, kind="OPTIDX", symbol=symbol, display=symbol, lot_size=LOT,
                tick="0.05", price=price, freeze=1800, expiry="2030-12-31", strike=strike, option_type="CE",
            )  # fmt: skip


@dataclass
class Spread:
    """Two options of one underlying, and what everybody does with them."""

    broker: PaperBroker
    hedge: str
    sold: str

    @classmethod
    def of(cls, broker: PaperBroker, number: int) -> "Spread":
        return cls(broker, f"7{number}1", f"7{number}2")

    def trades(self, side: str, security_id: str, lots: int = 4, **terms: Any) -> str:
        """Have the leader trade, at the market if not said otherwise; return the order's id."""
        terms = {"price": 0, "order_type": "MARKET", **terms}
        return self.broker.place(LEADER, side=side, security_id=security_id, quantity=lots * LOT, **terms)

    def buys_hedge(self, **terms: Any) -> str:
        return self.trades("BUY", self.hedge, **terms)

    def sells(self, **terms: Any) -> str:
        return self.trades("SELL", self.sold, **terms)

    def held(self, follower: str, security_id: str) -> float:
        """Return the lots that a follower holds."""
        rows = self.broker.positions(CLIENTS[follower])
        return sum(int(str(row["netQty"])) for row in rows if row["securityId"] == security_id) / LOT

    def holds(self, follower: str, hedge: float, sold: float) -> None:
        """Wait until a follower holds so many lots of both legs."""
        eventually(
            lambda: (self.held(follower, self.hedge), self.held(follower, self.sold)) == (hedge, sold),
            f"{follower} holds {self.held(follower, self.hedge)} and {self.held(follower, self.sold)} lots",
        )

    def orders(self, follower: str, security_id: str) -> list[dict[str, object]]:
        return [row for row in self.broker.orders(CLIENTS[follower]) if row["securityId"] == security_id]

    def placed(self, follower: str) -> list[tuple[str, str]]:
        """Return side and instrument of every placement of a follower's for this underlying, in the broker's order."""
        payloads = [one.payload for one in self.broker.writes(CLIENTS[follower]) if one.kind == "place"]
        mine = [one for one in payloads if one["securityId"] in (self.hedge, self.sold)]
        return [(str(one["transactionType"]), str(one["securityId"])) for one in mine]
