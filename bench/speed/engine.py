"""What the engine takes for one copy, in microseconds of one thread, while fifty others rest on the same line.

python -m bench.speed.engine
"""

import gc
import statistics
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ParamSpec, TypeVar

from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Policy
from copytrade.core.engine.context import MarketRules
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.engine import CopyEngine
from copytrade.core.ledger.sizing import Capitals, SizingPolicy, Strategy
from copytrade.core.market.freeze import load_freeze_table
from copytrade.core.market.sessions import load_market_hours
from copytrade.core.model.copies import Copy
from copytrade.core.model.instruments import Instrument
from copytrade.core.model.orders import (
    InstrumentKey,
    Order,
    OrderType,
    Product,
    Segment,
    Side,
    Source,
    Status,
    Validity,
)

ORDERS, RESTING, REPETITIONS = 2000, 50, 5
LOT = 65
BEGAN = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
OPTION = InstrumentKey(Segment.NSE_FNO, "45678")
POLICY = Policy(
    instruments=frozenset({"OPTIDX"}),
    sizing=SizingPolicy(Strategy.CAPITAL_PROPORTIONAL, max_lots=20),
    copying_since=BEGAN,
    unfilled_after=1e9,
)
Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")


class Stopwatch:
    """The total seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, step: str, work: Callable[Asked, Answer], *args: Asked.args, **more: Asked.kwargs) -> Answer:
        """Call ``work``, and add the time to a step."""
        began = time.perf_counter()
        answer = work(*args, **more)
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began
        return answer


def an_engine() -> CopyEngine:
    """Return the engine of a follower half as large as the leader; neither holds anything."""
    market_rules = MarketRules(load_freeze_table(), load_market_hours())
    engine = CopyEngine("alice", POLICY, Capitals(Decimal(1_000_000), Decimal(510_000)), market_rules)
    engine.load((), (), (), BEGAN, 0.0)
    engine.know_instruments({OPTION: Instrument("OPTIDX", "NIFTY-Dec2026-26000-CE", "NIFTY", LOT, Decimal("0.05"))})
    engine.leader_positions_read({}, BEGAN, BEGAN.date())
    engine.own_positions_read({}, BEGAN)
    engine.set_gate(is_open=True)
    return engine


def leader_order(number: int, now: datetime) -> Order:
    """Return one of the leader's limit orders, 2 to 7 lots."""
    return Order(
        id=str(112611230000 + number),
        client_id="1000000001",
        status=Status.PENDING,
        side=Side.BUY,
        key=OPTION,
        product=Product.MARGIN,
        order_type=OrderType.LIMIT,
        validity=Validity.DAY,
        quantity=LOT * (2 + number % 6),
        price=Decimal(2000 + number % 40) / 20,
        observed_at=now,
        created_at=now,
        updated_at=now,
        source=Source.FEED,
    )


def filled(order: Order, now: datetime) -> Order:
    """Return an order as it is once it has filled."""
    return replace(
        order, status=Status.TRADED, filled_quantity=order.quantity, average_price=order.price, updated_at=now
    )


def copy_all(watch: Stopwatch) -> None:
    """Copy every leader order and, once fifty rest, fill the oldest."""
    engine, resting, now = an_engine(), deque[tuple[Order, Order]](), BEGAN

    def begun(leader: Order) -> tuple[Place, Copy]:
        engine.leader_changed(leader, 1.0)
        engine.scheduler.consider(now)
        picked = engine.scheduler.pick(now) if engine.scheduler.lane() is not None else None
        if picked is None or not isinstance(picked[1], Place):
            raise SystemExit(f"{leader.id} is not copied")
        changed = engine.begin(*picked, now)
        engine.positions.ledger.take_unwritten()
        return picked[1], changed.after

    def taken(copy_id: tuple[str, int], after: Copy) -> None:
        engine.execution.settle(copy_id, after, 2.0)
        engine.scheduler.consider(now)
        engine.scheduler.lane()

    def told(leader: Order | None, own: Order) -> None:
        if leader is not None:
            engine.leader_changed(leader, 3.0)
            engine.scheduler.consider(now)
        engine.own_orders.seen(own, 3.0)
        engine.scheduler.consider(now)
        engine.scheduler.lane()

    for number in range(ORDERS):
        now += timedelta(milliseconds=20)
        leader = leader_order(number, now)
        place, copy = watch.time("decided and begun", begun, leader)
        after = transitions.accepted(copy, f"F{number}", None)
        watch.time("answered", taken, (leader.id, place.n), after)
        own = replace(leader, id=f"F{number}", quantity=place.desired.quantity, correlation_id=copy.correlation_id)
        watch.time("shown by the feed", told, None, own)
        resting.append((leader, own))
        if len(resting) > RESTING:
            leader, own = resting.popleft()
            watch.time("filled, the leader's and the copy", told, filled(leader, now), filled(own, now))


def main() -> None:
    """Print the median and the least of the repetitions, by step."""
    runs = []
    for _ in range(REPETITIONS):
        gc.collect()
        gc.disable()
        watch = Stopwatch()
        copy_all(watch)
        gc.enable()
        runs.append(watch.seconds)
    for step in runs[0]:
        each = [run[step] / ORDERS * 1e6 for run in runs]
        print(f"{step:36}{statistics.median(each):8.1f} µs, at best {min(each):.1f}")


if __name__ == "__main__":
    main()
