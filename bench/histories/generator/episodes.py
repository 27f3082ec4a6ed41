"""Situations of several steps that a random leader would hardly ever get into, each on a line of its own.

Each is added to about one history in ten, and leaves the time of the next step as it was.
"""

from decimal import Decimal

from bench.histories.generator.writer import Line, Writer
from bench.histories.history import LEADER


def converted(writer: Writer) -> None:
    """Add a position that the leader converts, and leaves much later. Only reads of positions show a conversion."""
    if writer.chance.random() > 0.12:
        return
    lots = writer.chance.randint(1, 3)
    before = Line("45676", 65, Decimal(130), 1, product="INTRADAY")
    after = Line("45676", 65, Decimal(130), 1)
    writer.order(before, lots)
    writer.add("convert", at=1.8, security_id="45676", old="INTRADAY", new="MARGIN", quantity=lots * 65)
    then, writer.now = writer.now, 14.0
    writer.order(after, -lots)
    writer.now = then


def busy(writer: Writer) -> None:
    """Add orders in another contract that fill without a pause while the copier restarts.

    Meanwhile the leader leaves a position that was copied; in the end he leaves the other contract too.
    """
    chance = writer.chance
    if chance.random() > 0.12:
        return
    then, copied, other = writer.now, Line("45677", 65, Decimal(130), 1), Line("45678", 65, Decimal(140), 1)
    lots = chance.randint(1, 3)
    writer.order(copied, lots)
    writer.add("kill", at=1.5, down=0.0)
    if chance.random() < 0.6:
        account = chance.choice([LEADER, LEADER, writer.some_follower().client_id])
        seconds = round(chance.uniform(0.6, 1.8), 2)
        writer.add("broker", at=1.2, method="lag", client_id=account, positions=seconds)
    at = 1.0
    while at < 18.0:
        writer.now = at
        writer.order(other, 8, in_pieces=8)
        writer.now = at + 1.3
        writer.order(other, -8)
        at += 1.5
    writer.now = chance.uniform(2.0, 6.0)
    writer.order(copied, -lots)
    writer.now = then


def squared_off(writer: Writer) -> None:
    """Add an order by which the broker squares off a follower's position just before the leader leaves it."""
    chance = writer.chance
    if chance.random() > 0.1:
        return
    then, line, lots = writer.now, Line("45679", 65, Decimal(140), 1), chance.randint(1, 3)
    follower, at = writer.some_follower().name, chance.uniform(2.5, 6.0)
    writer.now = 1.0
    writer.order(line, lots)
    fills_after = round(chance.uniform(1.5, 3.0), 2)
    writer.add("square_off", at=at, follower=follower, security_id="45679", fills_after=fills_after)
    writer.now = at + 1.0
    writer.order(line, -lots)
    writer.now = then


def unshown(writer: Writer) -> None:
    """Add an entry or an exit that is accepted and never carried out, or an exit that is never shown."""
    chance = writer.chance
    if chance.random() > 0.12:
        return
    then, line, at = writer.now, Line("45672", 65, Decimal(110), 1), chance.uniform(1.0, 4.0)
    side, mischief = chance.choice([("BUY", "swallow"), ("SELL", "swallow"), ("SELL", "hide")])
    where = {"securityId": line.security_id, "transactionType": side}
    terms = {"method": "fault", "mischief": mischief, "kind": "place", "where": where}
    writer.add("broker", at=at, **terms, client_id=writer.some_follower().client_id)
    writer.now = at + 0.1
    writer.order(line, 2)
    if side == "SELL":
        writer.now = at + 1.5
        writer.order(line, -2)
    writer.now = then


def behind(writer: Writer) -> None:
    """Add modifications of a resting order while the leader's order book lags behind his updates."""
    chance = writer.chance
    if chance.random() > 0.1:
        return
    then, line = writer.now, Line("45671", 65, Decimal(100), 1)
    writer.add("broker", at=0.2, method="lag", client_id=LEADER, book=1.4)
    writer.now = chance.uniform(1.0, 2.0)
    name = writer.order(line, chance.randint(1, 3), order_type="LIMIT", price="80")
    for price in (81, 82, 83, 84):
        writer.now += chance.uniform(0.6, 1.8)
        writer.add("modify", name=name, price=str(price))
    writer.now = then


def blind(writer: Writer) -> bool:
    """Add an entry, long after the login, whose updates are all lost while those of its exit arrive.

    Return whether it was added.
    """
    chance = writer.chance
    if chance.random() > 0.1:
        return False
    then, line, at = writer.now, Line("45670", 65, Decimal(100), 1), 12.5
    writer.add("broker", at=at, method="frame_fault", client_id=LEADER, times=3, copies=0)
    writer.now = at + 0.1
    writer.order(line, chance.randint(1, 3))
    writer.now = at + 0.1 + chance.uniform(0.2, 1.5)
    line.held = int(writer.steps[-1].terms["quantity"]) // line.lot
    writer.order(line, -line.held)
    writer.now = then
    return True
