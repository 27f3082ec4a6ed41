"""What went otherwise than meant, and what happened."""

from collections.abc import Mapping
from datetime import datetime

from copytrade.core.model.copies import MappingStatus
from copytrade.core.model.orders import IST
from copytrade.web.live.orders import meaning_of
from copytrade.web.live.view import View
from copytrade.web.page import text

#: Rows that are shown at most.
MOST_ROWS = 200

Rows = Mapping[str, Mapping[str, str]]


def troubles(view: View) -> Rows:
    """Return a row for each copy of the day that was skipped or failed, the latest first."""
    copies = view.day.copies if view.day else ()
    found = [copy for copy in copies if copy.status in (MappingStatus.SKIPPED, MappingStatus.FAILED)]
    found.sort(key=lambda copy: copy.updated_at, reverse=True)
    return {
        f"{copy.leader_order_id} {copy.follower} {copy.n}": {
            "at": text.clock(copy.updated_at),
            "follower": copy.follower,
            "order": copy.leader_order_id,
            "side": copy.side or "",
            "symbol": copy.symbol or "",
            "status": copy.status,
            "row:status": copy.status,
            "reason": copy.reason or "",
            "meaning": meaning_of(copy.reason),
            "detail": copy.error_message,
        }
        for copy in found[:MOST_ROWS]
    }


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
