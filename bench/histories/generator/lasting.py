"""Refusals that last until the calm: of the cancellations, the modifications or the exits of a follower."""

from decimal import Decimal

from bench.histories.generator.writer import Line, Writer


def refused(writer: Writer) -> None:
    """Add an order whose cancellation, modification or exit is refused again and again, on a line of its own."""
    chance = writer.chance
    if chance.random() > 0.2:
        return
    then, line, client_id = writer.now, Line("45673", 65, Decimal(110), 1), writer.some_follower().client_id
    kind, code = chance.choice(
        [
            ("cancel", "DH-906"),
            ("cancel", "DH-910"),
            ("modify", "DH-905"),
            ("modify", "DH-906"),
            ("modify", "DH-908"),
            ("place", "DH-905"),
            ("place", "DH-906"),
        ]
    )
    writer.now = 0.5
    rests = {} if kind == "place" else {"order_type": "LIMIT", "price": "90"}
    name = writer.order(line, chance.randint(1, 3), **rests)
    where = {"securityId": line.security_id, "transactionType": "SELL"} if kind == "place" else {}
    writer.add("broker", 1.5, method="refuse", code=code, kind=kind, client_id=client_id, times=None, where=where)
    writer.now = 1.6
    match kind:
        case "cancel":
            writer.add("cancel", name=name)
        case "modify":
            writer.add("modify", name=name, price="95")
        case _:
            writer.order(line, -int(writer.steps[-2].terms["quantity"]) // line.lot)
    writer.now = then
