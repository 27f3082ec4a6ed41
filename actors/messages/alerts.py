"""What the notifier is told."""

from dataclasses import dataclass

from actors.runtime.actor import ActorDied, ActorUp


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell somebody; ``kind`` and ``who`` say which alerts are the same one."""

    kind: str
    who: str
    text: str


NotifierMessage = Notify | ActorUp | ActorDied
