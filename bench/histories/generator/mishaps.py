"""Every kind of mishap, and how often it occurs in a history."""

from collections.abc import Callable, Iterator

from bench.histories.generator import requests, updates
from bench.histories.generator.writer import LENGTH, Writer, step
from bench.histories.history import Step


def _kill(writer: Writer, at: float) -> Iterator[Step]:
    yield step(at, "kill", down=round(writer.chance.uniform(0.0, 1.5), 2))


def _other_hands(writer: Writer, at: float) -> Iterator[Step]:
    """Somebody else trades in a follower's account: he sells copied units, or buys more of them."""
    chance = writer.chance
    follower = writer.some_follower()
    lots = chance.randint(1, 2)
    side = chance.choice(["SELL", "SELL", "BUY"])
    yield step(at, "hand", follower=follower.name, side=side, security_id="45674", quantity=65 * lots)


def _halt(writer: Writer, at: float) -> Iterator[Step]:
    line = writer.chance.choice(writer.lines).security_id
    yield step(at, "broker", method="halt", security_id=line)
    yield step(at + writer.chance.uniform(0.3, 1.5), "broker", method="resume", security_id=line)


def _clock(writer: Writer, at: float) -> Iterator[Step]:
    yield step(at, "broker", method="set_clock", skew=writer.chance.choice([-30.0, -3.0, 2.0, 30.0]))


def _command(writer: Writer, at: float) -> Iterator[Step]:
    name = writer.some_follower().name
    if writer.chance.random() < 0.5:
        yield step(at, "command", words=["flatten", name, "--yes"])
    else:
        yield step(at, "command", words=["pause", name])
        yield step(at + writer.chance.uniform(1, 3), "command", words=["resume", name])


def _own_id(writer: Writer, at: float) -> Iterator[Step]:
    """An order on the leader's account with a correlation id like ours: it is not his, and must not be copied."""
    terms = {
        "side": writer.chance.choice(["BUY", "SELL"]),
        "quantity": 65,
        "order_type": "MARKET",
        "correlation_id": "ct-1-1",
    }
    yield step(at, "place", name=f"own{at}", security_id="45675", product="MARGIN", **terms)


#: Every kind of mishap with its weight in the draw.
KINDS: dict[str, tuple[Callable[[Writer, float], Iterator[Step]], int]] = {
    "kill": (_kill, 14),
    "drop": (updates.drop, 8),
    "mute": (updates.mute, 4),
    "lost answer": (requests.lost_answer, 14),
    "refused": (requests.refused, 12),
    "refused entry": (requests.refused_entry, 4),
    "refused exit": (requests.refused_exit, 4),
    "swallowed": (requests.swallowed, 6),
    "empty 202": (requests.empty_202, 4),
    "hidden": (requests.hidden, 6),
    "lag": (updates.lag, 14),
    "frames": (updates.frames, 12),
    "foreign rows": (updates.foreign_rows, 6),
    "foreign frames": (updates.foreign_frames, 4),
    "odd fields": (updates.odd_fields, 10),
    "other hands": (_other_hands, 5),
    "halt": (_halt, 3),
    "clock": (_clock, 3),
    "command": (_command, 4),
    "own id": (_own_id, 3),
}


def add_mishaps(writer: Writer) -> None:
    """Write down two to seven mishaps, each at a random moment while the leader trades."""
    chance = writer.chance
    kinds = chance.choices(list(KINDS), [weight for _, weight in KINDS.values()], k=chance.randint(2, 7))
    for kind in kinds:
        at = chance.uniform(0.5, LENGTH)
        steps_of, _ = KINDS[kind]
        writer.steps.extend(steps_of(writer, at))
