"""What the leader does, one action at a time: he enters, leaves, and changes orders that rest."""

from decimal import Decimal
from typing import Any

from bench.histories.generator.writer import Line, Writer

#: The most lots that the leader holds on a line: at the largest ratio still within the freeze quantity of one order.
LARGEST = 8


def act(writer: Writer) -> None:
    """Add one random action of the leader's: a change of a resting order, an exit or an entry."""
    chance = writer.chance
    line = chance.choice(writer.lines)
    sign = line.side or (1 if line.held > 0 else -1 if line.held < 0 else chance.choice((1, -1)))
    what = chance.random()
    if line.resting and what < 0.35:
        _change(writer, line)
    elif line.held and what < 0.6:
        lots = abs(line.held) if chance.random() < 0.6 else chance.randint(1, abs(line.held))
        if line.side == 0 and chance.random() < 0.4:
            lots = abs(line.held) + chance.randint(1, 3)
        elif chance.random() < 0.25:
            _rest(writer, line, -sign * min(lots, abs(line.held)))
            return
        leave(writer, line, sign * lots)
    elif abs(line.held) < LARGEST:
        lots = chance.randint(1, min(4, LARGEST - abs(line.held)))
        if what > 0.85:
            _rest(writer, line, sign * lots)
        else:
            manner = _manner(writer, line, sign)
            writer.order(line, sign * lots, **manner)
            line.held += sign * lots
            if "in_pieces" in manner:
                writer.now += 0.5  # no other action meanwhile: no rule says what an exit out of half an entry should be


def _manner(writer: Writer, line: Line, sign: int) -> dict[str, Any]:
    """Return the terms of an entry that fills at once: limit, in two pieces, by a forever order, or plain market."""
    manner = writer.chance.random()
    if manner < 0.2:
        return {"order_type": "LIMIT", "price": str(line.price + sign * Decimal(2))}
    if manner < 0.3:
        return {"in_pieces": 2}
    if manner < 0.36 and sign == (line.side or sign):
        return {"platform": "FOVR", "algo_order": 132611300001, "correlation_id": "NR"}
    return {}


def leave(writer: Writer, line: Line, lots: int) -> None:
    """Add an exit of signed lots, or of more than he holds, after a cancellation of the exits that rest."""
    for name, (_, role) in list(line.resting.items()):
        if role == "exit":
            writer.add("cancel", name=name)
            del line.resting[name]
    manner = writer.chance.random()
    terms: dict[str, Any] = {}
    if manner < 0.12 and abs(lots) <= abs(line.held):
        terms = {"leg": 3, "algo_order": 132611300002, "remarks": "Super Order"}
    elif manner < 0.3:
        terms = {"order_type": "LIMIT", "price": str(line.price - (2 if lots > 0 else -2))}
    writer.order(line, -lots, **terms)
    line.held -= lots


def _rest(writer: Writer, line: Line, lots: int) -> None:
    """Add an order for signed lots that rests: a limit away from the market, or a stop-loss exit."""
    sign = 1 if lots > 0 else -1
    is_exit = lots * line.held < 0
    if is_exit and any(role == "exit" for _, role in line.resting.values()):
        return
    away = Decimal(writer.chance.randrange(100, 400)) / 20
    if is_exit and writer.chance.random() < 0.4:
        trigger = line.price + sign * away
        prices = {"order_type": "STOP_LOSS", "trigger_price": str(trigger), "price": str(trigger + sign * 2)}
    else:
        prices = {"order_type": "LIMIT", "price": str(line.price - sign * away)}
    name = writer.order(line, lots, **prices)
    line.resting[name] = (lots, "exit" if is_exit else "entry")


def _change(writer: Writer, line: Line) -> None:
    """Add a change of an order that rests: it is cancelled, modified, or brought to the market, where it fills."""
    chance = writer.chance
    name = chance.choice(list(line.resting))
    lots, role = line.resting[name]
    sign = 1 if lots > 0 else -1
    what = chance.random()
    if what < 0.3:
        writer.add("cancel", name=name)
        del line.resting[name]
    elif what < 0.6:
        away = Decimal(chance.randrange(100, 400)) / 20
        if role == "entry":
            lots = sign * chance.randint(1, 4)
            line.resting[name] = (lots, role)
        writer.add(
            "modify", name=name, order_type="LIMIT", quantity=abs(lots) * line.lot, price=str(line.price - sign * away)
        )
    else:
        writer.add("modify", name=name, order_type="LIMIT", price=str(line.price))
        del line.resting[name]
        line.held += lots
