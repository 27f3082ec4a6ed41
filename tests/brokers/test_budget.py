import time
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from copytrade.brokers.budget import DAY, Budget, Window, midnight
from copytrade.common import wall_clock
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import IST

SECOND = [Window(10, 1.0)]


def test_ten_leave_at_once_and_the_eleventh_waits_for_an_answer_to_be_a_second_old() -> None:
    budget = Budget(SECOND)
    for permit in range(10):
        assert budget.delay(100.0) == 0
        budget.grant(permit)
    assert budget.delay(100.0) == 1.0
    budget.settle(0, 100.2)
    assert budget.delay(100.3) == 100.2 + 1.0 - 100.3
    assert budget.delay(101.2) == 0


def test_a_permit_with_which_nothing_was_sent_costs_nothing() -> None:
    budget = Budget([Window(1, 1.0)])
    budget.grant("a")
    assert budget.delay(0.0) > 0
    budget.release("a")
    assert budget.delay(0.0) == 0


def test_the_permits_of_a_dead_holder_count_until_a_window_after_its_death() -> None:
    budget = Budget([Window(1, 1.0)])
    budget.grant("a")
    budget.settle_all(5.0)
    assert budget.delay(5.5) == 0.5
    assert budget.delay(6.0) == 0


def test_the_longest_window_binds_too() -> None:
    budget = Budget([Window(10, 1.0), Window(3, 60.0)])
    for permit in range(3):
        budget.grant(permit)
        budget.settle(permit, float(permit))
    assert budget.delay(10.0) == 50.0


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.9), st.floats(0, 1)), min_size=20, max_size=60),
    st.integers(1, 10),
)
def test_no_sliding_second_at_the_broker_holds_more_than_the_limit(
    requests: list[tuple[float, float, float]], limit: int
) -> None:
    """Whatever the answers take, and wherever within them each request is counted by the broker."""
    budget = Budget([Window(limit, 1.0)])
    now, arrivals, unanswered = 0.0, [], []
    for permit, (pause, takes, where) in enumerate(requests):
        now += pause
        while True:
            unanswered.sort()
            while unanswered and unanswered[0][0] <= now:
                answered, number = unanswered.pop(0)
                budget.settle(number, answered)
            delay = budget.delay(now)
            if not delay:
                break
            now = min([now + delay, *(answered for answered, _ in unanswered)])
        budget.grant(permit)
        arrivals.append(now + takes * where)
        unanswered.append((now + takes, permit))
    arrivals.sort()
    for first, last in zip(arrivals, arrivals[limit:], strict=False):
        assert last - first >= 1.0 - 1e-9


def test_entries_leave_the_reserve_to_those_who_get_out() -> None:
    budget = Budget([Window(10, 60.0, reserve=2)])
    for permit in range(8):
        assert budget.delay(0.0, Lane.ENTRY) == 0
        budget.grant(permit)
        budget.settle(permit, 0.0)
    assert budget.delay(1.0, Lane.ENTRY) == budget.delay(1.0, Lane.SPARE) == 59.0
    for permit in (8, 9):
        assert budget.delay(1.0, Lane.MODIFY) == budget.delay(1.0, Lane.EXIT) == 0
        budget.grant(permit)
        budget.settle(permit, 1.0)
    assert budget.delay(1.0, Lane.CANCEL) == 59.0


def test_the_day_begins_anew_at_midnight_and_not_a_day_later() -> None:
    budget = Budget([Window(1, 1.0), Window(2, DAY, daily=True)], day_began=0.0)
    for permit, at in (("a", 100.0), ("b", DAY - 10.0)):
        budget.grant(permit)
        budget.settle(permit, at)
    assert budget.delay(DAY - 5.0) == 5.0
    assert budget.delay(DAY + 0.5) == 0


def test_what_was_sent_in_an_earlier_life_counts() -> None:
    budget = Budget([Window(3, 60.0)])
    budget.remember([30.0, 10.0, 20.0])
    assert budget.delay(40.0) == 30.0


def test_midnight_is_the_last_one_in_india() -> None:
    since = time.monotonic() - midnight()
    assert 0 <= since < DAY
    assert (wall_clock.now().astimezone(IST) - timedelta(seconds=since)).strftime("%H:%M:%S") in (
        "00:00:00",
        "23:59:59",
    )


def test_what_another_node_may_have_sent_counts_and_leaves_the_reserve() -> None:
    budget = Budget([Window(10, 1.0), Window(100, 3600.0, 20)])
    budget.remember([4000.0] * 30)

    budget.restate([4999.0 - second for second in range(200)], 5000.0)

    assert budget.delay(5000.0, Lane.ENTRY) > 3000.0
    assert budget.delay(5000.0, Lane.EXIT) == 0.0
    assert len(budget.answered) == 80
