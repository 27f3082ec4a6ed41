"""The orders and fills of one account."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.rows import LineKey, Row, leader_order_of, line_of, sign_of

#: Stands for the order id of what an account has from before, or has got by a split.
CARRIED = ""


@dataclass(frozen=True)
class Fill:
    """Signed units of an order that were filled, and when, in seconds."""

    at: float
    order_id: str
    line: LineKey
    units: int


@dataclass
class Account:
    """An account at the end of a history.

    ``orders`` has the last state of each order, ``most`` the largest quantity that it ever had, ``lowest`` the lowest
    price, ``placed`` the time at which it came in, all by order id. ``fills`` are in the order in which they happened.
    """

    orders: dict[str, Row] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    lowest: dict[str, float] = field(default_factory=dict)
    placed: dict[str, float] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        changes: Iterable[Row],
        carried: Iterable[tuple[str, str, int]] = (),
        splits: Iterable[tuple[float, str, int, int]] = (),
    ) -> "Account":
        """Build it from every state of every order, from what it had before, and from splits."""
        account = cls(fills=[Fill(0.0, CARRIED, (contract, product), units) for contract, product, units in carried])
        filled: Counter[str] = Counter()
        for change in changes:
            order_id = str(change["orderId"])
            account.placed.setdefault(order_id, change["at"])
            account.orders[order_id] = change
            account.most[order_id] = max(account.most.get(order_id, 0), int(change["quantity"]))
            for price in (float(change["price"]), float(change.get("averageTradedPrice", 0))):
                if price:
                    account.lowest[order_id] = min(price, account.lowest.get(order_id, price))
            if units := int(change["filledQty"]) - filled[order_id]:
                filled[order_id] += units
                account.fills.append(Fill(change["at"], order_id, line_of(change), units * sign_of(change)))
        for at, contract, old, new in splits:
            before = [fill for fill in account.fills if fill.at < at and fill.line[0] == contract]
            for line in {fill.line for fill in before}:
                units = sum(fill.units for fill in before if fill.line == line)
                account.fills.append(Fill(at, CARRIED, line, units * new // old - units))
        account.fills.sort(key=lambda fill: fill.at)
        return account

    def position(self, line: LineKey) -> int:
        """Return the signed units that all fills on a line come to."""
        return sum(fill.units for fill in self.fills if fill.line == line)


def net_of(account: Account, evidence: Evidence) -> tuple[Counter[LineKey], Counter[LineKey]]:
    """Return the signed units by line that copies hold, and those that other hands traded.

    Copies hold no more than the account does: what other hands have closed is no longer theirs. Where an update of
    theirs may be lost, a read of the positions has to show it first.
    """
    copied: Counter[LineKey] = Counter()
    by_hand: Counter[LineKey] = Counter()
    net: Counter[LineKey] = Counter()
    for fill in sorted(account.fills, key=lambda fill: fill.at + evidence.unheard.get(fill.order_id, 0.0)):
        line = fill.line
        net[line] += fill.units
        (by_hand if fill.order_id in evidence.hands else copied)[line] += fill.units
        if by_hand[line]:
            sign = 1 if copied[line] > 0 else -1
            copied[line] = sign * min(abs(copied[line]), max(0, sign * net[line]))
    return copied, by_hand


def entered_of(account: Account) -> Counter[tuple[str, int]]:
    """Return the units that copies of each leader order got, by leader order and sign."""
    got: Counter[tuple[str, int]] = Counter()
    for order in account.orders.values():
        if (order_id := leader_order_of(order)) is not None:
            got[order_id, sign_of(order)] += int(order["filledQty"])
    return got
