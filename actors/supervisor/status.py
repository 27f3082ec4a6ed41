"""What is shown of an actor: its STATUS line in the log, and its part of a snapshot."""

import time
from collections.abc import Mapping

from actors.runtime.address import Address
from copytrade.common.logs import Fields, fields, in_line
from copytrade.common.measures import Figure, as_json, seconds
from copytrade.storage.files.status_file import ActorStatus

#: Seconds of one message after which an actor is shown as busy.
BUSY_AFTER = 1.0


def mailbox(address: Address[object]) -> int:
    """Return how many messages wait for an actor."""
    ref = address.ref
    return ref.actor_inbox.qsize() if ref is not None and hasattr(ref.actor_inbox, "qsize") else 0


def state(address: Address[object], kept: str) -> str:
    """Return an actor's state: what its supervisor says, or else its own."""
    busy = address.health.busy_since
    if kept:
        return kept
    if busy is not None and time.monotonic() - busy > BUSY_AFTER and address.health.state == "live":
        return "busy"
    return address.health.state


def status(address: Address[object], kept: str, restarts: int) -> Fields:
    """Return an actor's line, without the word STATUS; ``age`` is the seconds since its last message."""
    health, now = address.health, time.monotonic()
    busy = health.busy_since
    figures: dict[str, Figure] = {
        "mailbox": mailbox(address),
        "age": seconds(now - health.last_event),
        "busy": seconds(now - busy, 1) if busy is not None and now - busy > BUSY_AFTER else "",
        "restarts": restarts,
    }
    return line(address.name, state(address, kept), {**figures, **health.figures})


def snapshot(address: Address[object], kept: str, restarts: int) -> ActorStatus:
    """Return an actor as others see it in a snapshot."""
    health, now = address.health, time.monotonic()
    return ActorStatus(
        address.name,
        state(address, kept),
        restarts,
        mailbox(address),
        round(now - health.last_event, 1),
        as_json(health.figures),
        health.details,
        round(now - health.since, 1),
    )


def line(name: str, shown: str, figures: Mapping[str, Figure]) -> Fields:
    """Return a line with columns for the name and the state, and the figures behind them."""
    pairs = fields(**figures)
    return in_line(f"{name:<12} {shown:<8} {pairs}", {"name": name, "state": shown, **pairs.values})
