"""A leader who trades without pause while the copier is killed, feeds drop and answers are lost.

In the end the broker's books are compared with those of a run in which nothing went wrong.

    python -m bench.reliability.storm --orders 500 --kills 200
    python -m bench.reliability.storm --orders 200 --gaps 20 --gap-seconds 30
    python -m bench.reliability.storm --orders 200 --faults 0.06
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from bench.reliability.rig import CLIENTS, KEPT, LEADER, LOT, PRICE, TRADED, Rig, Verdict, judge, start_broker, state

#: Seconds within which everything has to be right after the last mishap.
PATIENCE = 90.0

#: The most lots in one order: less than the freeze quantity.
LARGEST = 12

#: The shortest and the longest time between two kills, in seconds.
LIVES = (0.3, 4.0)


@dataclass(frozen=True)
class Plan:
    """What happens in a storm. ``faults`` is the chance that an answer is lost beside an action of the leader."""

    seed: int
    orders: int
    kills: int = 0
    gaps: int = 0
    gap_seconds: float = 30.0
    faults: float = 0.0
    window: float = 3.0
    pace: float | None = None


def steps(plan: Plan) -> list[Callable[[Rig, list[str]], None]]:
    """Return the actions of the leader: always the same for the same seed.

    In one contract he buys by orders that are modified, cancelled, or brought to the market. They rest far below it, so
    that no copy fills while it cannot be cancelled. In another contract he buys at the market, and sells all that he
    holds. He never sells a part: a follower that missed an entry would sell its share in whole lots, and could end a
    part of a lot away from what is due.
    """
    chance = random.Random(plan.seed)
    found: list[Callable[[Rig, list[str]], None]] = []
    resting: dict[int, int] = {}
    done = held = 0
    while done < plan.orders:
        what, lots = chance.random(), 2 * chance.randrange(1, 5)
        below = PRICE - Decimal(chance.randrange(100, 600)) / 20
        some = chance.choice(list(resting)) if resting else None
        if what < 0.4 or some is None:
            found.append(_place(KEPT, "BUY", lots, "LIMIT", below))
            resting[done] = lots
            done += 1
        elif what < 0.5:
            found.append(_place(TRADED, "BUY", lots, "MARKET", Decimal(0)))
            held += lots
            done += 1
        elif what < 0.6 and held:
            while held:
                found.append(_place(TRADED, "SELL", min(held, LARGEST), "MARKET", Decimal(0)))
                held -= min(held, LARGEST)
                done += 1
        elif what < 0.8:
            found.append(_modify(some, lots, below))
            resting[some] = lots
        elif what < 0.9:
            found.append(_modify(some, resting.pop(some), PRICE))
        else:
            found.append(_cancel(some))
            del resting[some]
    return found


def _place(contract: str, side: str, lots: int, order_type: str, price: Decimal) -> Callable[[Rig, list[str]], None]:
    def step(rig: Rig, ids: list[str]) -> None:
        terms = {
            "side": side,
            "security_id": contract,
            "quantity": lots * LOT,
            "order_type": order_type,
            "price": price,
        }
        ids.append(rig.broker.control("place", client_id=LEADER, **terms))

    return step


def _modify(index: int, lots: int, price: Decimal) -> Callable[[Rig, list[str]], None]:
    def step(rig: Rig, ids: list[str]) -> None:
        rig.broker.control("modify", client_id=LEADER, order_id=ids[index], quantity=lots * LOT, price=price)

    return step


def _cancel(index: int) -> Callable[[Rig, list[str]], None]:
    def step(rig: Rig, ids: list[str]) -> None:
        rig.broker.control("cancel", client_id=LEADER, order_id=ids[index])

    return step


@dataclass
class Result:
    """The end of a run.

    ``converged_in`` is the seconds from the last mishap until everything was right, ``sent_after`` the requests in the
    three seconds after that, ``starts`` how often the copier was started.
    """

    verdict: Verdict
    state: dict[str, object]
    converged_in: float
    sent_after: int
    starts: int
    seconds: float


def run(plan: Plan, folder: Path) -> Result:
    """Run a storm, wait until everything is at rest, and judge it."""
    chance = random.Random(plan.seed + 1)
    broker = start_broker()
    rig = Rig(broker, folder)
    rig.configure(window=plan.window)
    began = time.monotonic()
    try:
        rig.start()
        _wait_until_connected(rig)
        _storm(rig, plan, chance)
        broker.control("clear_faults")
        if rig.process is None:
            rig.start()
        calm = time.monotonic()
        while not judge(rig).is_right and time.monotonic() - calm < PATIENCE:
            time.sleep(0.25)
        converged_in = time.monotonic() - calm
        sent = rig.writes()
        time.sleep(3.0)  # long enough for audits, which would correct what is not right yet
        after = rig.writes() - sent
        code = rig.stop()
        if code:
            raise SystemExit(f"the copier ended with exit code {code}: see {folder}")
        return Result(judge(rig), state(rig), converged_in, after, rig.starts, time.monotonic() - began)
    finally:
        rig.kill()
        broker.stop()


def _storm(rig: Rig, plan: Plan, chance: random.Random) -> None:
    """Have the leader act at a pace that spreads the mishaps over his actions."""
    todo = steps(plan)
    mishaps = _mishaps(rig, plan, chance)
    length = plan.kills * sum(LIVES) / 2 + plan.gaps * (plan.gap_seconds + 2.0)
    pace = plan.pace or (length / len(todo) if length else 0.15)
    ids: list[str] = []
    began = time.monotonic()
    due = next(mishaps, None)
    for number, step in enumerate(todo):
        while (wait := began + number * pace - time.monotonic()) > 0 or (due and number == len(todo) - 1):
            if due and time.monotonic() >= began + due[0]:
                due[1]()
                due = next(mishaps, None)
            else:
                time.sleep(min(0.01, max(wait, 0.001)))
        if chance.random() < plan.faults:
            _add_fault(rig, chance)
        step(rig, ids)


def _mishaps(rig: Rig, plan: Plan, chance: random.Random) -> "itertools.chain[tuple[float, Callable[[], object]]]":
    """Return the mishaps, each with its second of the storm."""
    kills: list[tuple[float, Callable[[], object]]] = []
    moment = 0.0
    for _ in range(plan.kills):
        moment += chance.uniform(*LIVES)
        kills.append((moment, rig.cut_power))
    gaps: list[tuple[float, Callable[[], object]]] = [
        (
            1.0 + number * (plan.gap_seconds + 2.0),
            lambda: rig.broker.control("drop_feed", client_id=LEADER, refuse_for=plan.gap_seconds),
        )
        for number in range(plan.gaps)
    ]
    return itertools.chain(sorted([*kills, *gaps], key=lambda mishap: mishap[0]))


def _add_fault(rig: Rig, chance: random.Random) -> None:
    """Have the answer to a follower's next request be lost; the request may be carried out."""
    mischief = chance.choice(["reset", "hang", "truncate", "answer"])
    body = {"status": 502, "body": "<html>Bad Gateway</html>"} if mischief == "answer" else {}
    rig.broker.control(
        "fault",
        mischief=mischief,
        kind=chance.choice(["place", "modify", "cancel"]),
        client_id=chance.choice(list(CLIENTS.values())),
        accepted=chance.random() < 0.5,
        **body,
    )


def _wait_until_connected(rig: Rig) -> None:
    deadline = time.monotonic() + 20
    while not rig.broker.control("feed_connections", client_id=LEADER) and time.monotonic() < deadline:
        time.sleep(0.02)


def main() -> int:
    """Run a storm with mishaps, and the same without; return 0 if both end right and alike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--gaps", type=int, default=0)
    parser.add_argument("--gap-seconds", type=float, default=30.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--window", type=float, default=3.0)
    options = parser.parse_args()
    plan = Plan(**vars(options))
    with tempfile.TemporaryDirectory() as rough, tempfile.TemporaryDirectory() as smooth:
        result = run(plan, Path(rough))
        print(f"with {options.kills} kills, {options.gaps} gaps, faults {options.faults:g}: {result.verdict}")
        print(
            f"  {result.seconds:.0f} s, {result.starts} starts, right {result.converged_in:.1f} s after the last of it"
        )
        print(f"  requests sent once all was right: {result.sent_after}")
        calm = run(Plan(plan.seed, plan.orders, window=plan.window, pace=0.15), Path(smooth))
        print(f"with none: {calm.verdict}, {calm.seconds:.0f} s")
    alike = calm.state == result.state
    print(f"the accounts end {'alike' if alike else 'DIFFERENTLY'}")
    return 0 if alike and result.verdict.is_right and calm.verdict.is_right and not result.sent_after else 1


if __name__ == "__main__":
    sys.exit(main())
