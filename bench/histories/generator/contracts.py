"""Later episodes: other contracts and products, and what accounts have from before; each on a line of its own."""

from decimal import Decimal
from typing import Any

from bench.histories.generator.writer import Line, Writer
from bench.histories.history import LEADER


def sliced(writer: Writer) -> None:
    """Add an entry that is beyond the freeze quantity (20 lots) for a larger follower, and exits of parts of it."""
    chance = writer.chance
    if chance.random() > 0.25:
        return
    then, line, lots = writer.now, Line("51004", 30, Decimal(260), 1), chance.randint(12, 20)
    writer.now = chance.uniform(0.5, 2.0)
    if chance.random() < 0.5:
        name = writer.order(line, lots, order_type="LIMIT", price="240")
        for _ in range(chance.randint(0, 2)):
            writer.now += chance.uniform(0.2, 1.0)
            lots = chance.randint(6, 20)
            writer.add("modify", name=name, quantity=lots * line.lot, price=str(chance.randint(238, 244)))
        writer.now += chance.uniform(0.2, 1.0)
        writer.add("modify", name=name, price=str(line.price))
    else:
        writer.order(line, lots)
    for part in chance.choice([(lots,), (lots // 2, lots - lots // 2), (lots // 3,), ()]):
        writer.now += chance.uniform(0.6, 1.5)
        writer.order(line, -part)
    writer.now = then


def carried(writer: Writer) -> None:
    """Add a position that the leader has from yesterday, and perhaps a follower of his own: neither was copied."""
    chance = writer.chance
    if chance.random() > 0.2:
        return
    then, before, more = writer.now, chance.randint(1, 4), chance.randint(0, 4)
    side = chance.choice((1, -1))
    line = Line("51006", 30, Decimal(270), side)
    owners = [LEADER, writer.some_follower().client_id] if chance.random() < 0.5 else [LEADER]
    for client_id in owners:
        terms = {"security_id": line.security_id, "quantity": side * before * line.lot}
        writer.add("broker", -1.0, method="carry", client_id=client_id, product="MARGIN", **terms)
    writer.now = chance.uniform(0.5, 3.5)
    if more:
        writer.order(line, side * more)
    for part in chance.choice([(before + more,), (1, before + more - 1), (1,)]):
        writer.now += chance.uniform(0.6, 1.5)
        if part:
            writer.order(line, -side * part)
    writer.now = then


def shares(writer: Writer) -> None:
    """Add shares that the leader has in the depository, of which he sells, and others that he buys today."""
    chance = writer.chance
    if chance.random() > 0.2:
        return
    then, line = writer.now, Line("1594", 1, Decimal(1510), 1, product="CNC", segment="NSE_EQ")
    if has := chance.choice((0, 40, 100)):
        writer.add("broker", -1.0, method="hold", client_id=LEADER, security_id="1594", quantity=has, segment="NSE_EQ")
    bought = chance.randint(2, 30)
    writer.now = chance.uniform(0.5, 3.5)
    first = chance.random() < 0.5 and has
    if first:
        writer.order(line, -has // 4)
        writer.now += chance.uniform(0.6, 1.5)
    writer.order(line, bought)
    writer.now += chance.uniform(0.6, 1.5)
    writer.order(line, -(has - (has // 4 if first else 0) + bought))
    writer.now = then


def commodity(writer: Writer) -> None:
    """Add a contract whose unit is worth a hundred times its price."""
    chance = writer.chance
    if chance.random() > 0.25:
        return
    then, line = writer.now, Line("500001", 1, Decimal(60), 1, segment="MCX_COMM")
    _list(writer, line, "OPTFUT", "CRUDEOIL", 30, multiplier=100)
    writer.now = chance.uniform(0.5, 3.0)
    lots = chance.randint(2, 12)
    writer.order(line, lots)
    if chance.random() < 0.6:
        writer.now += chance.uniform(0.6, 1.5)
        writer.order(line, -chance.choice((lots, lots // 2)))
    writer.now = then


def expiring(writer: Writer) -> None:
    """Add a contract that was copied and expires: no account has any of it any more, without an order."""
    chance = writer.chance
    if chance.random() > 0.2:
        return
    then, line = writer.now, Line("70001", 65, Decimal(120), 1)
    _list(writer, line, "OPTIDX", "NIFTY", 0)
    writer.now = 0.5
    writer.order(line, chance.randint(1, 4))
    writer.add("expiry", at=chance.uniform(4.0, 6.0), security_id=line.security_id)
    writer.now = then


def converted_copy(writer: Writer) -> None:
    """Add a position that a follower converts in his account, and that the leader leaves later."""
    chance = writer.chance
    if chance.random() > 0.15:
        return
    then, line, lots = writer.now, Line("51008", 30, Decimal(280), 1, product="INTRADAY"), 2 * chance.randint(1, 2)
    follower = next(one for one in writer.followers if one.name == "alice")
    moved = {"security_id": line.security_id, "old": "INTRADAY", "new": "MARGIN", "quantity": lots * line.lot}
    writer.now = 0.5
    writer.order(line, lots)
    writer.add("convert", at=2.5, client_id=follower.client_id, **moved)
    writer.now = chance.choice((3.5, 14.0))
    writer.order(line, -lots)
    writer.now = then


def _list(writer: Writer, line: Line, kind: str, underlying: str, days: int, **more: Any) -> None:
    """Add the step that lists an option that expires in so many days, before the copier starts."""
    terms = {"segment": line.segment, "security_id": line.security_id, "lot_size": line.lot, "price": str(line.price)}
    writer.add("list", -2.0, kind=kind, underlying=underlying, days=days, **terms, **more)


#: All of them, in the order in which they draw.
EPISODES = (sliced, carried, shares, commodity, expiring, converted_copy)
