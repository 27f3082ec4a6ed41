"""What the bus keeps of a lease: who has it, and what a successor has to know of the account before he sends."""

from collections.abc import Iterable

import msgspec

from copytrade.core.lease.candidacy import Holder

#: Requests a second that a former holder may have sent since he last said how many.
UNSEEN_A_SECOND = 10

MINUTE, HOUR = 60.0, 3600.0


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What a lease carries from one holder to the next. Times are epoch seconds.

    * ``at``: when it was written; ``by``: the node that wrote it.
    * ``minutes``: the requests of the last hour, by the minute of their answer; ``earlier``: those of the day in India
      before that hour.
    * ``login_at``: when a login was last tried; ``login_refusals``: how many were refused in a row.
    """

    at: float
    by: str
    minutes: tuple[tuple[int, int], ...] = ()
    earlier: int = 0
    login_at: float | None = None
    login_refusals: int = 0


class LeaseRecord(msgspec.Struct, frozen=True, gc=False):
    """A lease on the bus. Without a ``node`` it is free, and for ``to`` alone if that is somebody.

    ``run`` tells one process from another of the same node; ``store`` is the id of the bus's store.
    """

    node: str
    run: str
    epoch: int
    carried: Carried
    store: str
    to: str = ""

    @property
    def holder(self) -> Holder:
        """Who has it."""
        return Holder(self.node, self.run, self.epoch, self.to)


_ENCODER, _DECODER = msgspec.json.Encoder(), msgspec.json.Decoder(LeaseRecord)


def encoded(record: LeaseRecord) -> bytes:
    """Return a record as the bus keeps it."""
    return _ENCODER.encode(record)


def record_of(text: bytes) -> LeaseRecord:
    """Return the record that the bus keeps. Raises ValueError for anything else."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no record of a lease: {error}") from error


def carried_of(
    answered: Iterable[float], now: float, day_began: float, by: str, login_at: float | None, login_refusals: int
) -> Carried:
    """Return what a lease carries now, from the times at which the day's requests were answered."""
    minutes: dict[int, int] = {}
    earlier = 0
    for at in answered:
        if at > now - HOUR:
            minute = int(at // MINUTE)
            minutes[minute] = minutes.get(minute, 0) + 1
        elif at >= day_began:
            earlier += 1
    return Carried(now, by, tuple(sorted(minutes.items())), earlier, login_at, login_refusals)


def counted_by_successor(carried: Carried, now: float) -> list[float]:
    """Return when a former holder's requests were answered, at the latest, in epoch seconds.

    What he sent since he last wrote is not known: he may have sent as many as the broker takes. It counts for an hour
    at most.
    """
    counted = [carried.at - HOUR] * carried.earlier
    for minute, requests in carried.minutes:
        counted += [min((minute + 1) * MINUTE, carried.at)] * requests
    unseen = int(min(now - carried.at, HOUR) * UNSEEN_A_SECOND)
    counted += [now - number / UNSEEN_A_SECOND for number in range(unseen)]
    return counted
