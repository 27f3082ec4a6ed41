"""How much is due to a follower on each line, and how much of each leader order.

It follows from the leader's fills in their order. An entry adds its share, an exit leaves the follower the same part
that is left to the leader. The upper bound counts every entry in full, for as much as its order ever asked; the lower
bound counts only what the follower really got. What a follower holds in the end has to be between the two, in whole
lots.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from bench.histories.oracle.account import CARRIED, Account, entered_of, net_of
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.roles import roles_of
from bench.histories.oracle.rows import LIVE, LineKey, Row, leader_order_of, line_of, sign_of


@dataclass
class Share:
    """What is due on one line of a follower, in units: at least ``below``, at most ``above``.

    ``rests`` is the part of a lot that a later entry may have got because another entry of the leader was open and has
    not filled. ``excess`` is what copies got of leader orders that ended without a fill.
    """

    below: Fraction = Fraction(0)
    above: Fraction = Fraction(0)
    rests: int = 0
    excess: int = 0


def compare(
    leader: Account, account: Account, follower: Row, evidence: Evidence, found: Mapping[str, list[str]]
) -> None:
    """Add to ``found`` the lines on which a follower holds too much or too little, and the oversized copies."""
    name = follower["name"]
    shares = _shares(leader, account, follower, evidence)
    copied, by_hand = net_of(account, evidence)
    for key, share in shares.items():
        lot = evidence.lots[key[0]]
        units, others = copied[key], by_hand[key]
        held = abs(units)
        position = leader.position(key)
        if key[0] in evidence.converted:
            continue  # by contract, below
        if key[0] in evidence.expired:
            continue  # nobody has any of it
        if position == 0 and held > share.excess:
            found["not flat"].append(f"{name} holds {units} of {key}, others {others:+d}")
        if position == 0:
            continue
        above = _floor(share.above + share.rests, lot) + share.excess
        below = _floor(share.below, lot)
        if held > above:
            found["over share"].append(f"{name} holds {units} of {key}, at most {above} is due")
        if held < below and not others and name not in evidence.flattened:
            found["under share"].append(f"{name} holds {units} of {key}, at least {below} is due")
    for contract in evidence.converted:
        position = sum(leader.position(key) for key in shares if key[0] == contract)
        units = sum(units for key, units in copied.items() if key[0] == contract)
        if position == 0 and units:
            found["not flat"].append(f"{name} holds {units} of {contract} over its products")
    found["over share"] += [f"{name}: {text}" for text in _oversized(leader, follower, evidence)]


def _shares(leader: Account, account: Account, follower: Row, evidence: Evidence) -> dict[LineKey, Share]:
    """Return what is due on each line, from the leader's fills."""
    shares: dict[LineKey, Share] = defaultdict(Share)
    positions: Counter[LineKey] = Counter()
    got = entered_of(account)
    entered: set[str] = set()
    for fill in leader.fills:
        share, before = shares[fill.line], positions[fill.line]
        after = before + fill.units
        positions[fill.line] = after
        if fill.order_id == CARRIED:
            if before:  # a split
                share.below, share.above = share.below * after / before, share.above * after / before
            continue
        if before * fill.units < 0:  # an exit, perhaps beyond nothing
            left = Fraction(max(0, abs(before) - abs(fill.units)), abs(before))
            share.below, share.above = share.below * left, share.above * left
            if before * after >= 0:
                continue
        if fill.order_id not in entered:
            entered.add(fill.order_id)
            order = leader.orders[fill.order_id]
            quantity = abs(after) if before * after < 0 else leader.most[fill.order_id]
            due = _due(quantity, leader, fill.order_id, follower, evidence)
            share.above += due
            share.below += min(Fraction(got[fill.order_id, sign_of(order)]), due)
    for order_id, order in leader.orders.items():
        if order_id in entered:
            continue
        line = line_of(order)
        if not _is_never_rounded(follower):
            shares[line].rests = evidence.lots[line[0]] - 1
        if order["orderStatus"] in ("CANCELLED", "REJECTED", "EXPIRED"):
            shares[line].excess += got[order_id, sign_of(order)]
    return shares


def _due(quantity: int, leader: Account, order_id: str, follower: Row, evidence: Evidence) -> Fraction:
    """Return a follower's share of an entry, in units; not rounded, but for sizes that are in whole lots.

    What is sized by risk is sized at the lowest price that the leader's order ever had.
    """
    contract = line_of(leader.orders[order_id])[0]
    lot = evidence.lots[contract]
    match follower["sizing"]:
        case "fixed_lots":
            return Fraction(int(follower["lots"]) * lot)
        case "risk_based":
            of_a_lot = Fraction(str(leader.lowest[order_id])) * evidence.multipliers.get(contract, 1) * lot
            risked = Fraction(str(follower["risk_percent"])) * int(follower["funds"]) / 100
            share = Fraction(quantity) * Fraction(int(follower["funds"]), evidence.funds)
            return Fraction(min(risked // of_a_lot * lot, _floor(share, lot)))
        case "capital_proportional":
            return Fraction(quantity) * Fraction(int(follower["funds"]), evidence.funds)
        case _:
            return Fraction(quantity) * Fraction(str(follower["ratio"]))


def _oversized(leader: Account, follower: Row, evidence: Evidence) -> list[str]:
    """Return the leader orders of which a follower once had more open and filled than its share.

    An entry may be larger by what rounding kept back of earlier ones, which is less than a lot.
    """
    roles = roles_of(leader)
    now: dict[str, dict[str, int]] = defaultdict(dict)
    worst: Counter[str] = Counter()
    for change in evidence.changes[follower["client_id"]]:
        order_id = leader_order_of(change)
        if order_id is None or order_id not in leader.orders or sign_of(change) != sign_of(leader.orders[order_id]):
            continue
        live = change["orderStatus"] in LIVE
        now[order_id][change["orderId"]] = int(change["quantity"] if live else change["filledQty"])
        worst[order_id] = max(worst[order_id], sum(now[order_id].values()))
    found = []
    for order_id, units in worst.items():
        order = leader.orders[order_id]
        line = line_of(order)
        if roles.get(order_id, "entry") != "entry" or line[0] in evidence.converted:
            continue
        due = _due(leader.most[order_id], leader, order_id, follower, evidence)
        lot = evidence.lots[line[0]]
        most = int(due) if _is_never_rounded(follower) else _floor(due + lot - 1, lot)
        if units > most:
            found.append(f"{units} of leader order {order_id} were open or filled, {most} is due")
    return found


def _is_never_rounded(follower: Row) -> bool:
    """Return whether a follower's shares are always whole lots."""
    sizing, ratio = follower["sizing"], Fraction(str(follower["ratio"]))
    return sizing in ("fixed_lots", "risk_based") or (sizing == "fixed_ratio" and ratio.denominator == 1)


def _floor(units: Fraction | int, lot: int) -> int:
    return int(units // lot) * lot
