"""The head of the page: mode, market, totals, and the leaders."""

from collections.abc import Mapping

from copytrade.web.live.view import View
from copytrade.web.page import text

Rows = Mapping[str, Mapping[str, str]]


def header(view: View) -> Rows:
    """Return the one row of the head."""
    status = view.status
    if status is None:
        return {"header": {"why": view.why, "row:lives": "no"}}
    open_now = [kind for kind, session in status.market.items() if session == "open"]
    followers = status.followers
    results = [one.day_result["rupees"] for one in followers if one.day_result]
    slippages = [one.slippage["rupees"] for one in followers if one.slippage]
    return {
        "header": {
            "why": "",
            "row:lives": "yes",
            "row:mode": status.mode,
            "mode": status.mode,
            "market": "open" if open_now else "closed",
            "markets": ", ".join(open_now),
            "up": text.span(status.up_s),
            "at": text.clock(status.at),
            "followers": str(len(followers)),
            "in_sync": f"{sum(one.in_sync for one in followers)} of {len(followers)}",
            "row:sync": "yes" if all(one.in_sync for one in followers) else "no",
            "paused": str(sum(bool(one.paused) for one in followers)),
            "open": str(sum(one.open or 0 for one in followers)),
            "in_doubt": str(sum(one.in_doubt or 0 for one in followers)),
            "row:doubt": "yes" if any(one.in_doubt for one in followers) else "",
            "result": text.signed(sum(results)) if results else text.UNKNOWN,
            "row:result": text.sign_of(sum(results)),
            "slippage": text.signed(sum(slippages)) if slippages else text.UNKNOWN,
        }
    }


def leaders(view: View) -> Rows:
    """Return a row a leader."""
    return {
        one.name: {
            "name": one.name,
            "feed": one.feed,
            "row:feed": "good" if one.feed == "live" else "bad",
            "gate": one.gate,
            "row:gate": "good" if one.gate == "open" else "bad",
            "age": text.span(one.age_s),
            "token": text.until(one.token_until),
        }
        for one in (view.shown.leaders if view.shown else ())
    }
