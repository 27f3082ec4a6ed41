from hypothesis import given
from hypothesis import strategies as st

from copytrade.budget import Budget, Window

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
