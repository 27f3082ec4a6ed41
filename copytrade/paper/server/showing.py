"""What the broker shows of its state: late, not at all, with added rows, or changed."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from copytrade.paper.exchange.orders import PaperOrder
from copytrade.paper.exchange.portfolio import PaperPosition
from copytrade.paper.server.rewriting import Fields, Rewritings, Told

#: For ever, in seconds.
NEVER_SHOWN = float("inf")


@dataclass(slots=True)
class Lags:
    """The delays of an account's order book, positions and order updates, in seconds.

    Late rows show the earlier state. ``visible`` is how long an accepted order is missing from the order book and from
    lookups by its correlation id, which then show its current state.
    """

    book: float = 0.0
    positions: float = 0.0
    feed: float = 0.0
    visible: float = 0.0


class Showing:
    """What is shown of each account. Runs on the server's loop; nothing in it is thread-safe."""

    def __init__(self) -> None:
        self.rewritings = Rewritings()
        self._lags: dict[str, Lags] = defaultdict(Lags)
        self._added: dict[tuple[Told, str], list[Fields]] = defaultdict(list)
        self._hidden: dict[str, float] = {}
        self._echoes: dict[str, set[str]] = defaultdict(set)

    def lags(self, client_id: str) -> Lags:
        """Return an account's lags, which may be changed."""
        return self._lags[client_id]

    def set_lags(self, client_id: str, **seconds: float) -> None:
        """Change some of an account's lags."""
        self._lags[client_id] = replace(self._lags[client_id], **seconds)

    def clear(self) -> None:
        """Show everything at once and unchanged. What was hidden for ever stays hidden."""
        self.rewritings.clear()
        self._lags.clear()
        self._added.clear()
        self._echoes.clear()

    def hide(self, order_id: str, seconds: float = NEVER_SHOWN) -> None:
        """Hide an order everywhere for ``seconds``."""
        self._hidden[order_id] = time.monotonic() + seconds

    def hides(self, order_id: str) -> bool:
        """Return whether an order is hidden now."""
        return order_id in self._hidden and time.monotonic() < self._hidden[order_id]

    def add(self, told: Told, client_id: str, fields: Fields) -> None:
        """Add a row to an account's list that does not exist at the exchange."""
        self._added[told, client_id].append(fields)

    def echo(self, client_id: str, *others: str) -> None:
        """Send an account's order updates over the sockets of others as well."""
        self._echoes[client_id].update(others)

    def listeners(self, client_id: str) -> Iterator[str]:
        """Yield the accounts over whose sockets an account's order updates are sent."""
        yield client_id
        yield from self._echoes.get(client_id, ())

    def orders(self, client_id: str, orders: Iterable[PaperOrder], visible: float) -> Iterator[PaperOrder]:
        """Yield an account's visible orders as they are shown now."""
        lags, now = self._lags[client_id], time.monotonic()
        accepted_until = now - max(visible, lags.visible)
        for order in orders:
            if order.accepted_at > accepted_until or self.hides(order.id):
                continue
            shown = order.as_of(now - lags.book) if lags.book else order
            if shown is not None:
                yield shown

    def order(self, order: PaperOrder) -> PaperOrder | None:
        """Return an order as a lookup by its id shows it, None if it is hidden."""
        if self.hides(order.id):
            return None
        lag = self._lags[order.client_id].book
        return order.as_of(time.monotonic() - lag) if lag else order

    def positions(self, client_id: str, positions: Iterable[PaperPosition]) -> Iterator[PaperPosition]:
        """Yield an account's positions as they are shown now."""
        lag, now = self._lags[client_id].positions, time.monotonic()
        for position in positions:
            shown = position.as_of(now - lag) if lag else position
            if shown is not None:
                yield shown

    def rows(self, told: Told, client_id: str, rows: Iterable[Fields]) -> list[dict[str, object]]:
        """Return rows with the added ones, changed by the rules."""
        whole = (*rows, *self._added.get((told, client_id), ()))
        return [self.rewritings.told(told, client_id, fields) for fields in whole]

    def is_plain(self, told: Told, client_id: str) -> bool:
        """Return whether a list is shown unchanged."""
        return not self.rewritings and (told, client_id) not in self._added
