"""Tells that an actor works again that had crashed or was quarantined: the supervisor told of the crash."""

from copytrade.common.logs import over
from copytrade.storage.files.status_file import CopierStatus

#: States in which an actor does its work.
_WORKS = ("live", "paused", "throttled", "suspended", "unauthorised")


class CrashWatch:
    """Compares how often each actor has been restarted."""

    def __init__(self) -> None:
        self._restarts: dict[str, int] = {}
        self._crashed: set[str] = set()
        self._quarantined: set[str] = set()

    def look(self, copier: CopierStatus) -> None:
        """Tell of those that work again."""
        for actor in copier.actors:
            if actor.restarts != self._restarts.get(actor.name, 0):
                self._restarts[actor.name] = actor.restarts
                self._crashed.add(actor.name)
            if actor.state == "quarantined":
                self._quarantined.add(actor.name)
            elif actor.state in _WORKS:
                self._works(actor.name)

    def _works(self, name: str) -> None:
        if name in self._crashed:
            self._crashed.discard(name)
            over("crashed", name, "Actor {} works again", name)
        if name in self._quarantined:
            self._quarantined.discard(name)
            over("quarantine", name, "Actor {} is out of quarantine", name)
