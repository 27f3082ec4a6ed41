"""What a lease carries from one holder to the next."""

import pytest

from copytrade.core.lease.record import Carried, LeaseRecord, carried_of, counted_by_successor, encoded, record_of

#: 12:00:30 of some day, and its midnight, in epoch seconds.
NOON, MIDNIGHT = 1_800_000_030.0, 1_800_000_030.0 - 43_230.0


def test_a_record_comes_back_as_it_was() -> None:
    carried = Carried(NOON, "n1", ((30_000_000, 4),), 7, NOON - 100.0, 2)
    record = LeaseRecord("n1", "run", 1_800_000_030_000, carried, "store", to="n2")

    assert record_of(encoded(record)) == record


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"node": "n1"}', b"\xff", b"[" * 100_000])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="no record"):
        record_of(text)


def test_requests_are_counted_by_the_minute_of_the_last_hour_and_before_it_in_all() -> None:
    answered = [NOON - 1.0, NOON - 2.0, NOON - 60.0, NOON - 3599.0, NOON - 3601.0, MIDNIGHT + 5.0, MIDNIGHT - 5.0]

    carried = carried_of(answered, NOON, MIDNIGHT, "n1", None, 0)

    assert [count for _, count in carried.minutes] == [1, 1, 2]
    assert carried.earlier == 2


def test_a_successor_counts_each_request_no_earlier_than_it_was() -> None:
    answered = [NOON - 1.0, NOON - 40.0, NOON - 61.0, NOON - 3500.0, NOON - 9000.0]
    carried = carried_of(answered, NOON, MIDNIGHT, "n1", None, 0)

    counted = counted_by_successor(carried, NOON)

    assert len(counted) == len(answered)
    assert all(late >= at for late, at in zip(sorted(counted)[1:], sorted(answered)[1:], strict=True))
    assert max(counted) <= NOON


def test_what_was_sent_since_the_last_renewal_counts_as_ten_a_second() -> None:
    counted = counted_by_successor(Carried(NOON, "n1"), NOON + 3.0)

    assert len(counted) == 30
    assert all(NOON < at <= NOON + 3.0 for at in counted)


def test_what_was_sent_since_counts_for_an_hour_at_most() -> None:
    assert len(counted_by_successor(Carried(NOON, "n1"), NOON + 86_400.0)) == 36_000
