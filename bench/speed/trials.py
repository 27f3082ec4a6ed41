"""The trials: steady orders for one or many followers, a burst, a storm, a leader who takes his time, and idling."""

import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from actors.system.keep_warm import LIVELY_FOR
from bench.speed.board.watched import watched
from bench.speed.contestants import LEADER, ROOT, Contestant, accounts_of, start_bare, start_broker, start_ours
from bench.speed.measures import busiest_second, figures, first_frames, reactions
from copytrade.paper.exchange.matching import PER_SECOND
from copytrade.paper.process import PaperProcess

#: The contestants of every trial of steady orders.
CONTESTANTS = ("ours", "sdk", "raw")

#: Orders before those that count.
WARM_UP = 5

#: How often memory is measured in a trial.
MEMORY_LOOKS = 10

#: Seconds after a start by which the reads that follow a login are over.
READS_OVER = 21.0

#: Seconds without a request after which no more are expected; the shorter if none can be waiting for the budget.
QUIET, SHORT_QUIET = 1.5, 0.3

_ORDER: dict[str, object] = {"side": "BUY", "security_id": "45674", "quantity": 65, "price": 90}


@contextmanager
def trial(contestant: str, followers: int, per_second: int = PER_SECOND) -> Iterator[tuple[PaperProcess, Contestant]]:
    """Run a contestant beside a broker of its own that takes ``per_second`` requests of an account a second."""
    with tempfile.TemporaryDirectory() as folder:
        broker = start_broker(followers, per_second)
        try:
            if contestant in ("ours", "watched"):
                running = start_ours(broker, followers, Path(folder), per_second, board=contestant == "watched")
            else:
                running = start_bare(contestant, broker, followers, Path(folder))
            try:
                with watched(ROOT / "run.py", Path(folder)) if contestant == "watched" else nullcontext():
                    yield broker, running
            finally:
                running.stop()
        finally:
            broker.stop()


def pace_of(followers: int) -> float:
    """Return the seconds between two steady orders: enough for the broker's own work for one to end before the next."""
    return max(0.15, followers * 0.005)


def steady(
    contestant: str,
    followers: int,
    orders: int,
    pace: float | None = None,
    quiet: float = QUIET,
    per_second: int = PER_SECOND,
) -> dict[str, Any]:
    """Measure leader orders, one every ``pace`` seconds, until ``quiet`` seconds pass without a request."""
    pace = pace or pace_of(followers)
    with trial(contestant, followers, per_second) as (broker, running):
        _place(broker, WARM_UP, max(pace, pace_of(followers)))
        _until_quiet(broker, followers, quiet)
        cpu, began = running.cpu, time.monotonic()
        placed: list[str] = []
        memory = [round(running.memory)]
        for part in _parts(orders, MEMORY_LOOKS):
            placed += _place(broker, part, pace)
            memory.append(round(running.memory))
        _until_quiet(broker, followers, quiet)
        cpu = running.cpu - cpu
        writes = _writes(broker, followers)
        found = reactions(placed, first_frames(broker.control("sent_frames", client_id=LEADER[0])), writes)
        return {
            "contestant": contestant,
            "followers": followers,
            "orders": orders,
            "pace": pace,
            "seconds": round(time.monotonic() - began, 1),
            "missed": sum(reaction.missed for reaction in found),
            "refused": sum(write["status"] != 200 for account in writes for write in account),
            "last_ms": figures(reaction.last for reaction in found),
            "first_ms": figures(reaction.first for reaction in found),
            "spread_ms": figures(reaction.spread for reaction in found),
            "cpu_ms_per_copy": round(cpu * 1000 / (orders * followers), 3),
            "memory_mb": memory[-1],
            "memory_course": memory,
            "deepest_mailbox": running.deepest_mailbox,
            "ready_s": round(running.ready_after, 2),
            "course": [(round(r.at - found[0].at, 2), round(r.last, 2)) for r in found],
        }


def _parts(orders: int, parts: int) -> list[int]:
    """Return the number of orders in each part, as even as possible."""
    return [size for n in range(parts) if (size := orders * (n + 1) // parts - orders * n // parts)]


def burst(followers: int, orders: int = 15) -> dict[str, Any]:
    """Measure orders that the leader places at once: the budget lets ten requests out, and the rest a second later."""
    with trial("ours", followers) as (broker, _running):
        _place(broker, WARM_UP, 0.15)
        time.sleep(1.2)  # until the budget is full again
        placed = _place(broker, orders, 0.0)
        _until_quiet(broker, followers)
        sent = min(first_frames(broker.control("sent_frames", client_id=LEADER[0]))[order] for order in placed)
        tenth, last, busiest, refused, total = [], [], 0, 0, 0
        course: dict[int, list[float]] = defaultdict(list)
        for account in _writes(broker, followers):
            times = sorted(write["at"] for write in account)
            burst_times = [at - sent for at in times if at > sent]
            tenth.append(burst_times[9] * 1000)
            last.append(burst_times[-1] * 1000)
            for number, at in enumerate(burst_times, 1):
                course[number].append(at * 1000)
            total += len(burst_times)
            busiest = max(busiest, busiest_second(times))
            refused += sum(write["status"] != 200 for write in account)
        return {
            "followers": followers,
            "orders": orders,
            "requests": total,
            "tenth_ms": figures(tenth),
            "last_ms": figures(last),
            "busiest_second": busiest,
            "refused": refused,
            "course": [
                (n, round(statistics.median(all_n), 2), round(max(all_n), 2)) for n, all_n in sorted(course.items())
            ],
        }


def storm(followers: int, changes: int = 24) -> dict[str, Any]:
    """Measure modifications of one leader order in quick succession: all may be left out but the last.

    The broker takes at most 25 modifications of an order, also of the leader's.
    """
    with trial("ours", followers) as (broker, _running):
        (order,) = _place(broker, 1, 0.0)
        _until_quiet(broker, followers, SHORT_QUIET)
        time.sleep(1.2)
        began = time.monotonic()
        for change in range(changes):
            broker.control("modify", client_id=LEADER[0], order_id=order, price=91 + change / 20)
        took, final = time.monotonic() - began, 91 + (changes - 1) / 20
        _until_quiet(broker, followers)
        applied, requests, busiest, refused = [], [], 0, 0
        for (client_id, _), account in zip(accounts_of(followers), _writes(broker, followers), strict=True):
            changed = [write for write in account if write["kind"] == "modify"]
            requests.append(len(changed))
            applied.append(broker.control("orders", client_id=client_id)[-1]["price"] == final)
            busiest = max(busiest, busiest_second(write["at"] for write in account))
            refused += sum(write["status"] != 200 for write in account)
        return {
            "followers": followers,
            "changes": changes,
            "seconds": round(took, 2),
            "requests_per_follower": round(statistics.mean(requests), 1),
            "last_applied": f"{sum(applied)}/{followers}",
            "busiest_second": busiest,
            "refused": refused,
        }


def lone(orders: int, pace: float) -> dict[str, Any]:
    """Measure one follower of a leader who places an order every ``pace`` seconds, as people do."""
    found = {contestant: steady(contestant, 1, orders, pace) for contestant in CONTESTANTS}
    return {
        "orders": orders,
        "pace": pace,
        "missed": sum(one["missed"] for one in found.values()),
        **{contestant: one["last_ms"] for contestant, one in found.items()},
    }


def idle(followers: int, seconds: float) -> dict[str, Any]:
    """Measure the processor time of waiting, beside that of a bare thread that waits.

    It is measured soon after an order, while the next is expected, and once none has come for a while.
    """
    with trial("ours", followers) as (broker, running):
        _place(broker, 1, 0.0)
        ordered = time.monotonic()
        _until_quiet(broker, followers)
        time.sleep(READS_OVER)
        if (lively := ordered + LIVELY_FOR - time.monotonic()) < 1.0:
            raise RuntimeError("it took a minute until nothing more was sent")
        soon = _busy_percent(running, min(seconds, lively))
        time.sleep(max(0.0, ordered + LIVELY_FOR + 1.0 - time.monotonic()))
        return {
            "followers": followers,
            "seconds": seconds,
            "cpu_percent": _busy_percent(running, seconds),
            "soon_after_an_order_percent": soon,
            "bare_percent": round(_bare_waiting(seconds / 3), 2),
            "memory_mb": round(running.memory),
        }


def _busy_percent(running: Contestant, seconds: float) -> float:
    """Return the percentage of one processor used during so many seconds."""
    cpu = running.cpu
    time.sleep(seconds)
    return round((running.cpu - cpu) / seconds * 100, 2)


def _bare_waiting(seconds: float) -> float:
    """Return the percentage of one processor used by a thread that only waits, for 15 ms at a time."""
    nothing, cpu, until = threading.Event(), time.thread_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        nothing.wait(0.015)
    return (time.thread_time() - cpu) / seconds * 100


def _place(broker: PaperProcess, orders: int, pace: float) -> list[str]:
    """Place leader orders, one every ``pace`` seconds; return their ids."""
    placed = []
    due = time.monotonic()
    for _ in range(orders):
        placed.append(str(broker.control("place", client_id=LEADER[0], **_ORDER)))
        due += pace
        time.sleep(max(0.0, due - time.monotonic()))
    return placed


def _writes(broker: PaperProcess, followers: int) -> list[list[dict[str, Any]]]:
    return [broker.control("writes", client_id=client_id) for client_id, _ in accounts_of(followers)]


def _until_quiet(broker: PaperProcess, followers: int, quiet: float = QUIET, patience: float = 60.0) -> None:
    """Wait until no request has come in for ``quiet`` seconds, at most ``patience`` seconds."""
    last = accounts_of(followers)[-1][0]
    deadline, count, since = time.monotonic() + patience, -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < quiet:
        time.sleep(0.1)
        now = len(broker.control("writes", client_id=last))
        if now != count:
            count, since = now, time.monotonic()
