"""Sends alerts to people who do not watch the log."""

import time
from collections.abc import Sequence
from typing import Any

from loguru import logger
from pydantic import SecretStr

from actors.messages.alerts import NotifierMessage, Notify
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.common.measures import Figure
from copytrade.core.model.orders import IST


class Notifier(GuardedActor[NotifierMessage]):
    """Sends alerts; one of a kind and a follower in ``cooldown`` seconds.

    Without addresses it logs what it would have sent.
    """

    def __init__(self, life: Incarnation[NotifierMessage], urls: Sequence[SecretStr], cooldown: float) -> None:
        super().__init__(life)
        self._urls = urls
        self._cooldown = cooldown
        self._sent_at: dict[tuple[str, str], float] = {}
        self._sent = self._held_back = self._failed = 0
        self._last: dict[str, dict[str, str]] = {}

    def receive(self, message: NotifierMessage) -> None:
        """Send an alert, or hold it back."""
        match message:
            case Notify(kind, who, text):
                at = wall_clock.now().astimezone(IST).isoformat(timespec="seconds")
                self._last[who.partition(":")[0]] = {"at": at, "kind": kind, "text": text}
                self._notify(kind, who, text)
            case ActorUp() | ActorDied():
                pass

    def figures(self) -> dict[str, Figure]:
        """Return how many alerts were sent, held back and failed."""
        return {"sent": self._sent, "held_back": self._held_back, "failed": self._failed}

    def details(self) -> dict[str, Any]:
        """Return the last alert of each account, and of everybody under the empty name."""
        return {"last": dict(self._last)}

    def _notify(self, kind: str, who: str, text: str) -> None:
        now = time.monotonic()
        if now - self._sent_at.get((kind, who), -self._cooldown) < self._cooldown:
            self._held_back += 1
            return
        self._sent_at = {of: at for of, at in self._sent_at.items() if now - at < self._cooldown}
        self._sent_at[kind, who] = now
        if not self._urls:
            logger.info("Alert {}", fields(kind=kind, who=who))
        elif problem := _deliver(self._urls, f"copytrade: {kind} {who}".strip(), text):
            self._failed += 1
            logger.warning("Alert not delivered {}", fields(kind=kind, who=who, problem=problem))
            return
        self._sent += 1


def _deliver(urls: Sequence[SecretStr], title: str, text: str) -> str:
    """Send to every address; return what went wrong, "" if nothing."""
    from apprise import Apprise  # noqa: PLC0415 (it takes 0.2 s to import)

    try:
        service = Apprise()
        for url in urls:
            service.add(url.get_secret_value())
        return "" if service.notify(title=title, body=text) else "a service did not take it"
    except Exception as error:  # a service's plugin may raise anything
        return f"{type(error).__name__}: {error}"
