"""Messages over a NATS server, on the connection that has the keys."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from loguru import logger
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from copytrade.bus.messages import Heard, Take
from copytrade.bus.nats_keys import NatsKeys
from copytrade.common.logs import fields

T = TypeVar("T")

#: Seconds that somebody who is asked has for an answer: a read at the broker may be one.
ANSWERS_WITHIN = 3.0


class _Heard:
    def __init__(self, subscription: Subscription, spawn: Callable[[Coroutine[Any, Any, object]], object]) -> None:
        self._subscription = subscription
        self._spawn = spawn

    def end(self) -> None:
        """Listen no more."""
        self._spawn(self._subscription.unsubscribe())


class NatsBus(NatsKeys):
    """A ``KeyBus`` and a ``MessageBus``."""

    def publish(self, subject: str, payload: bytes) -> None:
        """Send a message to whoever listens."""
        self._spawn(self._publish(subject, payload))

    def listen(self, subject: str, take: Take) -> Heard | None:
        """Have messages of a subject taken."""

        async def subscribed() -> Subscription:
            async def taken(message: Msg) -> None:
                take(message.data, lambda payload: self.publish(message.reply, payload))

            return await self._connected().subscribe(subject, cb=taken)

        subscription = self._wait(subscribed())
        return None if subscription is None else _Heard(subscription, self._spawn)

    def ask(self, subject: str, payload: bytes) -> bytes | None:
        """Send a message and wait for its answer."""

        async def asked() -> bytes:
            return (await self._connected().request(subject, payload, ANSWERS_WITHIN)).data

        return self._wait(asked())

    async def _publish(self, subject: str, payload: bytes) -> None:
        try:
            await self._connected().publish(subject, payload)
        except (NatsError, TimeoutError, OSError) as error:
            logger.debug("Message not sent {}", fields(subject=subject, error=type(error).__name__))

    def _spawn(self, call: Coroutine[Any, Any, object]) -> None:
        if self._is_closing:
            call.close()
        else:
            asyncio.run_coroutine_threadsafe(call, self._loop)

    def _wait(self, call: Coroutine[Any, Any, T]) -> T | None:
        """Wait for a call in the bus's thread; None if the bus is not there or does not answer in time."""
        if self._is_closing:
            call.close()
            return None
        begun = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return begun.result(ANSWERS_WITHIN + 1.0)
        except (NatsError, TimeoutError, OSError) as error:
            logger.debug("Bus does not answer {}", fields(error=type(error).__name__))
            return None
