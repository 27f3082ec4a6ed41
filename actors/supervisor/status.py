"""The STATUS lines of the log: one for each actor."""

import time

from actors.runtime.address import Address
from copytrade.common.logs import fields

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


def status(address: Address[object], kept: str, restarts: int) -> str:
    """Return an actor's line, without the word STATUS; ``age`` is the seconds since its last message."""
    health, now = address.health, time.monotonic()
    busy = health.busy_since
    figures = fields(
        mailbox=mailbox(address),
        age=f"{now - health.last_event:.0f}s",
        busy=f"{now - busy:.1f}s" if busy is not None and now - busy > BUSY_AFTER else "",
        restarts=restarts,
    )
    return f"{address.name:<12} {state(address, kept):<8} {figures} {health.figures}".rstrip()
