"""``/api/state``: the status of the copier as JSON."""

from typing import Any

import msgspec

from copytrade.reports.status import Status
from copytrade.web.live.clean import clean

#: What of an actor is its own business, and not shown.
_INNER = frozenset({"details"})


def state_of(status: Status) -> dict[str, Any]:
    """Return a status as JSON has it. ``nodes`` is empty as long as there is one machine."""
    found = msgspec.to_builtins(status)
    found["actors"] = [
        {name: value for name, value in actor.items() if name not in _INNER} for actor in found["actors"]
    ]
    shown: dict[str, Any] = clean({**found, "nodes": []})
    return shown
