"""Judges a history from the broker's books and log, and from the copier's database by plain SQL.

It imports nothing of the program: what is due is reckoned here once more, from what the leader did.

What is due to a follower on a line (a contract in a product) comes of the leader's fills in their order. An entry gives
its share, an exit leaves the same part of it that is left to the leader. From above, every entry counts in full and for
as much as its order ever asked; from below, only what the follower really got. In between it has to be in the end, in
whole lots; at no time may it be on a side on which the leader has not been.
"""

import sqlite3
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

#: What is counted, each of which has to be nothing.
COLUMNS = {
    "doubled": "orders that have the id of another",
    "other side": "follower's lines that were ever on a side on which the leader was not",
    "not flat": "follower's lines with copied units although the leader is flat",
    "over share": "leader orders, or lines, of which a follower has more than its share",
    "under share": "follower's lines with less than belongs to what was entered",
    "no disposition": "leader orders of which a follower's database does not say what came of them",
    "orphans": "orders that rest although the leader's is over",
    "unlike": "orders that rest with another price, trigger or kind than the leader's",
    "set back": "orders that were given again a price that the leader's had left before",
    "late exits": "exits that took longer than they may while nothing refused them",
    "hammered": "requests that were repeated again and again although they were refused",
    "over budget": "windows with more order requests than are allowed",
    "restless": "histories in which requests went on without an end",
    "crashed": "times the program ended by itself",
}

_LIVE = ("TRANSIT", "PENDING", "PART_TRADED")
_DEAD = ("CANCELLED", "REJECTED", "EXPIRED", "TRADED")
_WINDOWS = (("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86_400.0))

#: So many refusals of one request in so many seconds are no back-off any more.
_HAMMERING = (12, 10.0)

#: Seconds after which nobody can take a price for the one that is meant.
_LEFT_BEFORE = 1.0

#: Seconds within which an exit has to have left.
_AT_ONCE = 8.0

Row = Mapping[str, Any]
LineKey = tuple[str, str]


@dataclass(frozen=True)
class Evidence:
    """What the broker's books say once a history is over, and where the database is.

    ``changes`` has every state of every order by client id, ``writes`` every order request; ``hands`` are the ids of
    orders that other hands placed on followers' accounts, ``square_offs`` those by which the broker closed what there
    was, ``flattened`` the followers for whom everything was closed by
    command, ``converted`` the contracts that the leader moved to another product. ``limits`` are requests by window.
    ``forgiven`` is how many seconds a follower may be on a wrong side: more than none only where updates of the leader
    were lost without a word, so that an exit may be known before its entry is. ``ups`` are the times since which the
    program was connected, ``excused`` the client ids whose requests were meddled with, so that their exits may be late.
    """

    leader: str
    followers: Sequence[Row]
    lots: Mapping[str, int]
    funds: int
    changes: Mapping[str, Sequence[Row]]
    writes: Mapping[str, Sequence[Row]]
    limits: Mapping[str, int]
    hands: Sequence[str]
    flattened: Sequence[str]
    converted: Sequence[str]
    database: str
    square_offs: Sequence[str] = ()
    ups: Sequence[float] = ()
    excused: Sequence[str] = ()
    forgiven: float = 0.0
    crashes: Sequence[str] = ()
    restless: str = ""


@dataclass(frozen=True)
class Fill:
    """Signed units that were filled of an order, at a time in seconds."""

    at: float
    order_id: str
    line: LineKey
    units: int


@dataclass
class Share:
    """What is due on a line of a follower's, in units, from below and from above.

    ``rests`` is less than a lot that a later entry may have been given because the leader had another one at work that
    has not filled. ``excess`` is what copies got of leader orders that ended without a fill.
    """

    below: Fraction = Fraction(0)
    above: Fraction = Fraction(0)
    rests: int = 0
    excess: int = 0


@dataclass
class _Account:
    """The orders of an account, as they have ended, and its fills in their order."""

    orders: dict[str, Row] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)
    placed: dict[str, float] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)

    @classmethod
    def of(cls, changes: Iterable[Row]) -> "_Account":
        """Read every state of every order."""
        account = cls()
        filled: Counter[str] = Counter()
        for change in changes:
            order_id = str(change["orderId"])
            account.placed.setdefault(order_id, change["at"])
            account.orders[order_id] = change
            account.most[order_id] = max(account.most.get(order_id, 0), int(change["quantity"]))
            if units := int(change["filledQty"]) - filled[order_id]:
                filled[order_id] += units
                account.fills.append(Fill(change["at"], order_id, _line(change), units * _sign(change)))
        return account


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """Return what is wrong, in words, by column."""
    found: dict[str, list[str]] = {column: [] for column in COLUMNS}
    leader = _Account.of(row for row in evidence.changes[evidence.leader] if not _is_ours(row))
    dispositions = _dispositions(evidence.database)
    for follower in evidence.followers:
        account = _Account.of(evidence.changes[follower["client_id"]])
        name = follower["name"]
        client_id = follower["client_id"]
        writes = evidence.writes[client_id]
        found["doubled"] += [f"{name}: {text}" for text in _doubled(account) + _sent_again(leader, writes)]
        found["unlike"] += [f"{name}: {text}" for text in _unlike(leader, account)]
        if not evidence.forgiven:  # a price that no update told, and a book that is behind, may be taken for news
            found["set back"] += [f"{name}: {text}" for text in _set_back(evidence, client_id)]
        found["hammered"] += [f"{name}: {text}" for text in _hammered(writes)]
        found["other side"] += [f"{name}: {text}" for text in _closed_twice(account, evidence)]
        if client_id not in evidence.excused:
            found["late exits"] += [f"{name}: {text}" for text in _late_exits(leader, account, evidence)]
        found["other side"] += [f"{name}: {text}" for text in _other_side(leader, account, evidence)]
        found["orphans"] += [f"{name}: {text}" for text in _orphans(leader, account)]
        found["no disposition"] += [f"{name}: {text}" for text in _undisposed(leader, name, dispositions)]
        found["over budget"] += [f"{name}: {text}" for text in _over_budget(client_id, evidence)]
        _compare(leader, account, follower, evidence, found)
    found["crashed"] += evidence.crashes
    found["restless"] += [evidence.restless] if evidence.restless else []
    return found


def _compare(
    leader: _Account, account: _Account, follower: Row, evidence: Evidence, found: Mapping[str, list[str]]
) -> None:
    """Compare what a follower holds by copying with what is due to it, and each copy with its leader order."""
    name = follower["name"]
    shares = _shares(leader, account, follower, evidence)
    copied, by_hand = _net(account, evidence)
    for key, share in shares.items():
        lot = evidence.lots[key[0]]
        units, others = copied[key], by_hand[key]
        held = abs(units)
        position = _position(leader, key)
        if key[0] in evidence.converted:
            continue  # by contract, below
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
        position = sum(_position(leader, key) for key in shares if key[0] == contract)
        units = sum(units for key, units in copied.items() if key[0] == contract)
        if position == 0 and units:
            found["not flat"].append(f"{name} holds {units} of {contract} over its products")
    found["over share"] += [f"{name}: {text}" for text in _oversized(leader, follower, evidence)]


def _shares(leader: _Account, account: _Account, follower: Row, evidence: Evidence) -> dict[LineKey, Share]:
    """Go through the leader's fills once more, for one follower."""
    shares: dict[LineKey, Share] = defaultdict(Share)
    positions: Counter[LineKey] = Counter()
    got = _entered(account)
    entered: set[str] = set()
    for fill in leader.fills:
        share, before = shares[fill.line], positions[fill.line]
        after = before + fill.units
        positions[fill.line] = after
        if before * fill.units < 0:  # an exit, perhaps beyond nothing
            left = Fraction(max(0, abs(before) - abs(fill.units)), abs(before))
            share.below, share.above = share.below * left, share.above * left
            if before * after >= 0:
                continue
        if fill.order_id not in entered:
            entered.add(fill.order_id)
            order = leader.orders[fill.order_id]
            quantity = abs(after) if before * after < 0 else leader.most[fill.order_id]
            due = _due(quantity, follower, evidence, fill.line)
            share.above += due
            share.below += min(Fraction(got[fill.order_id, _sign(order)]), due)
    for order_id, order in leader.orders.items():
        if order_id in entered:
            continue
        line = _line(order)
        if not _is_never_rounded(follower):
            shares[line].rests = evidence.lots[line[0]] - 1
        if order["orderStatus"] in ("CANCELLED", "REJECTED", "EXPIRED"):
            shares[line].excess += got[order_id, _sign(order)]
    return shares


def _due(quantity: int, follower: Row, evidence: Evidence, line: LineKey) -> Fraction:
    """Return a follower's share of an entry, in units and not rounded."""
    match follower["sizing"]:
        case "fixed_lots":
            return Fraction(int(follower["lots"]) * evidence.lots[line[0]])
        case "capital_proportional":
            return Fraction(quantity) * Fraction(int(follower["funds"]), evidence.funds)
        case _:
            return Fraction(quantity) * Fraction(str(follower["ratio"]))


def _oversized(leader: _Account, follower: Row, evidence: Evidence) -> list[str]:
    """Return the leader orders of which a follower at some time had more open and filled than its share of all of it.

    Rounding may have kept back less than a lot before, which is given with a later entry.
    """
    roles = _roles(leader)
    now: dict[str, dict[str, int]] = defaultdict(dict)
    worst: Counter[str] = Counter()
    for change in evidence.changes[follower["client_id"]]:
        order_id = _copied(change)
        if order_id is None or order_id not in leader.orders or _sign(change) != _sign(leader.orders[order_id]):
            continue
        live = change["orderStatus"] in _LIVE
        now[order_id][change["orderId"]] = int(change["quantity"] if live else change["filledQty"])
        worst[order_id] = max(worst[order_id], sum(now[order_id].values()))
    found = []
    for order_id, units in worst.items():
        order = leader.orders[order_id]
        line = _line(order)
        if roles.get(order_id, "entry") != "entry" or line[0] in evidence.converted:
            continue
        due = _due(leader.most[order_id], follower, evidence, line)
        lot = evidence.lots[line[0]]
        most = int(due) if _is_never_rounded(follower) else _floor(due + lot - 1, lot)
        if units > most:
            found.append(f"{units} of leader order {order_id} were open or filled, {most} is due")
    return found


def _is_never_rounded(follower: Row) -> bool:
    """Return whether a follower's shares are whole lots always."""
    sizing, ratio = follower["sizing"], Fraction(str(follower["ratio"]))
    return sizing == "fixed_lots" or (sizing == "fixed_ratio" and ratio.denominator == 1)


def _roles(leader: _Account) -> dict[str, str]:
    """Return which leader orders entered at their fills, left, or did both."""
    roles: dict[str, str] = {}
    positions: Counter[LineKey] = Counter()
    for fill in leader.fills:
        before = positions[fill.line]
        positions[fill.line] = before + fill.units
        role = "entry" if before * fill.units >= 0 else "exit"
        roles[fill.order_id] = role if roles.get(fill.order_id, role) == role else "both"
    # What has not filled may have been an exit, by the position of its day.
    for order_id, order in leader.orders.items():
        if order_id not in roles:
            at = [fill.at for fill in leader.fills]
            rests = order["orderStatus"] in _LIVE
            seen = leader.fills if rests else leader.fills[: bisect_right(at, order["at"])]
            held = {sum(f.units for f in seen[:n] if f.line == _line(order)) for n in range(len(seen) + 1)}
            roles[order_id] = "both" if any(units * _sign(order) < 0 for units in held) else "entry"
    return roles


def _doubled(account: _Account) -> list[str]:
    ids = Counter(str(row["correlationId"]) for row in account.orders.values() if _is_ours(row))
    return [f"{count} orders are {correlation_id}" for correlation_id, count in ids.items() if count > 1]


def _sent_again(leader: _Account, writes: Iterable[Row]) -> list[str]:
    """Return the entries that were sent again although the broker had answered with the id of an order."""
    roles, accepted = _roles(leader), Counter[str]()
    for write in writes:
        words = str(write["payload"].get("correlationId") or "").split("-")
        if write["kind"] == "place" and write["answered"] == 200 and write["order_id"] and words[0] == "ct":
            accepted["-".join(words)] += roles.get(words[1], "") == "entry"
    return [f"{correlation_id} was accepted {count} times" for correlation_id, count in accepted.items() if count > 1]


def _unlike(leader: _Account, account: _Account) -> list[str]:
    """Return the copies that rest unlike the order of which they are."""
    found = []
    for copy in account.orders.values():
        of = leader.orders.get(_copied(copy) or "")
        if of is None or copy["orderStatus"] not in _LIVE or of["orderStatus"] not in _LIVE:
            continue
        terms, wanted = ([row[name] for name in ("orderType", "price", "triggerPrice")] for row in (copy, of))
        if terms != wanted:
            found.append(f"{copy['correlationId']} rests as {terms}, the leader's as {wanted}")
    return found


def _set_back(evidence: Evidence, client_id: str) -> list[str]:
    """Return the copies that had the leader's price and were given one that he had left some time before."""
    prices: dict[str, list[tuple[float, Any]]] = defaultdict(list)
    for change in evidence.changes[evidence.leader]:
        past = prices[str(change["orderId"])]
        if not past or past[-1][1] != change["price"]:
            past.append((change["at"], change["price"]))
    last: dict[str, Any] = {}
    found = []
    for change in evidence.changes[client_id]:
        before, now = last.get(change["orderId"]), change["price"]
        last[change["orderId"]] = now
        theirs = prices.get(_copied(change) or "", [])
        known = [price for at, price in theirs if at <= change["at"]]
        left = max((at for (_, old), (at, _) in pairwise(theirs) if old == now), default=change["at"])
        if before not in (None, now) and known and before == known[-1] != now and change["at"] - left > _LEFT_BEFORE:
            found.append(f"{change['correlationId']} was set back from {before} to {now}")
    return found


def _hammered(writes: Sequence[Row]) -> list[str]:
    """Return what was asked for again and again within some seconds although it was refused, or came to nothing."""
    refused: dict[tuple[str, str], list[float]] = defaultdict(list)
    for write in writes:
        if not (200 <= write["status"] < 300 and 200 <= write["answered"] < 300):
            what = str(write["payload"].get("correlationId") or write["order_id"])
            refused[write["kind"], what].append(write["at"])
    found = []
    for (kind, what), times in refused.items():
        most = max(bisect_right(times, at + _HAMMERING[1]) - index for index, at in enumerate(times))
        if most > _HAMMERING[0]:
            found.append(f"{most} times {kind} of {what} in {_HAMMERING[1]:g} s")
    return found


def _late_exits(leader: _Account, account: _Account, evidence: Evidence) -> list[str]:
    """Return the lines that the leader had left for good, and a follower not until long after it could have known."""
    found = []
    for key in {fill.line for fill in leader.fills}:
        mine = [fill for fill in leader.fills if fill.line == key]
        if sum(fill.units for fill in mine) or key[0] in evidence.converted:
            continue
        left = mine[-1].at
        last = max((fill.at for fill in account.fills if fill.line == key), default=left)
        known = max([left, *(up for up in evidence.ups if left < up < last)])
        if last - known > _AT_ONCE:
            found.append(f"{key} was left {last - known:.1f} s after it could have been")
    return found


def _other_side(leader: _Account, account: _Account, evidence: Evidence) -> list[str]:
    """Return the lines on which copies came to a side on which the leader neither was by then nor had set out to be."""
    been = _sides(leader, evidence.changes[evidence.leader])
    held: Counter[LineKey] = Counter()
    wrong: dict[LineKey, Fill] = {}
    worst: dict[LineKey, str] = {}
    for fill in account.fills:
        if fill.order_id in evidence.hands:
            continue
        held[fill.line] += fill.units
        units = held[fill.line]
        right = {side for at, side in been[fill.line] if at <= fill.at}
        if since := wrong.get(fill.line):
            if fill.at - since.at > evidence.forgiven:
                worst.setdefault(fill.line, f"{units} of {fill.line} from {since.at:.3f} to {fill.at:.3f}")
            if not units or (1 if units > 0 else -1) in right:
                del wrong[fill.line]
        elif units and (1 if units > 0 else -1) not in right:
            wrong[fill.line] = fill
            if not evidence.forgiven:
                worst.setdefault(fill.line, f"{units} of {fill.line} at {fill.at:.3f}")
    for key, units in held.items():
        position = _position(leader, key)
        if units * position < 0 or key in wrong:
            worst.setdefault(key, f"{units} of {key} in the end, the leader {position}")
    return list(worst.values())


def _closed_twice(account: _Account, evidence: Evidence) -> list[str]:
    """Return the lines that a copy closed although an order of the broker's that rested was about to close them.

    It may be sent all the same where it could not know of that order yet, and once it has waited for long enough.
    """
    found = []
    first = {str(fill.order_id): fill.at for fill in reversed(account.fills)}
    for order_id in evidence.square_offs:
        if order_id not in first:
            continue  # not this account's, or never filled
        closing = account.orders[order_id]
        net = sum(fill.units for fill in account.fills if fill.line == _line(closing))
        placed, filled = account.placed[order_id], first[order_id]
        sent = [
            account.placed[copy_id]
            for copy_id, copy in account.orders.items()
            if _is_ours(copy) and _line(copy) == _line(closing) and _sign(copy) == _sign(closing)
        ]
        if net * _sign(closing) > 0 and any(placed + 0.7 < at < filled for at in sent) and filled - placed < 4.5:
            found.append(f"{net} of {_line(closing)}: closed by the broker and by a copy sent while that was known")
    return found


def _sides(leader: _Account, changes: Iterable[Row]) -> dict[LineKey, list[tuple[float, int]]]:
    """Return the sides on which the leader was, or would have been once an order of his had filled, and since when."""
    sides: dict[LineKey, list[tuple[float, int]]] = defaultdict(list)
    positions: Counter[LineKey] = Counter()
    for fill in leader.fills:
        positions[fill.line] += fill.units
        if units := positions[fill.line]:
            sides[fill.line].append((fill.at, 1 if units > 0 else -1))
    times, seen = [fill.at for fill in leader.fills], set()
    for change in changes:
        order_id, line, sign = str(change["orderId"]), _line(change), _sign(change)
        if order_id in seen or order_id not in leader.orders:
            continue
        seen.add(order_id)
        before = leader.fills[: bisect_right(times, change["at"])]
        position = sum(fill.units for fill in before if fill.line == line)
        if position * sign >= 0 or int(change["quantity"]) > abs(position):
            sides[line].append((change["at"], sign))
    return sides


def _orphans(leader: _Account, account: _Account) -> list[str]:
    found = []
    for order in account.orders.values():
        if order["orderStatus"] not in _LIVE or not _is_ours(order):
            continue
        of = leader.orders.get(_copied(order) or "")
        if of is None or of["orderStatus"] in _DEAD:
            state = of["orderStatus"] if of else "unknown"
            found.append(f"{order['correlationId']} rests for {order['quantity']}, the leader's is {state}")
    return found


def _undisposed(leader: _Account, name: str, dispositions: Mapping[tuple[str, str], list[str]]) -> list[str]:
    found = []
    for order_id, order in leader.orders.items():
        statuses = dispositions.get((order_id, name), [])
        if not statuses:
            found.append(f"leader order {order_id} has no row")
        elif order["orderStatus"] in _DEAD and "pending" in statuses:
            found.append(f"leader order {order_id} is pending for ever")
    return found


def _over_budget(client_id: str, evidence: Evidence) -> list[str]:
    """Return the windows in which more order requests came in than are allowed, answered or not."""
    times = sorted(write["at"] for write in evidence.writes[client_id])
    found = []
    for window, seconds in _WINDOWS:
        limit = evidence.limits[window]
        most = max((bisect_right(times, at + seconds - 1e-6) - index for index, at in enumerate(times)), default=0)
        if most > limit:
            found.append(f"{most} requests in a {window}, {limit} are allowed")
    return found


def _net(account: _Account, evidence: Evidence) -> tuple[Counter[LineKey], Counter[LineKey]]:
    """Return what copies, and what other hands, came to by line.

    Copies hold no more than the account does: what other hands have closed is not theirs any more.
    """
    copied: Counter[LineKey] = Counter()
    by_hand: Counter[LineKey] = Counter()
    net: Counter[LineKey] = Counter()
    for fill in account.fills:
        line = fill.line
        net[line] += fill.units
        (by_hand if fill.order_id in evidence.hands else copied)[line] += fill.units
        if by_hand[line]:
            sign = 1 if copied[line] > 0 else -1
            copied[line] = sign * min(abs(copied[line]), max(0, sign * net[line]))
    return copied, by_hand


def _entered(account: _Account) -> Counter[tuple[str, int]]:
    """Return the units that copies of each leader order got, by side."""
    got: Counter[tuple[str, int]] = Counter()
    for order in account.orders.values():
        if (order_id := _copied(order)) is not None:
            got[order_id, _sign(order)] += int(order["filledQty"])
    return got


def _dispositions(database: str) -> dict[tuple[str, str], list[str]]:
    if not Path(database).exists():
        return {}
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)
    try:
        for order_id, follower, status in connection.execute(
            "SELECT leader_order_id, follower, status FROM copy_mappings"
        ):
            found[str(order_id), follower].append(status)
    except sqlite3.OperationalError:
        return {}  # there are no tables yet
    finally:
        connection.close()
    return found


def _position(leader: _Account, key: LineKey) -> int:
    return sum(fill.units for fill in leader.fills if fill.line == key)


def _line(row: Row) -> LineKey:
    return str(row["securityId"]), str(row["productType"])


def _sign(row: Row) -> int:
    return 1 if row["transactionType"] == "BUY" else -1


def _is_ours(row: Row) -> bool:
    return str(row["correlationId"]).startswith("ct-")


def _copied(row: Row) -> str | None:
    """Return the id of the leader order that a copy is of."""
    return str(row["correlationId"]).split("-")[1] if _is_ours(row) else None


def _floor(units: Fraction | int, lot: int) -> int:
    return int(units // lot) * lot
