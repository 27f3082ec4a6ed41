"""Somebody whom an actor tells: not an actor, so that a test sees what was told as it came."""

from typing import Any


class Listener:
    """Keeps what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heard: list[Any] = []

    def tell(self, message: Any) -> bool:
        self.heard.append(message)
        return True

    def of(self, kind: type) -> list[Any]:
        """Return what was heard of a kind."""
        return [message for message in self.heard if isinstance(message, kind)]
