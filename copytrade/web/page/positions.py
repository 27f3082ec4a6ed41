"""What the leader holds, and beside it each follower's share, what he holds, and why it differs."""

from collections.abc import Mapping

from copytrade.core.ledger.drift.causes import Drift
from copytrade.reports.status import FollowerStatus
from copytrade.web.live.view import View
from copytrade.web.page import text
from copytrade.web.page.followers import cause

#: Rows that are shown at most: those that differ come first.
MOST_ROWS = 600


def positions(view: View) -> Mapping[str, Mapping[str, str]]:
    """Return a row for each line of each follower in which anybody holds something."""
    if view.shown is None or view.day is None:
        return {}
    found = []
    for one in view.shown.followers:
        for drift in view.day.drifts.get(one.name, ()):
            if drift.leader or drift.net or drift.held:
                found.append(_row(one, drift, view.day.symbols.get(drift.line.key, "")))
    found.sort(key=lambda row: (row[1]["row:differs"] != "yes", row[1]["symbol"], row[0]))
    return dict(found[:MOST_ROWS])


def _row(one: FollowerStatus, drift: Drift, symbol: str) -> tuple[str, Mapping[str, str]]:
    instrument = f"{drift.line.key.segment}:{drift.line.key.security_id}"
    product = str(drift.line.product)
    whose = f" by {drift.line.leader}" if drift.line.leader else ""
    key = instrument, product, drift.line.leader
    gaps = [gap for gap in one.differences if (gap.instrument, gap.product, gap.leader) == key]
    return f"{one.name} {instrument} {product}{whose}", {
        "symbol": f"{symbol or instrument}{whose}",
        "product": product.lower(),
        "follower": one.name,
        "leader": text.number(drift.leader),
        "share": text.UNKNOWN if drift.ratio is None else text.number(float(drift.expected), 2),
        "account": text.number(drift.net),
        "copied": text.number(drift.held),
        "difference": text.UNKNOWN if drift.ratio is None else text.signed(float(drift.difference)),
        "cause": "; ".join(map(cause, sorted(gaps, key=lambda gap: gap.is_meant))),
        "order": next((gap.leader_order for gap in gaps if gap.leader_order), ""),
        "row:differs": "yes" if any(not gap.is_meant for gap in gaps) else "",
    }
