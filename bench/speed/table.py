"""The figures of a run as a page of tables, without its single measurements."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any

_STEADY = """
Steady orders of the leader: milliseconds from his frame to the last follower's request, and to the first; the spread is
the median time between the two. A pace is the seconds between two orders.

| trial | followers | orders | pace | last p50/p99/max | first p50/p99 | spread | CPU a copy | memory | ready | missed |
|---|---|---|---|---|---|---|---|---|---|---|
"""

_OTHERS = """
The other trials:

| trial | figure | value |
|---|---|---|
"""


def table_of(results: Mapping[str, Any]) -> str:
    """Return a run as Markdown."""
    steady = [(one["contestant"], one) for one in results["steady"]]
    if "sustained" in results:
        steady.append(("sustained", results["sustained"]))
    lines = [f"| {name} | {_row(one)} |" for name, one in steady]
    others = [f"| {' | '.join(cells)} |" for cells in _others(results)]
    text = f"# Speed, {results['date']}\n\n{results['machine']}\n{_STEADY}" + "\n".join(lines) + "\n"
    return text + (_OTHERS + "\n".join(others) + "\n" if others else "")


def _row(one: Mapping[str, Any]) -> str:
    last, first = one["last_ms"], one["first_ms"]
    return (
        f"{one['followers']} | {one['orders']} | {one['pace']:g} s | {last['p50']} / {last['p99']} / {last['max']}"
        f" | {first['p50']} / {first['p99']} | {one['spread_ms']['p50']} | {one['cpu_ms_per_copy']:.2f} ms"
        f" | {one['memory_mb']} MB | {one['ready_s']} s | {one['missed']}"
    )


def _others(results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield trial, figure and value of everything that is not in the table of steady orders."""
    for trial in ("burst", "storm", "lone", "idle"):
        for name, value in results.get(trial, {}).items():
            if name == "course":
                continue
            figures = isinstance(value, dict)
            yield trial, name, " / ".join(f"{which} {ms}" for which, ms in value.items()) if figures else str(value)
    if "sustained" in results:
        memory = ", ".join(map(str, results["sustained"]["memory_course"]))
        course = [took for _, took in results["sustained"]["course"]]
        tenth = len(course) // 10
        medians = [statistics.median(course[n * tenth : (n + 1) * tenth]) for n in range(10)]
        yield "sustained", "p50 of each tenth of the orders, ms", ", ".join(f"{median:.1f}" for median in medians)
        yield "sustained", "memory at the start and after each tenth, MB", memory
