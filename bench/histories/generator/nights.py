"""A night after the leader's day: what rests expires, what is held is carried, and he trades on the next day."""

from decimal import Decimal

from bench.histories.generator.trading import act
from bench.histories.generator.writer import Line, Writer

#: Seconds that the leader still trades after a night.
_MORNING = 2.5

#: Seconds after which a split has been seen in two reads of the positions.
_SEEN = 9.0


def night(writer: Writer) -> None:
    """Add a night, perhaps with a restart in it and with shares that are split, after the leader's day.

    There is none where he has orders to place long after that day, or converts.
    """
    chance = writer.chance
    is_long = any(step.what in ("convert", "place") and step.at > writer.now for step in writer.steps)
    if chance.random() > 0.3 or is_long or any(step.what == "convert" for step in writer.steps):
        return
    evening = writer.now + 1.5  # the last pieces of an order fill
    shares, units = Line("11536", 1, Decimal(3100), 1, product="CNC", segment="NSE_EQ"), 2 * chance.randint(1, 20)
    is_split = chance.random() < 0.4
    if is_split:
        writer.now = 1.0
        writer.order(shares, units)
    if chance.random() < 0.3:
        writer.add("kill", at=evening - 0.3, down=1.5)
    writer.add("night", at=evening)
    for line in writer.lines:
        line.resting.clear()
    writer.now = evening + chance.uniform(0.2, 3.0)
    until = writer.now + _MORNING
    while writer.now < until:
        act(writer)
        writer.now += chance.uniform(0.05, 0.7)
    if is_split:
        writer.add("split", at=evening + 0.01, security_id=shares.security_id, old=1, new=2)
        then, writer.now = writer.now, evening + _SEEN
        writer.order(shares, -2 * units)
        writer.now = then
