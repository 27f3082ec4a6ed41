"""What the notifier is told."""

from dataclasses import dataclass

from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class Notify:
    """Send an alert; alerts with the same ``kind`` and ``who`` count as the same."""

    kind: str
    who: str
    text: str


NotifierMessage = Notify | ActorUp | ActorDied
