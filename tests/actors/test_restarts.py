"""When a crashed actor may be started again: waits, limits, and storms."""

from random import Random

import pytest

from actors.supervisor.restarts import RestartPolicy, Restarts, Storms

POLICY = RestartPolicy(max_restarts=5, window=60.0, backoff=0.25, backoff_max=30.0)


class Least(Random):
    """Chance that never adds anything."""

    def uniform(self, a: float, b: float) -> float:
        return a


def test_the_first_restart_is_at_once_and_the_waits_double() -> None:
    restarts = Restarts(RestartPolicy(20, 60.0, 0.25, 30.0), Least())
    waits = [restarts.after_crash(second / 10) for second in range(10)]
    assert waits == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_one_more_than_so_many_in_the_window_is_too_many() -> None:
    restarts = Restarts(POLICY, Least())
    assert [restarts.after_crash(float(second)) is None for second in range(7)] == [False] * 5 + [True] * 2


def test_crashes_older_than_the_window_do_not_count() -> None:
    restarts = Restarts(POLICY, Least())
    assert all(restarts.after_crash(20.0 * number) is not None for number in range(50))


def test_a_quiet_minute_makes_the_next_crash_the_first() -> None:
    restarts = Restarts(POLICY, Least())
    assert [restarts.after_crash(second) for second in (0.0, 1.0, 61.0, 121.5)] == [0.0, 0.25, 0.5, 0.0]


def test_twenty_crashes_in_a_minute_are_no_spin() -> None:
    restarts = Restarts(POLICY, Least())
    assert sum(restarts.after_crash(3.0 * number) is not None for number in range(20)) == 5


def test_what_is_forgiven_does_not_count() -> None:
    restarts = Restarts(POLICY, Least())
    while restarts.after_crash(1.0) is not None:
        pass
    restarts.forgive()
    assert restarts.after_crash(1.0) == 0.0


def test_three_that_die_of_one_cause_within_seconds_are_a_storm() -> None:
    storms = Storms(6, POLICY, Least())
    assert storms.after_crash("alice", "OSError", 0.0) is None
    assert storms.after_crash("alice", "OSError", 1.0) is None
    assert storms.after_crash("bob", "KeyError", 2.0) is None
    assert storms.after_crash("carol", "OSError", 3.0) is None
    assert storms.after_crash("dave", "OSError", 4.0) == 0.25
    assert storms.is_first()
    assert storms.after_crash("erin", "OSError", 5.0) == 0.25
    assert not storms.is_first()
    assert [storms.after_crash("alice", "OSError", 6.0 + n) for n in range(4)] == [0.25, 0.5, 0.5, 0.5]


def test_deaths_far_apart_are_no_storm() -> None:
    storms = Storms(6, POLICY, Least())
    assert all(storms.after_crash(name, "OSError", 6.0 * n) is None for n, name in enumerate("abcdef"))


@pytest.mark.parametrize(("members", "enough"), [(3, 3), (10, 3), (11, 4), (50, 15)])
def test_of_many_a_third_have_to_die(members: int, enough: int) -> None:
    storms = Storms(members, POLICY, Least())
    waits = [storms.after_crash(str(number), "OSError", 0.0) for number in range(enough)]
    assert [wait is None for wait in waits] == [True] * (enough - 1) + [False]
