"""What went otherwise than meant, and what happened."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST
from copytrade.reports.queries import RecordedCopy, went_otherwise
from copytrade.web.live.orders import meaning_of
from copytrade.web.live.view import View
from copytrade.web.page import text

#: Rows that are shown at most.
MOST_ROWS = 200

#: A copy that was sent, and did not come to its share of the leader's order.
OTHERWISE = "otherwise"

#: The kinds of trouble, the worst first.
KINDS = (MappingStatus.FAILED, OTHERWISE, MappingStatus.SKIPPED)

Rows = Mapping[str, Mapping[str, str]]


def troubles(view: View) -> Rows:
    """Return a row for each copy of the day that failed, went otherwise or was skipped, in this order, latest first."""
    if view.day is None:
        return {}
    found = [(kind, copy) for copy in view.day.copies if (kind := trouble_of(copy))]
    found.sort(key=lambda one: one[1].updated_at, reverse=True)
    found.sort(key=lambda one: KINDS.index(one[0]))
    symbols = {order.id: order.symbol for order in view.day.orders}
    return {
        f"{copy.leader_order_id} {copy.follower} {copy.n}": {
            "at": text.clock(copy.updated_at),
            "follower": copy.follower,
            "order": copy.leader_order_id,
            "side": copy.side or "",
            "symbol": symbols.get(copy.leader_order_id, copy.symbol or ""),
            "status": kind,
            "row:status": kind,
            "row:why": reason_of(copy),
            "reason": reason_of(copy),
            "meaning": meaning_of(copy.reason),
            "detail": copy.error_message,
        }
        for kind, copy in found[:MOST_ROWS]
    }


def reasons(view: View) -> Rows:
    """Return a row for each kind of trouble with its reason: how many copies of the day, those that failed first."""
    copies = view.day.copies if view.day else ()
    counts = Counter((kind, reason_of(copy), meaning_of(copy.reason)) for copy in copies if (kind := trouble_of(copy)))
    found = sorted(counts.items(), key=lambda one: (KINDS.index(one[0][0]), -one[1], one[0]))
    return {
        f"{kind} {reason}": {
            "kind": kind,
            "row:status": kind,
            "reason": reason,
            "meaning": meaning,
            "copies": text.number(count),
        }
        for (kind, reason, meaning), count in found
    }


def trouble_of(copy: RecordedCopy) -> str:
    """Return the kind of trouble of a copy, "" if it has none."""
    if copy.status in (MappingStatus.SKIPPED, MappingStatus.FAILED):
        return copy.status
    return OTHERWISE if went_otherwise(copy) else ""


def reason_of(copy: RecordedCopy) -> str:
    """Return the reason of a copy in few words."""
    return (copy.reason or "not said").replace("_", " ")


def events(view: View) -> Rows:
    """Return a row for each alert and each command, the latest first."""
    found = [(f"{alert['at']} {alert['who']} {alert['kind']}", alert["at"], _alert(alert)) for alert in view.alerts]
    for one in view.day.commands if view.day else ():
        at = datetime.fromtimestamp(one.at, IST).isoformat(timespec="seconds")
        row = {
            "at": text.clock(one.at),
            "who": one.follower or "everybody",
            "kind": one.name.partition(" ")[0],
            "text": one.answer or "waits for its answer",
            "row:kind": "command",
            "row:done": "yes" if one.is_done else "no",
        }
        found.append((f"command {one.number}", at, row))
    found.sort(key=lambda event: event[1], reverse=True)
    return {name: row for name, _, row in found[:MOST_ROWS]}


def _alert(alert: Mapping[str, str]) -> Mapping[str, str]:
    return {
        "at": text.clock(alert["at"]),
        "who": alert["who"] or "everybody",
        "kind": alert["kind"].replace("_", " "),
        "text": alert["text"],
        "row:kind": "alert",
    }
