"""Mishaps of what the broker tells: sockets that drop, updates that are lost or late, rows and fields that are odd."""

from collections.abc import Iterator
from typing import Any

from bench.histories.generator.writer import Writer, step
from bench.histories.history import LEADER, STRANGER, Step


def drop(writer: Writer, at: float) -> Iterator[Step]:
    """Yield an order-update socket that is closed, and may be refused for a second."""
    refuse = writer.chance.choice([0.0, 0.0, 1.0])
    terms = {"client_id": writer.some_account(), "reset": writer.chance.random() < 0.5, "refuse_for": refuse}
    yield step(at, "broker", method="drop_feed", **terms)


def mute(writer: Writer, at: float) -> Iterator[Step]:
    """Yield an order-update socket that stays open and silent for a while."""
    account = writer.some_account()
    yield step(at, "broker", method="mute_feed", client_id=account)
    yield step(at + writer.chance.uniform(0.3, 2), "broker", method="mute_feed", client_id=account, muted=False)


def lag(writer: Writer, at: float) -> Iterator[Step]:
    """Yield a broker that shows orders, positions or updates late, for a while or to the end."""
    chance = writer.chance
    what = chance.choice(["book", "positions", "positions", "feed", "visible"])
    seconds = round(chance.uniform(0.2, 2.0 if what == "positions" else 1.0), 2)
    began = chance.choice([0.1, at])
    account = writer.some_account()
    yield step(began, "broker", method="lag", client_id=account, **{what: seconds})
    if chance.random() < 0.5:
        yield step(began + chance.uniform(1, 5), "broker", method="lag", client_id=account, **{what: 0.0})


def frames(writer: Writer, at: float) -> Iterator[Step]:
    """Yield updates that are lost, repeated or late."""
    chance = writer.chance
    fate: dict[str, Any] = chance.choice([{"copies": 0}, {"copies": 0}, {"copies": 2}, {"delay": 0.4}, {"delay": 1.5}])
    times = chance.randint(1, 6)
    spread = chance.choice([1.0, 0.5])
    account = LEADER if chance.random() < 0.6 else writer.some_account()
    yield step(at, "broker", method="frame_fault", client_id=account, times=times, chance=spread, **fate)


def foreign_rows(writer: Writer, at: float) -> Iterator[Step]:
    """Yield rows of orders and positions that the copier cannot know or read."""
    chance = writer.chance
    odd: dict[str, Any] = chance.choice(
        [
            {"exchangeSegment": "NSE_COMM"},
            {"orderStatus": "ACTIVE", "quantity": 0},
            {"productType": "XYZ"},
            {"transactionType": None},
            {"quantity": "many"},
        ]
    )
    yield step(0.1 if chance.random() < 0.7 else at, "foreign_row", client_id=writer.some_account(), odd=odd)
    if chance.random() < 0.3:
        row = {"exchangeSegment": "NSE_COMM", "securityId": "9", "productType": "MARGIN", "netQty": 5}
        yield step(at, "broker", method="add_row", told="position", client_id=writer.some_account(), fields=row)


def foreign_frames(writer: Writer, at: float) -> Iterator[Step]:
    """Yield updates of another client's orders on the leader's or a follower's socket."""
    account = writer.chance.choice([LEADER, writer.some_follower().client_id])
    yield step(at, "broker", method="echo", client_id=STRANGER, others=[account])
    for number in range(3):
        yield step(at + 0.3 * number, "stranger", side="BUY", security_id="45674", quantity=130)


def odd_fields(writer: Writer, at: float) -> Iterator[Step]:
    """Yield fields that are missing, of another type, spelt differently, or dated in the past."""
    chance = writer.chance
    told = chance.choice(["frame", "row"])
    names = {
        "frame": ["tickSize", "lotSize", "strikePrice", "refLtp", "exchOrderTime", "expiryDate", "symbol", "isin"],
        "row": ["createTime", "exchangeTime", "drvExpiryDate", "drvStrikePrice", "omsErrorCode", "algoId", "legName"],
    }[told]
    where = {"method": "rewrite", "told": told, "client_id": chance.choice([LEADER, None])}
    match chance.randrange(5):
        case 0:
            yield step(at, "broker", **where, removed=chance.sample(names, 2))
        case 1:
            odd: Any = chance.choice([None, "many", -1, {}, [1], "NaN"])
            yield step(at, "broker", **where, put={chance.choice(names): odd})
        case 2:
            for place in ("frame", "row"):  # as the broker spells them, it does so everywhere
                yield step(at, "broker", **where | {"told": place}, spelling="%d/%m/%Y %H:%M:%S")
        case 3:
            yield step(at, "broker", **where, shift=-chance.choice([2, 5, 30]), times=chance.choice([1, 3, None]))
        case _:  # what decides cannot be read in some updates: the order book has it
            decides = chance.choice(["orderNo", "status", "quantity", "txnType", "product", "securityId"])
            put: dict[str, Any] = {decides: chance.choice([None, {}, "?"])}
            terms = where | {"told": "frame", "put": put, "times": chance.randint(1, 4)}
            yield step(at, "broker", **terms)
