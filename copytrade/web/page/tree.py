"""The supervision tree: a row an actor."""

from collections.abc import Mapping

from copytrade.web.live.view import View
from copytrade.web.page import text

#: States of an actor that does its work.
_WELL = frozenset({"live", "busy", "paused"})


def actors(view: View) -> Mapping[str, Mapping[str, str]]:
    """Return the rows, in the order in which the actors start."""
    return {
        one.name: {
            "name": one.name,
            "state": one.state,
            "row:health": "good" if one.state in _WELL else "bad",
            "restarts": str(one.restarts),
            "row:restarts": "yes" if one.restarts else "",
            "mailbox": str(one.mailbox),
            "since": text.span(one.up_s),
            "age": text.span(one.age_s),
            "figures": ", ".join(f"{name} {value}" for name, value in one.figures.items()),
        }
        for one in (view.shown.actors if view.shown else ())
    }
