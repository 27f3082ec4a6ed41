"""Numbers and times as the page shows them."""

from datetime import datetime

from copytrade.core.model.orders import IST

#: What is shown of something that is not known.
UNKNOWN = "-"


def number(value: float | None, places: int = 0) -> str:
    """Return a number with thousands apart."""
    return UNKNOWN if value is None else f"{value:z,.{places}f}"


def signed(value: float | None, places: int = 2) -> str:
    """Return a number with its sign."""
    return UNKNOWN if value is None else f"{value:+z,.{places}f}" if round(value, places) else f"{0:.{places}f}"


def clock(at: str | datetime | float) -> str:
    """Return the time of day in India, with the date if it is not an ISO time."""
    if isinstance(at, float):
        at = datetime.fromtimestamp(at, IST)
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        return str(at)
    return f"{moment.astimezone(IST):%H:%M:%S}"


def until(at: str) -> str:
    """Return when something ends: the time, with the day if that is not today's."""
    try:
        moment = datetime.fromisoformat(at).astimezone(IST)
    except ValueError:
        return at or UNKNOWN
    return f"{moment:%d %b %H:%M}"


def span(seconds: float | None) -> str:
    """Return seconds in the two largest units that fit."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def sign_of(value: float | None) -> str:
    """Return whether a number is a gain or a loss, for its colour."""
    if value is None or not round(value, 2):
        return ""
    return "gain" if value > 0 else "loss"
