"""The lease keeper beside a real bus: who has an account, and what his successor is told."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.lease_keeper.actor import LeaseKeeper
from actors.lease_keeper.claim import NodeIdentity
from actors.lease_keeper.messages import LeaseKeeperInbox
from actors.messages.leases import AccountLeft, LeaseGone, LeaseTaken, LeaseWanted, MoveLease
from actors.messages.permits import RequestsCounted
from actors.messages.store import Committed, LoadState, StateLoaded, Write
from actors.messages.tokens import LoginTried
from actors.runtime.actor import Incarnation
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from copytrade.bus.nats_keys import BusAccess, NatsKeys
from copytrade.common import wall_clock
from copytrade.core.lease.lease import Fence
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import InstrumentKey, Product
from copytrade.storage.records import ConfigSet, LedgerChanged
from tests.actors.listening import Listener
from tests.support.bus import BusServer
from tests.support.waiting import eventually

#: Seconds that a lease lasts.
LENGTH = 0.5

_RUNS = itertools.count(1)

LINE = LedgerChanged(
    "alice", Line(LineKey(InstrumentKey("NSE_FNO", "45674"), Product.INTRADAY), held=65), wall_clock.now()
)


class Node:
    """A keeper with its own connection, as in a process of its own; it answers as the store does."""

    def __init__(
        self, server: BusServer, clock: Clock, name: str, homes: tuple[str, ...], prefix: str, **kept: Any
    ) -> None:
        self.run = f"run{next(_RUNS)}"
        self.fence = Fence(logs_in=True)
        self.session, self.store, self.limiter = Listener("session"), _Store("store"), Listener("limiter")
        self.bus = NatsKeys(BusAccess([server.url], prefix), {"LEASES": LENGTH}, 1.0)
        self.bus.start()
        self.address: Address[LeaseKeeperInbox] = Address("leases")
        life: Incarnation[LeaseKeeperInbox] = Incarnation(self.address, 1, lambda _report: None)
        wanted = {"alice": LeaseWanted("alice", homes, kept.get("traded", 0))}
        self._actor = LeaseKeeper.start(
            life,
            clock,
            NodeIdentity(name, self.run),
            LENGTH,
            self.bus,
            {"alice": self.fence},
            wanted,
            kept.get("store", ""),
            self.store,
            self.limiter,
            self.session,
            {},
        )
        if kept.get("answers", True):
            self.store.keeper = self.address

    @property
    def taken(self) -> LeaseTaken | None:
        return next(iter(reversed(self.session.of(LeaseTaken))), None)

    @property
    def lost(self) -> bool:
        return bool(self.session.of(LeaseGone))

    @property
    def epoch(self) -> int:
        return self.taken.epoch if self.taken else 0

    def owns(self) -> bool:
        return self.fence.is_held(time.monotonic())

    def trades(self, *records: Any) -> None:
        """Go on as the main thread and the store do once a lease was taken."""
        self.address.tell(StateLoaded("alice", records))

    def known_store(self) -> str:
        found: str = eventually(
            lambda: next(
                (one.value for write in self.store.of(Write) for one in write.records if one.key == "lease_store"), ""
            ),
            "the node has noted the bus's store",
        )
        return found

    def has_written(self, count: int) -> None:
        """Wait until the bus has so many records of the whole state, each in its last revision."""
        seen: list[Any] = []

        def look() -> bool:
            self.bus.read_all("STATE_alice", seen.append)
            return bool(seen) and seen[-1] is not None and len(seen[-1].entries) == count + 1

        eventually(look, "the state is on the bus")

    def stop(self) -> None:
        """End in order."""
        self._actor.stop()
        self.bus.close()

    def die(self) -> None:
        """End at once, and say nothing."""
        self.bus.close()
        self._actor.stop(block=False)


class _Store(Listener):
    keeper: Address[Any] | None = None

    def tell(self, message: Any) -> bool:
        if isinstance(message, LoadState) and self.keeper is not None:
            self.keeper.tell(StateLoaded(message.follower, (LINE,)))
        return super().tell(message)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusServer]:
    server = BusServer(tmp_path_factory.mktemp("bus"))
    yield server
    server.close()


NewNode = Callable[..., Node]


@pytest.fixture
def node(server: BusServer) -> Iterator[NewNode]:
    clock, nodes, prefix = Clock(), [], f"t{next(_RUNS)}"
    clock.start()

    def new(name: str, homes: tuple[str, ...] = (), **kept: Any) -> Node:
        nodes.append(Node(server, clock, name, homes, prefix, **kept))
        return nodes[-1]

    yield new
    for one in nodes:
        one.die()
    clock.stop()


def _first(node: NewNode, name: str = "n1", homes: tuple[str, ...] = ()) -> tuple[Node, str]:
    """Return a node that has the lease, and the id of the bus's store."""
    one = node(name, homes)
    eventually(lambda: one.taken, "the lease is taken")
    one.trades(LINE, ConfigSet("copying_since.alice", "1800000000"))
    one.has_written(2)
    return one, one.known_store()


def test_a_first_start_trades_by_its_own_database(node: NewNode) -> None:
    one, _ = _first(node)

    assert one.taken is not None
    assert not one.taken.is_foreign
    assert one.owns()


def test_one_node_has_it_and_another_takes_it_when_that_one_has_died(node: NewNode) -> None:
    one, store = _first(node)
    other = node("n2", store=store)
    time.sleep(2 * LENGTH)  # long enough for a lease that nobody renews to end
    assert other.taken is None
    assert one.owns()

    one.die()

    taken = eventually(lambda: other.taken, "the other takes it")
    assert taken.is_foreign
    assert taken.epoch > one.epoch
    assert taken.before == "n1"
    assert set(taken.records) == {LINE, ConfigSet("copying_since.alice", "1800000000")}


def test_a_successor_is_told_what_was_committed_last_and_what_was_sent(node: NewNode) -> None:
    one, store = _first(node)
    later = LedgerChanged("alice", Line(LINE.entry.key, held=130), wall_clock.now())
    login = wall_clock.now()
    one.address.tell(Committed((later,)))
    one.address.tell(LoginTried("alice", login, 2))
    one.address.tell(RequestsCounted({"alice": [time.monotonic()] * 7}))
    heard = len(one.limiter.heard)
    eventually(lambda: len(one.limiter.heard) > heard + 8, "it was renewed since")
    other = node("n2", store=store)
    one.die()

    taken = eventually(lambda: other.taken, "the other takes it")

    assert [one.entry.held for one in taken.records if isinstance(one, LedgerChanged)] == [130]
    assert sum(count for _, count in taken.carried.minutes) == 7
    assert taken.tried == LoginTried("alice", login, 2)


def test_a_node_that_starts_again_goes_on_with_its_own_database(node: NewNode) -> None:
    one, store = _first(node)
    one.stop()

    again = node("n1", store=store, traded=one.epoch)

    taken = eventually(lambda: again.taken, "it takes its lease again")
    assert not taken.is_foreign
    assert taken.epoch > one.epoch


def test_who_comes_after_a_node_that_has_written_nothing_is_told_that_nothing_is_known(node: NewNode) -> None:
    one = node("n1", answers=False)
    eventually(one.owns, "the lease is taken")
    store = one.known_store()
    eventually(lambda: one.store.of(LoadState), "it asks its store for the state")
    one.address.tell(Committed((LINE,)))
    one.has_written(0)  # that line, and nothing says that it is all
    assert one.taken is None  # it does not trade before the bus has its whole state
    other = node("n2", store=store)
    one.die()

    taken = eventually(lambda: other.taken, "the other takes it")
    assert taken.is_foreign
    assert taken.records is None


def test_a_planned_move_goes_to_the_other_at_once_when_nothing_is_under_way(node: NewNode) -> None:
    one, store = _first(node)
    home, other = node("n3", ("n3",), store=store), node("n2", ("n3", "n2"), store=store)
    one.address.tell(MoveLease("alice", "n2"))
    eventually(lambda: one.lost, "its account is to stop")
    assert one.owns()

    one.address.tell(AccountLeft("alice"))

    eventually(lambda: other.taken, "the other has it")
    assert not one.owns()
    assert home.taken is None


def test_a_node_cut_off_from_the_bus_knows_when_its_lease_has_ended(node: NewNode) -> None:
    one, store = _first(node)
    other = node("n2", store=store)
    one.bus.close()

    eventually(lambda: other.taken, "the other takes it")

    assert not one.owns()
