from random import Random

import pytest

from copytrade.common.backoff import Backoff, backoff_delay


@pytest.mark.parametrize("seed", range(20))
def test_the_first_retry_comes_soon_and_none_is_far(seed):
    rng = Random(seed)
    assert 0.25 <= backoff_delay(0, rng) <= 0.5
    for attempt in range(1, 200):
        longest = min(30.0, 0.5 * 2**attempt)
        assert longest / 2 <= backoff_delay(attempt, rng) <= longest


def test_each_wait_is_longer_until_it_works():
    backoff = Backoff(Random(1))
    first, second, third = (backoff.next_delay() for _ in range(3))
    assert first < second < third
    backoff.reset()
    assert backoff.next_delay() <= 0.5


def test_accounts_do_not_come_back_together():
    assert len({Backoff().next_delay() for _ in range(10)}) == 10
