"""A history out of a seed: what the leader does, and in between what goes wrong.

The leader trades on lines of different character, so that the oracle can tell what is wrong without knowing how copying
works: on most he is only ever on one side. Prices stand still. His orders rest far from the market, and fill by being
brought to it, so that whoever copies them in time has the same fills.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bench.histories.history import FOLLOWERS, LEADER, STRANGER, Follower, History, Step


@dataclass
class Line:
    """A contract as the leader trades it. ``side`` is +1 where he is only ever long, -1 short, 0 either."""

    security_id: str
    lot: int
    price: Decimal
    side: int
    product: str = "MARGIN"
    held: int = 0
    resting: dict[str, tuple[int, str]] = field(default_factory=dict)


#: Seconds in which the leader trades, and the pauses in between.
LENGTH, PAUSES = 7.0, (0.05, 0.7)

#: Seconds between audits: often, so that a conversion is noticed while there is time, or so seldom that what has to be
#: known at once has to be found in another way.
AUDITS = 2.0, 20.0

#: Most lots that the leader holds on a line; with the largest ratio still within one order's freeze quantity.
LARGEST = 8


class _Writer:
    """Writes one history down."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.3
        self.steps: list[Step] = []
        others = self.chance.sample(FOLLOWERS[1:], 2)
        self.followers: tuple[Follower, ...] = (FOLLOWERS[0], *others)
        self.lines = [
            Line("45674", 65, Decimal(120), 1),
            Line("45675", 65, Decimal(120), 1),
            Line("51000", 30, Decimal(240), -1),
            Line("51002", 30, Decimal(250), 0),
        ]
        self._orders = 0

    def add(self, what: str, at: float | None = None, **terms: Any) -> None:
        """Have something happen, now if not said otherwise."""
        self.steps.append(Step(round(self.now if at is None else at, 2), what, terms))

    def order(self, line: Line, lots: int, **terms: Any) -> str:
        """Have the leader place an order for signed lots, at the market if not said otherwise; return its name."""
        self._orders += 1
        name = f"o{self._orders}"
        whole: dict[str, Any] = {
            "name": name,
            "side": "BUY" if lots > 0 else "SELL",
            "security_id": line.security_id,
            "quantity": abs(lots) * line.lot,
            "product": line.product,
            "order_type": "MARKET",
        }
        self.add("place", **whole | terms)
        return name

    def some_account(self) -> str:
        """Return the client id of the leader or a follower."""
        return self.chance.choice([LEADER, *(follower.client_id for follower in self.followers)])

    def some_follower(self) -> Follower:
        """Return a follower."""
        return self.chance.choice(self.followers)


def history_of(seed: int) -> History:
    """Return the history of a seed: always the same one."""
    writer = _Writer(seed)
    _faults(writer)
    _converted(writer)
    _busy(writer)
    _squared_off(writer)
    _unshown(writer)
    _behind(writer)
    is_blind = _blind(writer)
    while writer.now < LENGTH:
        _act(writer)
        writer.now += writer.chance.uniform(*PAUSES)
    for line in writer.lines:
        if line.held and writer.chance.random() < 0.7:
            _leave(writer, line, line.held)
            writer.now += writer.chance.uniform(0.05, 0.3)
    steps = tuple(sorted(writer.steps, key=lambda step: step.at))
    audits_seldom = (is_blind or writer.chance.random() < 0.4) and not any(step.what == "convert" for step in steps)
    return History(seed, writer.followers, steps, AUDITS[audits_seldom])


def _act(writer: _Writer) -> None:
    """Have the leader do something on some line."""
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
        _leave(writer, line, sign * lots)
    elif abs(line.held) < LARGEST:
        lots = chance.randint(1, min(4, LARGEST - abs(line.held)))
        if what > 0.85:
            _rest(writer, line, sign * lots)
        else:
            manner = _manner(writer, line, sign)
            writer.order(line, sign * lots, **manner)
            line.held += sign * lots
            if "in_pieces" in manner:
                writer.now += 0.5  # nothing else meanwhile: what is left of half an order is nobody's rule


def _manner(writer: _Writer, line: Line, sign: int) -> dict[str, Any]:
    """Return how an order that fills at once is placed."""
    manner = writer.chance.random()
    if manner < 0.2:
        return {"order_type": "LIMIT", "price": str(line.price + sign * Decimal(2))}
    if manner < 0.3:
        return {"in_pieces": 2}
    if manner < 0.36 and sign == (line.side or sign):
        return {"platform": "FOVR", "algo_order": 132611300001, "correlation_id": "NR"}
    return {}


def _leave(writer: _Writer, line: Line, lots: int) -> None:
    """Have the leader go out of signed lots that he holds, or beyond them, once what else would is cancelled."""
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


def _rest(writer: _Writer, line: Line, lots: int) -> None:
    """Have the leader place an order for signed lots that rests: away from the market, or a stop beyond it."""
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


def _change(writer: _Writer, line: Line) -> None:
    """Have the leader change, cancel, or bring to the market an order that rests."""
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


def _converted(writer: _Writer) -> None:
    """Now and then have the leader convert a position, and leave it much later: nothing but positions tells."""
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


def _busy(writer: _Writer) -> None:
    """Now and then have the leader's orders in other contracts fill without a pause while the copier starts anew.

    Meanwhile he leaves a position that was copied, and comes out of the others in the end.
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


def _squared_off(writer: _Writer) -> None:
    """Now and then have the broker square off a follower's position just before the leader leaves it."""
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


def _unshown(writer: _Writer) -> None:
    """Now and then have an entry, or its exit, be accepted and never carried out, or carried out and never shown."""
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


def _blind(writer: _Writer) -> bool:
    """Now and then lose all that the socket of the leader tells of an entry, not of its exit, long after the login."""
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


def _behind(writer: _Writer) -> None:
    """Now and then have the leader's order book be behind his updates while he changes an order that rests."""
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


def _faults(writer: _Writer) -> None:
    """Have some things go wrong."""
    chance = writer.chance
    kinds = chance.choices(list(_KINDS), [weight for _, weight in _KINDS.values()], k=chance.randint(2, 7))
    for kind in kinds:
        at = chance.uniform(0.5, LENGTH)
        for step in _KINDS[kind][0](writer, at):
            writer.steps.append(step)


def _step(at: float, what: str, **terms: Any) -> Step:
    return Step(round(at, 2), what, terms)


def _kill(writer: _Writer, at: float) -> Iterator[Step]:
    yield _step(at, "kill", down=round(writer.chance.uniform(0.0, 1.5), 2))


def _drop(writer: _Writer, at: float) -> Iterator[Step]:
    refuse = writer.chance.choice([0.0, 0.0, 1.0])
    terms = {"client_id": writer.some_account(), "reset": writer.chance.random() < 0.5, "refuse_for": refuse}
    yield _step(at, "broker", method="drop_feed", **terms)


def _mute(writer: _Writer, at: float) -> Iterator[Step]:
    account = writer.some_account()
    yield _step(at, "broker", method="mute_feed", client_id=account)
    yield _step(at + writer.chance.uniform(0.3, 2), "broker", method="mute_feed", client_id=account, muted=False)


def _lost_answer(writer: _Writer, at: float) -> Iterator[Step]:
    chance = writer.chance
    terms: dict[str, Any] = {"mischief": chance.choice(["reset", "hang", "truncate", "answer"])}
    if terms["mischief"] == "answer":
        terms |= chance.choice(
            [
                {"status": 502, "body": "<html>Bad Gateway</html>"},
                {
                    "status": 500,
                    "body": '{"errorType":"Internal_Server_Error","errorCode":"DH-908","errorMessage":"x"}',
                },
                {"status": 200, "body": ""},
                {"status": 202, "body": ""},
            ]
        )
    yield _step(
        at,
        "broker",
        method="fault",
        **terms,
        kind=chance.choice(["place", "place", "modify", "cancel", "read"]),
        client_id=writer.some_account(),
        accepted=chance.random() < 0.5,
        times=chance.choice([1, 1, 2, 4]),
    )


def _refused(writer: _Writer, at: float) -> Iterator[Step]:
    """Refusals that say nothing about the order itself, of any kind of request, for a while or some times."""
    chance = writer.chance
    code, kind = chance.choice(
        [
            ("DH-901", "place"),
            ("DH-901", "cancel"),
            ("DH-904", None),
            ("DH-904", "read"),
            ("DH-906", "cancel"),
            ("DH-906", "modify"),
            ("DH-908", "place"),
            ("DH-908", "modify"),
            ("DH-908", "cancel"),
            ("DH-908", "read"),
            ("DH-909", "read"),
            ("DH-909", "place"),
            ("DH-905", "modify"),
            ("DH-910", "cancel"),
        ]
    )
    account, times = writer.some_account(), 1 if code == "DH-901" else chance.choice([1, 2, 5, None])
    yield _step(at, "broker", method="refuse", code=code, kind=kind, client_id=account, times=times)


def _refused_entry(writer: _Writer, at: float) -> Iterator[Step]:
    """Refusals of the order itself, on a line on which the side alone tells that it is an entry."""
    chance = writer.chance
    code = chance.choice(["DH-905", "DH-906", "DH-907", "DH-910"])
    line, side = chance.choice([("45674", "BUY"), ("51000", "SELL")])
    where = {"securityId": line, "transactionType": side}
    yield _step(
        at, "broker", method="refuse", code=code, kind="place", client_id=writer.some_follower().client_id, where=where
    )


def _refused_exit(writer: _Writer, at: float) -> Iterator[Step]:
    """The same of exits, which have to go on."""
    chance = writer.chance
    code = chance.choice(["DH-905", "DH-906", "DH-907", "DH-910"])
    line, side = chance.choice([("45674", "SELL"), ("51000", "BUY")])
    where = {"securityId": line, "transactionType": side}
    follower, times = writer.some_follower().client_id, chance.choice([1, 2])
    yield _step(at, "broker", method="refuse", code=code, kind="place", client_id=follower, where=where, times=times)


def _swallowed(writer: _Writer, at: float) -> Iterator[Step]:
    chance = writer.chance
    yield _step(
        at,
        "broker",
        method="fault",
        mischief="swallow",
        kind=chance.choice(["place", "modify", "cancel", "cancel"]),
        client_id=writer.some_follower().client_id,
    )


def _empty_202(writer: _Writer, at: float) -> Iterator[Step]:
    client_id = writer.some_follower().client_id
    yield _step(at, "broker", method="fault", mischief="answer", kind="cancel", client_id=client_id, status=202)


def _hidden(writer: _Writer, at: float) -> Iterator[Step]:
    """An order that is shown late; for ever only of an exit, which the positions tell."""
    chance = writer.chance
    follower, terms = writer.some_follower().client_id, {"method": "fault", "mischief": "hide", "kind": "place"}
    if chance.random() < 0.5:
        yield _step(at, "broker", **terms, client_id=follower, hidden=round(chance.uniform(0.5, 4), 2))
    else:
        line, side = chance.choice([("45674", "SELL"), ("51000", "BUY")])
        yield _step(at, "broker", **terms, client_id=follower, where={"securityId": line, "transactionType": side})


def _lag(writer: _Writer, at: float) -> Iterator[Step]:
    chance = writer.chance
    what = chance.choice(["book", "positions", "positions", "feed", "visible"])
    seconds = round(chance.uniform(0.2, 2.0 if what == "positions" else 1.0), 2)
    began = chance.choice([0.1, at])
    account = writer.some_account()
    yield _step(began, "broker", method="lag", client_id=account, **{what: seconds})
    if chance.random() < 0.5:
        yield _step(began + chance.uniform(1, 5), "broker", method="lag", client_id=account, **{what: 0.0})


def _frames(writer: _Writer, at: float) -> Iterator[Step]:
    chance = writer.chance
    fate: dict[str, Any] = chance.choice([{"copies": 0}, {"copies": 0}, {"copies": 2}, {"delay": 0.4}, {"delay": 1.5}])
    times = chance.randint(1, 6)
    spread = chance.choice([1.0, 0.5])
    account = LEADER if chance.random() < 0.6 else writer.some_account()
    yield _step(at, "broker", method="frame_fault", client_id=account, times=times, chance=spread, **fate)


def _foreign_rows(writer: _Writer, at: float) -> Iterator[Step]:
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
    yield _step(0.1 if chance.random() < 0.7 else at, "foreign_row", client_id=writer.some_account(), odd=odd)
    if chance.random() < 0.3:
        row = {"exchangeSegment": "NSE_COMM", "securityId": "9", "productType": "MARGIN", "netQty": 5}
        yield _step(at, "broker", method="add_row", told="position", client_id=writer.some_account(), fields=row)


def _foreign_frames(writer: _Writer, at: float) -> Iterator[Step]:
    account = writer.chance.choice([LEADER, writer.some_follower().client_id])
    yield _step(at, "broker", method="echo", client_id=STRANGER, others=[account])
    for number in range(3):
        yield _step(at + 0.3 * number, "stranger", side="BUY", security_id="45674", quantity=130)


def _odd_fields(writer: _Writer, at: float) -> Iterator[Step]:
    chance = writer.chance
    told = chance.choice(["frame", "row"])
    names = {
        "frame": ["tickSize", "lotSize", "strikePrice", "refLtp", "exchOrderTime", "expiryDate", "symbol", "isin"],
        "row": ["createTime", "exchangeTime", "drvExpiryDate", "drvStrikePrice", "omsErrorCode", "algoId", "legName"],
    }[told]
    where = {"method": "rewrite", "told": told, "client_id": chance.choice([LEADER, None])}
    match chance.randrange(5):
        case 0:
            yield _step(at, "broker", **where, removed=chance.sample(names, 2))
        case 1:
            odd: Any = chance.choice([None, "many", -1, {}, [1], "NaN"])
            yield _step(at, "broker", **where, put={chance.choice(names): odd})
        case 2:
            for place in ("frame", "row"):  # as the broker spells them, it does so everywhere
                yield _step(at, "broker", **where | {"told": place}, spelling="%d/%m/%Y %H:%M:%S")
        case 3:
            yield _step(at, "broker", **where, shift=-chance.choice([2, 5, 30]), times=chance.choice([1, 3, None]))
        case _:  # what decides cannot be read in some updates: the order book has it
            decides = chance.choice(["orderNo", "status", "quantity", "txnType", "product", "securityId"])
            put: dict[str, Any] = {decides: chance.choice([None, {}, "?"])}
            terms = where | {"told": "frame", "put": put, "times": chance.randint(1, 4)}
            yield _step(at, "broker", **terms)


def _other_hands(writer: _Writer, at: float) -> Iterator[Step]:
    """Somebody trades in a follower's account: sells of what was copied, buys, or squares off, which rests first."""
    chance = writer.chance
    follower = writer.some_follower()
    lots = chance.randint(1, 2)
    side = chance.choice(["SELL", "SELL", "BUY"])
    yield _step(at, "hand", follower=follower.name, side=side, security_id="45674", quantity=65 * lots)


def _halt(writer: _Writer, at: float) -> Iterator[Step]:
    line = writer.chance.choice(writer.lines).security_id
    yield _step(at, "broker", method="halt", security_id=line)
    yield _step(at + writer.chance.uniform(0.3, 1.5), "broker", method="resume", security_id=line)


def _clock(writer: _Writer, at: float) -> Iterator[Step]:
    yield _step(at, "broker", method="set_clock", skew=writer.chance.choice([-30.0, -3.0, 2.0, 30.0]))


def _command(writer: _Writer, at: float) -> Iterator[Step]:
    name = writer.some_follower().name
    if writer.chance.random() < 0.5:
        yield _step(at, "command", words=["flatten", name, "--yes"])
    else:
        yield _step(at, "command", words=["pause", name])
        yield _step(at + writer.chance.uniform(1, 3), "command", words=["resume", name])


def _own_id(writer: _Writer, at: float) -> Iterator[Step]:
    """An order with an id like ours on the leader's account: not his."""
    terms = {
        "side": writer.chance.choice(["BUY", "SELL"]),
        "quantity": 65,
        "order_type": "MARKET",
        "correlation_id": "ct-1-1",
    }
    yield _step(at, "place", name=f"own{at}", security_id="45675", product="MARGIN", **terms)


#: What can go wrong, and how often of all that does.
_KINDS: dict[str, tuple[Callable[[_Writer, float], Iterator[Step]], int]] = {
    "kill": (_kill, 14),
    "drop": (_drop, 8),
    "mute": (_mute, 4),
    "lost answer": (_lost_answer, 14),
    "refused": (_refused, 12),
    "refused entry": (_refused_entry, 4),
    "refused exit": (_refused_exit, 4),
    "swallowed": (_swallowed, 6),
    "empty 202": (_empty_202, 4),
    "hidden": (_hidden, 6),
    "lag": (_lag, 14),
    "frames": (_frames, 12),
    "foreign rows": (_foreign_rows, 6),
    "foreign frames": (_foreign_frames, 4),
    "odd fields": (_odd_fields, 10),
    "other hands": (_other_hands, 5),
    "halt": (_halt, 3),
    "clock": (_clock, 3),
    "command": (_command, 4),
    "own id": (_own_id, 3),
}
