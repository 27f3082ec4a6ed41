"""A shelf: what is known of many orders, of which most are over and hardly ever looked at again.

Those are put away: written down as they would be in the database, and compressed by what the first of them looked like,
as one is much like another. Whoever asks for one gets it as it was.
"""

import zlib
from collections.abc import Iterator, KeysView
from typing import Generic, TypeVar

import msgspec

from copytrade.core.model.encoding import STATE, fraction

T = TypeVar("T")

#: No header and no checksum, as nothing leaves the process, and a window of 4 KB: a larger one takes longer to set up.
_WINDOW = -12


class Shelf(Generic[T]):
    """Values of a ``kind`` by order id, in the order in which they came; like a dict."""

    def __init__(self, kind: type[T]) -> None:
        self._values: dict[str, T | bytes] = {}
        self._read = msgspec.json.Decoder(kind, dec_hook=fraction).decode
        self._like = b""

    def __contains__(self, order_id: object) -> bool:
        return order_id in self._values

    def __getitem__(self, order_id: str) -> T:
        value = self._values[order_id]
        return self._open(value) if isinstance(value, bytes) else value

    def __setitem__(self, order_id: str, value: T) -> None:
        self._values[order_id] = value

    def get(self, order_id: str) -> T | None:
        """Return a value, or None."""
        value = self._values.get(order_id)
        return self._open(value) if isinstance(value, bytes) else value

    def pop(self, order_id: str) -> T | None:
        """Take a value off the shelf, None if it is not there."""
        value = self._values.pop(order_id, None)
        return self._open(value) if isinstance(value, bytes) else value

    def keys(self) -> KeysView[str]:
        """Return the ids of all."""
        return self._values.keys()

    def values(self) -> Iterator[T]:
        """Return all values, one after the other."""
        return map(self.__getitem__, self._values)

    def at_hand(self) -> Iterator[T]:
        """Return the values that are not put away."""
        return (value for value in self._values.values() if not isinstance(value, bytes))

    def put_away(self, order_id: str) -> None:
        """Keep a value in less room, until another takes its place."""
        value = self._values[order_id]
        if isinstance(value, bytes):
            return
        written = STATE.encode(value)
        self._like = self._like or written
        press = zlib.compressobj(wbits=_WINDOW, zdict=self._like)
        self._values[order_id] = press.compress(written) + press.flush()

    def is_put_away(self, order_id: str) -> bool:
        """Whether a value was put away, and nothing has taken its place since."""
        return isinstance(self._values.get(order_id), bytes)

    def _open(self, pressed: bytes) -> T:
        press = zlib.decompressobj(wbits=_WINDOW, zdict=self._like)
        return self._read(press.decompress(pressed) + press.flush())
