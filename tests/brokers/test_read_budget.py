import itertools
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.app.policies import read_windows_of
from copytrade.brokers.budget import Window
from copytrade.brokers.read_budget import PAUSE_FIRST, PAUSE_LONGEST, ReadBudget, ReadLane
from copytrade.settings import Reads

WINDOWS = read_windows_of(Reads())
HELD_BACK = [lane for lane in ReadLane if lane is not ReadLane.URGENT]


def read(budget: ReadBudget, now: float, lane: ReadLane, takes: float = 0.1) -> float:
    """Wait until it may be read, read, and return when that was answered."""
    while delay := budget.delay(now, lane):
        now += delay
    budget.begin(now, lane)
    budget.end(now + takes)
    return now + takes


@given(
    st.lists(
        st.tuples(st.sampled_from(HELD_BACK), st.floats(0, 30), st.floats(0, 2), st.floats(0, 1)),
        min_size=1,
        max_size=150,
    )
)
def test_no_window_at_the_broker_holds_more_reads_than_the_settings_say(
    reads: list[tuple[ReadLane, float, float, float]],
) -> None:
    budget, now, arrivals = ReadBudget([Window(2, 1.0), Window(10, 60.0), Window(40, 600.0)]), 0.0, []
    for lane, pause, takes, where in reads:
        ended = read(budget, now + pause, lane, takes)
        arrivals.append(ended - takes + where * takes)
        now = ended
    for limit, seconds in ((2, 1.0), (10, 60.0), (40, 600.0)):
        for end in arrivals:
            assert bisect_right(arrivals, end) - bisect_left(arrivals, end - seconds + 1e-6) <= limit


def test_an_urgent_read_waits_for_no_window_and_counts_in_all() -> None:
    budget = ReadBudget(WINDOWS)
    for _ in range(700):
        budget.begin(100.0, ReadLane.URGENT)
        budget.end(100.0)
        assert budget.delay(100.0, ReadLane.URGENT) == 0
    assert budget.delay(100.0, ReadLane.AWAITED) == 3600.0


def test_what_somebody_waits_for_is_read_each_second() -> None:
    budget, now = ReadBudget(WINDOWS), 0.0
    for _ in range(12):
        now = read(budget, now, ReadLane.AWAITED)
    assert now < 13.5


def busy_hours(*always: ReadLane) -> dict[ReadLane, list[float]]:
    """Return when was read for whom, in six hours in which all that is always wanted, and audits are due."""
    budget, now = ReadBudget(WINDOWS), 0.0
    seen: dict[ReadLane, list[float]] = {lane: [0.0] for lane in (*always, ReadLane.AUDIT)}
    while now < 6 * 3600.0:
        audits = len(seen[ReadLane.AUDIT]) < 3 * (1 + now // 60)
        lanes = [lane for lane in seen if (lane is ReadLane.AUDIT) <= audits]
        delay, lane = min((budget.delay(now, lane), lane) for lane in lanes)
        if delay > 1.0:
            now += 1.0
        else:
            now = read(budget, now + max(0.0, delay), lane)
            seen[lane].append(now)
    return seen


def longest(moments: list[float]) -> float:
    return max(later - earlier for earlier, later in itertools.pairwise(moments))


def test_looks_at_the_leaders_book_come_each_second_for_minutes_and_then_evenly() -> None:
    """He trades ten times a second for a whole day."""
    seen = busy_hours(ReadLane.NEWS)
    assert longest(seen[ReadLane.NEWS][:240]) < 5.0
    assert longest(seen[ReadLane.NEWS]) < 30.0
    assert longest(seen[ReadLane.AUDIT]) < 65.0


def test_results_never_wait_long_however_much_is_filled() -> None:
    seen = busy_hours(ReadLane.RESULT, ReadLane.LAG)
    assert longest(seen[ReadLane.RESULT]) < 15.0
    assert longest(seen[ReadLane.AUDIT]) < 65.0


def test_nothing_at_all_is_read_for_a_minute_when_the_broker_calls_for_less_and_ever_longer() -> None:
    budget, now, pauses = ReadBudget(WINDOWS), 1000.0, []
    for _ in range(6):
        pauses.append(budget.refused(now))
        assert budget.is_paused(now)
        for lane in ReadLane:
            assert budget.delay(now, lane) >= pauses[-1]
        now += pauses[-1]
        assert not budget.is_paused(now)
    assert pauses == [PAUSE_FIRST * 2**number for number in range(5)] + [PAUSE_LONGEST]
    assert budget.delay(now, ReadLane.URGENT) == 0
    budget.accepted()
    assert budget.refused(now) == PAUSE_FIRST


def test_one_whose_predecessor_may_just_have_read_waits_a_second() -> None:
    budget = ReadBudget(WINDOWS)
    budget.assume_full(50.0)
    assert budget.delay(50.0, ReadLane.AUDIT) == pytest.approx(1.0)
