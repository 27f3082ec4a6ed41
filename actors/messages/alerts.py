"""What the notifier is told."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class Notify:
    """Send an alert; alerts with the same ``kind`` and ``who`` count as the same. ``level`` is that of the log.

    ``at`` is the monotonic time of the trouble: the one before may have been delivered for long.
    """

    kind: str
    who: str
    text: str
    level: str = "CRITICAL"
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Over:
    """The trouble of a ``kind`` is over for ``who``: say so, if somebody was told of it."""

    kind: str
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class TellIfItLasts:
    """The cooldown of a ``kind`` and a ``who`` has ended: send what was held back, if it is not over."""

    kind: str
    who: str


@dataclass(frozen=True, slots=True)
class AlertsChanged:
    """Send alerts to other addresses from now on, with another ``cooldown`` in seconds."""

    urls: Sequence[SecretStr]
    cooldown: float


NotifierMessage = Notify | Over | TellIfItLasts | AlertsChanged | ActorUp | ActorDied
