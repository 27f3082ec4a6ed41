"""Keys on a NATS server with JetStream, over a connection with a thread of its own."""

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import nats
from loguru import logger
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType
from nats.js.client import JetStreamContext
from nats.js.errors import BucketNotFoundError, KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from copytrade.bus.keys import Entry, Read, Written
from copytrade.common.logs import alert, fields, over

T = TypeVar("T")

#: Seconds between pings, and how many may be unanswered: a server that hangs is seen after twice that.
PING_EVERY, PINGS_UNANSWERED = 2, 2

#: Seconds between attempts to connect again.
RECONNECT_EVERY = 0.25

#: Seconds that the connection gets to close.
CLOSES_WITHIN = 1.0


class BucketUnusable(Exception):
    """A bucket was made with other settings than ours; the message says which."""


@dataclass(frozen=True, slots=True)
class BusAccess:
    """How to reach the bus: URLs, what names begin with, TLS and the seed of the node's key."""

    urls: Sequence[str]
    prefix: str
    tls: ssl.SSLContext | None = None
    nkey_seed: str | None = None


class NatsKeys:
    """A ``KeyBus``. Each bucket has an id of its own at random, so that one that was lost and made anew is another."""

    def __init__(self, access: BusAccess, lifetimes: dict[str, float], timeout: float) -> None:
        """``lifetimes`` are the seconds that keys live in buckets; in others they stay. ``timeout`` is in seconds."""
        self._access = access
        self._lifetimes = lifetimes
        self._timeout = timeout
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bus", daemon=True)
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None
        self._buckets: dict[str, KeyValue] = {}
        self._is_lost = self._is_closing = False
        self._unusable: set[str] = set()

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost; returns at once."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._connect(), self._loop)

    def close(self) -> None:
        """Close the connection; requests under way have no answer."""
        if self._is_closing:
            return
        self._is_closing = True
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            closing.result(CLOSES_WITHIN)
        except TimeoutError:
            logger.warning("Connection to the bus not closed in {}s", CLOSES_WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSES_WITHIN)

    def read(self, bucket: str, key: str, then: Callable[[Read | None], object]) -> None:
        """Read a key."""
        self._answer(self._read(bucket, key), then)

    def read_all(self, bucket: str, then: Callable[[Read | None], object]) -> None:
        """Read every key of a bucket."""
        self._answer(self._read_all(bucket), then)

    def write(
        self, bucket: str, key: str, value: bytes, revision: int, then: Callable[[Written | None], object]
    ) -> None:
        """Write a key if its revision is still the one given, 0 for a key that is not there."""
        self._answer(self._write(bucket, key, value, revision), then)

    def _answer(self, call: Coroutine[Any, Any, T], then: Callable[[T | None], object]) -> None:
        async def answered() -> None:
            try:
                answer = await asyncio.wait_for(call, self._timeout)
            except (NatsError, TimeoutError, OSError):
                self._buckets.clear()  # the server may be another one
                then(None)
            except BucketUnusable as fault:
                if str(fault) not in self._unusable:
                    self._unusable.add(str(fault))
                    alert("bus", "", "Bus cannot be used: {}", str(fault))
                then(None)
            else:
                then(answer)

        if self._is_closing:
            call.close()
            then(None)
        else:
            asyncio.run_coroutine_threadsafe(answered(), self._loop)

    async def _connect(self) -> None:
        options: dict[str, Any] = {}
        if self._access.tls is not None:
            options["tls"] = self._access.tls
        if self._access.nkey_seed is not None:
            options["nkeys_seed_str"] = self._access.nkey_seed
        while self._client is None:
            try:
                self._client = await nats.connect(
                    servers=list(self._access.urls),
                    ping_interval=PING_EVERY,
                    max_outstanding_pings=PINGS_UNANSWERED,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=RECONNECT_EVERY,
                    pending_size=0,  # what cannot be sent now is not sent later
                    error_cb=self._on_error,
                    disconnected_cb=self._on_lost,
                    reconnected_cb=self._on_back,
                    **options,
                )
            except (NatsError, OSError, TimeoutError) as error:
                await self._on_error(error)
                await self._on_lost()
                await asyncio.sleep(RECONNECT_EVERY)
        self._stream = self._client.jetstream(timeout=self._timeout)
        await self._on_back()

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _on_error(self, error: Exception) -> None:
        logger.debug("Bus says {}", fields(error=f"{type(error).__name__}: {error}"))

    async def _on_lost(self) -> None:
        if not self._is_lost and not self._is_closing:
            self._is_lost = True
            alert("bus", "", "Bus lost {}", fields(url=",".join(self._access.urls)), level="ERROR")

    async def _on_back(self) -> None:
        self._buckets.clear()
        if self._is_lost:
            self._is_lost = False
            over("bus", "", "Bus back {}", fields(url=",".join(self._access.urls)))

    def _connected(self) -> Client:
        """Return the connection. Raises TimeoutError if there is none now."""
        if self._client is None or not self._client.is_connected:
            raise TimeoutError
        return self._client

    async def _bucket(self, name: str) -> KeyValue:
        """Return a bucket, made if it is not there."""
        self._connected()
        if self._stream is None:
            raise TimeoutError
        if name not in self._buckets:
            whole, lives = f"{self._access.prefix}_{name}", self._lifetimes.get(name)
            try:
                found = await self._stream.key_value(whole)
            except BucketNotFoundError:
                config = KeyValueConfig(
                    bucket=whole, description=secrets.token_hex(8), ttl=lives, storage=StorageType.FILE
                )
                await self._stream.create_key_value(config)
                found = await self._stream.key_value(whole)
            has = (await found.status()).ttl or None
            if has != lives:
                raise BucketUnusable(
                    f"the keys of {whole} live for {has or 'ever'} s and not {lives or 'ever'}: give all nodes the same"
                    " [nodes] lease, or delete that bucket while none runs"
                )
            self._buckets[name] = found
        return self._buckets[name]

    async def _read(self, bucket: str, key: str) -> Read:
        kept = await self._bucket(bucket)
        try:
            found = await kept.get(key)
            entry = Entry(key, found.value or b"", found.revision or 0)
        except KeyNotFoundError:
            entry = Entry(key, None, 0)
        return Read((entry,), await self._id_of(kept))

    async def _read_all(self, bucket: str) -> Read:
        kept = await self._bucket(bucket)
        watcher = await kept.watchall(ignore_deletes=True)
        entries = []
        async for found in watcher:
            if found is None:
                break
            entries.append(Entry(found.key, found.value or b"", found.revision or 0))
        await watcher.stop()  # type: ignore[no-untyped-call]
        return Read(entries, await self._id_of(kept))

    async def _write(self, bucket: str, key: str, value: bytes, revision: int) -> Written:
        kept = await self._bucket(bucket)
        try:
            return Written(await kept.update(key, value, revision))
        except KeyWrongLastSequenceError:
            return Written(None)

    async def _id_of(self, bucket: KeyValue) -> str:
        """Return the id of a bucket that is there now; it is read after the keys, so that no lost store looks whole."""
        return (await bucket.status()).stream_info.config.description or ""
