import itertools
from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from copytrade.budget import Window
from copytrade.policies import read_windows_of
from copytrade.read_budget import PAUSE_FIRST, PAUSE_LONGEST, ReadBudget, ReadLane
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


def test_glances_come_each_second_at_first_and_then_evenly() -> None:
    """Somebody trades ten times a second for a whole day."""
    budget, now, seen = ReadBudget(WINDOWS), 0.0, [0.0]
    while now < 6 * 3600.0:
        now = read(budget, now, ReadLane.GLANCE)
        seen.append(now)
    apart = [later - earlier for earlier, later in itertools.pairwise(seen)]
    assert max(apart[:150]) < 2.0
    assert max(apart) <= 12.2


def test_glances_leave_room_for_what_is_wanted_more() -> None:
    budget, now = ReadBudget(WINDOWS), 0.0
    while now < 3600.0:
        now = read(budget, now, ReadLane.GLANCE)
        assert budget.delay(now, ReadLane.RESULT) <= 1.01


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
