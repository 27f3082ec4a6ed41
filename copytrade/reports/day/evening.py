"""The day in a line a follower, for the alert of the evening."""

from datetime import datetime
from itertools import chain

from copytrade.common.counts import counted
from copytrade.common.redaction import readable
from copytrade.core.model.orders import IST
from copytrade.reports.status import Difference, FollowerStatus

#: How many differences of a follower are told; the others are counted.
_TOLD = 3


def evening_line(follower: FollowerStatus, at: datetime) -> str:
    """Return a follower's result of the day of a moment, and how it differs from the leader's share."""
    return readable(f"{follower.name}: {', '.join(chain([_result(follower, at)], _drift(follower)))}")


def _result(follower: FollowerStatus, at: datetime) -> str:
    result = follower.day_result
    if result is None or _day(datetime.fromisoformat(result["at"])) != _day(at):
        return "result not known"
    return f"result Rs {result['rupees']:+z,.2f}"


def _drift(follower: FollowerStatus) -> list[str]:
    if follower.in_sync:
        meant = len(follower.differences)
        return [f"in sync, {counted(meant, 'difference')} as the settings have it" if meant else "in sync"]
    unmeant = [one for one in follower.differences if not one.is_meant]
    if not unmeant:
        return [f"{follower.state}, positions not read"]
    more = len(unmeant) - _TOLD
    return [f"differs: {'; '.join(map(_difference, unmeant[:_TOLD]))}{f'; {more} more' if more > 0 else ''}"]


def _difference(one: Difference) -> str:
    units = "not copied" if one.units is None else f"{one.units:+z,.0f}"
    why = " ".join(filter(None, (one.cause if one.units is not None else "", one.detail)))
    return f"{one.symbol or one.instrument} {one.product} {units} ({why})"


def _day(at: datetime) -> object:
    return at.astimezone(IST).date()
