"""Histories of several leaders, with followers of fills and groups of legs: the seeds from 1001 on."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bench.histories.generator.mishaps import KINDS
from bench.histories.generator.trading import act, leave
from bench.histories.generator.writer import LENGTH, Line, Writer
from bench.histories.history import LEADERS, History

#: The first seed of these histories.
SEVERAL_FROM = 1001

#: Mishaps that are the same whoever leads.
_MISHAPS = (
    *("kill", "drop", "mute", "lost answer", "refused", "refused entry", "swallowed", "empty 202", "hidden", "lag"),
    *("frames", "foreign rows", "odd fields", "halt"),
)

#: Seconds within which legs are one group, and the number of the first contract of spreads.
WITHIN, FIRST_SPREAD = 1.0, 20

#: Contracts of the leaders' lines, with lot and price: each leader trades them in his own way.
_CONTRACTS = (("45674", 65, 120), ("45675", 65, 120), ("51000", 30, 240), ("51002", 30, 250))


def several_of(seed: int) -> History:
    """Return the history of a seed: two or three leaders, perhaps with groups."""
    writer = Writer(seed)
    chance = writer.chance
    writer.leaders = tuple(LEADERS)[: chance.choice((1, 2, 2, 3))]
    writer.followers = tuple(
        replace(one, mode=chance.choice(("orders", "orders", "fills")) if number else "orders")
        for number, one in enumerate(writer.followers)
    )
    is_grouped = chance.random() < 0.7
    writer.lines = [
        Line(
            contract,
            lot,
            Decimal(price),
            chance.choice((1, 1, -1, 0)) if leader != writer.leaders[0] else side,
            leader=leader,
        )
        for leader in writer.leaders
        for (contract, lot, price), side in zip(_CONTRACTS, (1, 1, -1, 0), strict=True)
        if leader == writer.leaders[0] or chance.random() < 0.7
    ]
    for kind in chance.choices(_MISHAPS, [KINDS[kind][1] for kind in _MISHAPS], k=chance.randint(0, 5)):
        writer.steps.extend(KINDS[kind][0](writer, chance.uniform(0.5, LENGTH)))
    for number in range(FIRST_SPREAD, FIRST_SPREAD + (chance.randint(1, 3) if is_grouped else 0)):
        _spread(writer, number)
    while writer.now < LENGTH:
        act(writer)
        writer.now += chance.uniform(0.05, 0.5)
    for line in writer.lines:
        if line.held and chance.random() < 0.8:
            leave(writer, line, line.held)
            writer.now += chance.uniform(0.05, 0.2)
    steps = tuple(sorted(writer.steps, key=lambda step: step.at))
    audit = chance.choice((2.0, 2.0, 20.0))
    return History(seed, writer.followers, steps, audit, writer.leaders, WITHIN if is_grouped else 0.0)


def _spread(writer: Writer, number: int) -> None:
    """Add legs of one underlying that a leader enters at about the same time, and perhaps leaves.

    There are one or two hedges, one of which may rest for a while, be refused at a follower, or be cancelled.
    """
    chance = writer.chance
    then, leader = writer.now, chance.choice(writer.leaders)
    legs = [
        Line(f"7{number}{leg}", 65, Decimal(price), side, leader=leader)
        for leg, price, side in ((1, 100, -1), (2, 50, 1), (3, 40, 1))
    ][: chance.choice((2, 2, 3))]
    for line in legs:
        terms: dict[str, Any] = {"segment": line.segment, "security_id": line.security_id, "lot_size": line.lot}
        writer.add("list", -2.0, kind="OPTIDX", underlying=f"SPREAD{number}", days=30, price=str(line.price), **terms)
    lots, began = chance.randint(1, 4), chance.uniform(0.6, 4.0)
    hedge = legs[1]
    fate = chance.choice(("fills", "fills", "rests", "in pieces", "refused", "refused", "rejected late", "cancelled"))
    if fate == "refused":
        where = {"securityId": hedge.security_id, "transactionType": "BUY"}
        follower = writer.some_follower().client_id
        refusal: dict[str, Any] = {
            "code": chance.choice(("DH-905", "DH-906")),
            "kind": "place",
            "client_id": follower,
            "where": where,
        }
        writer.add("broker", round(began - 0.2, 2), method="refuse", times=None, **refusal)
    chance.shuffle(legs)
    writer.now = began
    for line in legs:
        rests = {"order_type": "LIMIT", "price": str(line.price - 5)}
        is_first = line is hedge
        manner: dict[str, Any] = rests if is_first and fate in ("rests", "cancelled") else {}
        if is_first and fate == "in pieces":
            manner = {"in_pieces": 3}
        name = writer.order(line, line.side * lots, **manner)
        if is_first and fate == "rests":
            writer.add("modify", began + chance.uniform(1.0, 3.0), name=name, price=str(line.price))
        elif is_first and fate == "cancelled":
            writer.add("cancel", began + chance.uniform(0.5, 2.0), name=name)
        writer.now += chance.choice((0.0, 0.05, 0.3))
    if chance.random() < 0.6:
        writer.now = began + chance.choice((4.0, 9.0))
        chance.shuffle(legs)
        for line in legs:
            if not (line is hedge and fate == "cancelled"):
                writer.order(line, -line.side * lots)
            writer.now += chance.choice((0.0, 0.05, 0.3))
    writer.now = then
