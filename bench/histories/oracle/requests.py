"""Requests that should not have been sent: a second time, again and again, or beyond the budget."""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from bench.histories.oracle.account import Account
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.roles import roles_of
from bench.histories.oracle.rows import Row, is_ours

_WINDOWS = (("second", 1.0), ("minute", 60.0), ("hour", 3600.0), ("day", 86_400.0))

#: More refusals of one request than this, within so many seconds, show that nothing backs off.
_HAMMERING = (12, 10.0)


def doubled(account: Account) -> list[str]:
    """Return the correlation ids that several orders have."""
    ids = Counter(str(row["correlationId"]) for row in account.orders.values() if is_ours(row))
    return [f"{count} orders are {correlation_id}" for correlation_id, count in ids.items() if count > 1]


def sent_again(leader: Account, writes: Iterable[Row]) -> list[str]:
    """Return the entries that were sent again although the broker had answered with an order id."""
    roles, accepted = roles_of(leader), Counter[str]()
    for write in writes:
        words = str(write["payload"].get("correlationId") or "").split("-")
        if write["kind"] == "place" and write["answered"] == 200 and write["order_id"] and words[0] == "ct":
            accepted["-".join(words)] += roles.get(words[1], "") == "entry"
    return [f"{correlation_id} was accepted {count} times" for correlation_id, count in accepted.items() if count > 1]


def hammered(writes: Sequence[Row]) -> list[str]:
    """Return the requests that were repeated in quick succession although they were refused or got no answer."""
    refused: dict[tuple[str, str], list[float]] = defaultdict(list)
    for write in writes:
        if not (200 <= write["status"] < 300 and 200 <= write["answered"] < 300):
            what = str(write["payload"].get("correlationId") or write["order_id"])
            refused[write["kind"], what].append(write["at"])
    found = []
    for (kind, what), times in refused.items():
        most = max(bisect_right(times, at + _HAMMERING[1]) - index for index, at in enumerate(times))
        if most > _HAMMERING[0]:
            found.append(f"{most} times {kind} of {what} in {_HAMMERING[1]:g} s")
    return found


def over_budget(client_id: str, evidence: Evidence) -> list[str]:
    """Return the windows in which more order requests came in than the limits allow, answered or not."""
    times = sorted(write["at"] for write in evidence.writes[client_id])
    found = []
    for window, seconds in _WINDOWS:
        limit = evidence.limits[window]
        most = max((bisect_right(times, at + seconds - 1e-6) - index for index, at in enumerate(times)), default=0)
        if most > limit:
            found.append(f"{most} requests in a {window}, {limit} are allowed")
    return found
