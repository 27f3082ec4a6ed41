"""Sends alerts to people who do not watch the log."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from loguru import logger
from pydantic import SecretStr

from actors.messages.alerts import AlertsChanged, NotifierMessage, Notify, Over, TellIfItLasts
from actors.runtime.actor import ActorDied, ActorUp, GuardedActor, Incarnation
from actors.runtime.timers import Clock
from copytrade.app.alert_delivery import deliver, deliver_alert, name_of
from copytrade.common import wall_clock
from copytrade.common.logs import fields
from copytrade.common.measures import Figure
from copytrade.core.model.orders import IST


class Notifier(GuardedActor[NotifierMessage]):
    """Sends alerts; one of a kind and a follower in ``cooldown`` seconds, and one when such a trouble is over.

    Trouble that comes again within the cooldown, after it was said to be over, is told at its end if it still lasts.
    Without addresses it logs what it would have sent.
    """

    def __init__(
        self, life: Incarnation[NotifierMessage], clock: Clock, urls: Sequence[SecretStr], cooldown: float
    ) -> None:
        super().__init__(life)
        self._clock = clock
        self._urls = urls
        self._cooldown = cooldown
        self._sent_at: dict[tuple[str, str], float] = {}
        #: The trouble that somebody was told of, and that is not over.
        self._lasting: set[tuple[str, str]] = set()
        #: The trouble that came again within the cooldown.
        self._waiting: dict[tuple[str, str], Notify] = {}
        self._sent = self._held_back = self._failed = 0
        self._last: dict[str, dict[str, str]] = {}

    def receive(self, message: NotifierMessage) -> None:
        """Send an alert, or hold it back."""
        match message:
            case Notify(kind, who, text):
                if message.level != "INFO":  # news, no trouble
                    at = wall_clock.now().astimezone(IST).isoformat(timespec="seconds")
                    self._last[who.partition(":")[0]] = {"at": at, "kind": kind, "text": text}
                self._notify(message)
            case Over(kind, who, text):
                self._over(kind, who, text)
            case TellIfItLasts(kind, who):
                if waiting := self._waiting.pop((kind, who), None):
                    self._notify(replace(waiting, at=time.monotonic()))
            case AlertsChanged(urls, cooldown):
                self._urls, self._cooldown = urls, cooldown
            case ActorUp() | ActorDied():
                pass

    def figures(self) -> dict[str, Figure]:
        """Return how many alerts were sent, held back and failed."""
        return {"sent": self._sent, "held_back": self._held_back, "failed": self._failed}

    def details(self) -> dict[str, Any]:
        """Return the last alert of each account, and of everybody under the empty name."""
        return {"last": dict(self._last)}

    def _notify(self, alert: Notify) -> None:
        key, now = (alert.kind, alert.who), alert.at
        left = self._sent_at.get(key, now - self._cooldown) + self._cooldown - now
        if left > 0:
            self._held_back += 1
            if key not in self._lasting and key not in self._waiting:
                self._clock.tell_later(left, self.address, TellIfItLasts(*key))
            if key not in self._lasting:
                self._waiting[key] = alert
            return
        self._sent_at = {of: at for of, at in self._sent_at.items() if now - at < self._cooldown}
        self._sent_at[key] = now
        self._lasting.add(key)
        self._send(*key, lambda: deliver_alert(self._urls, *key, alert.text, alert.level))

    def _over(self, kind: str, who: str, text: str) -> None:
        self._waiting.pop((kind, who), None)
        if (kind, who) in self._lasting:
            self._lasting.discard((kind, who))
            ends = f"over again: {kind}"
            self._send(ends, who, lambda: deliver(self._urls, f"{ends} {who}".strip(), text, "INFO"))

    def _send(self, kind: str, who: str, send: Callable[[], list[str]]) -> None:
        if not self._urls:
            logger.info("Alert {}", fields(kind=kind, who=who))
            self._sent += 1
            return
        problems = send()
        for url, problem in zip(self._urls, problems, strict=True):
            if problem:
                logger.warning("Alert not delivered {}", fields(kind=kind, who=who, to=name_of(url), problem=problem))
        self._failed += any(problems)
        self._sent += not all(problems)
