"""Followers that come and go with their leases, on a node."""

import secrets
import time
from dataclasses import dataclass

from actors.follower.account import Tenure
from actors.lease_keeper.actor import LEASES, LeaseKeeper
from actors.lease_keeper.claim import NodeIdentity
from actors.lease_keeper.messages import LeaseKeeperInbox
from actors.lease_keeper.wishes import MOVE_LIVES, MOVES
from actors.messages.leases import AccountLeft, LeaseNews, LeaseTaken, LeaseUnwanted, LeaseWanted
from actors.messages.permits import RequestsCarried
from actors.messages.store import LoadState, Write, Writer
from actors.runtime.address import Address, Recipient
from actors.runtime.timers import Clock
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from actors.system.addresses import Addresses
from actors.system.membership.comings import Comings
from copytrade.app.clients import credentials_for
from copytrade.bus.messages import Bus
from copytrade.common import wall_clock
from copytrade.common.logs import alert
from copytrade.core.lease.lease import Fence
from copytrade.core.lease.record import HOUR, Carried, counted_by_successor
from copytrade.core.model.commands import lease_epoch_key, untaken_key
from copytrade.settings import Follower, Settings
from copytrade.storage.records import ConfigSet, Record

#: Seconds that one message of the lease keeper may take: at a stop it waits for the bus.
DEADLINE = 10.0

_WRITER = Writer("tenures", 1)


@dataclass(frozen=True, slots=True)
class Node:
    """This process among others: its name, the bus, and what its database has kept of leases.

    ``traded`` are the epochs by which it traded accounts last, ``store`` is the id of the bus's store then.
    ``takes_home``: it asks for the leases of the accounts whose first home it is.
    """

    name: str
    bus: Bus
    traded: dict[str, int]
    store: str
    takes_home: bool = False


class Tenures:
    """Starts an account's actors when its lease was taken, and ends them when it goes; used by the main thread."""

    def __init__(
        self,
        node: Node,
        settings: Settings,
        addresses: Addresses,
        comings: Comings,
        clock: Clock,
        session: Recipient[LeaseNews],
    ) -> None:
        self._node = node
        self._run = secrets.token_hex(8)
        self._settings = settings
        self._followers = {follower.name: follower for follower in settings.followers}
        self._traded = dict(node.traded)
        self._addresses = addresses
        self._comings = comings
        self._clock = clock
        self._session = session
        #: The fence of each account that this node may ever trade.
        self.fences = {name: _fence_of(follower) for name, follower in self._followers.items()}

    @property
    def keeper(self) -> Address[LeaseKeeperInbox]:
        """The lease keeper's address."""
        return self._addresses.leases

    def child(self, restarts: RestartPolicy) -> ChildSpec:
        """Return the lease keeper's spec. It stops after the followers, so that their leases are given up at once."""
        identity = NodeIdentity(self._node.name, self._run)
        addresses = self._addresses
        return ChildSpec(
            self.keeper,
            lambda life: LeaseKeeper.start(
                life,
                self._clock,
                identity,
                self._settings.nodes.lease,
                self._node.bus,
                self.fences,
                {name: self._wanted(follower) for name, follower in self._followers.items()},
                self._node.store,
                addresses.store,
                addresses.limiter,
                self._session,
                addresses.followers,
                takes_home=self._node.takes_home,
            ),
            restarts,
            DEADLINE,
            core=True,
        )

    def _wanted(self, follower: Follower) -> LeaseWanted:
        return LeaseWanted(follower.name, follower.homes, self._traded.get(follower.name, 0))

    def want(self, follower: Follower) -> None:
        """Take another account's lease as soon as it is free."""
        self._followers[follower.name] = follower
        self.fences.setdefault(follower.name, _fence_of(follower))
        self.keeper.tell(self._wanted(follower))

    def unwant(self, name: str) -> None:
        """Give an account's lease up for good."""
        self.keeper.tell(LeaseUnwanted(name))

    def take(self, news: LeaseNews) -> None:
        """Begin to trade an account, or end it."""
        if not isinstance(news, LeaseTaken):
            self._end(news.account)
        elif news.account not in self._followers:
            self.keeper.tell(LeaseUnwanted(news.account))
        elif news.account in self._addresses.followers:  # a lease keeper that was restarted says so again
            self._addresses.store.tell(LoadState(news.account, self.keeper))
        else:
            self._begin(self._followers[news.account], news)

    def _begin(self, follower: Follower, taken: LeaseTaken) -> None:
        """Write down what the node before has written, and start the account's actors."""
        name, addresses = follower.name, self._addresses
        self._traded[name] = taken.epoch
        records: list[Record] = [*(taken.records or ()), ConfigSet(lease_epoch_key(name), str(taken.epoch))]
        if why := self._why_entries_wait(taken):
            records.append(ConfigSet(untaken_key(name), why))
            alert("untaken", name, "Entries wait for run.py take {}: {}", name, why)
        addresses.store.tell(Write(tuple(records), _WRITER))
        tenure = Tenure(self.fences[name])
        if taken.is_foreign:
            addresses.limiter.tell(RequestsCarried(name, self._counted(taken.carried)))
            dhan, recovery = self._settings.dhan, self._settings.recovery
            wait = max(recovery.absence_window, self._settings.nodes.lease + dhan.request_timeout)
            tenure = Tenure(self.fences[name], 0.0 if taken.was_released else wait, logs_in=True)
        self._comings.join(follower, self._settings, tenure, taken.tried)
        addresses.store.tell(LoadState(name, self.keeper))

    def _why_entries_wait(self, taken: LeaseTaken) -> str:
        """Return why an operator has to say that no other node trades the account, "" if he need not."""
        if not taken.is_foreign:
            return ""
        other = taken.before or "another node"
        if taken.records is None:
            return f"nothing current is known of what {other} has copied"
        if not self.fences[taken.account].logs_in and not taken.was_released:
            return f"{other} may send orders still, as the account has no PIN and TOTP secret"
        return ""

    def _counted(self, carried: Carried | None) -> list[float]:
        """Return when the node before may have sent requests; an hour's entries if it has not said."""
        now = wall_clock.now().timestamp()
        since = time.monotonic() - now
        return [at + since for at in counted_by_successor(carried or Carried(now - HOUR, ""), now)]

    def _end(self, name: str) -> None:
        def left() -> None:
            self.keeper.tell(AccountLeft(name))

        if name in self._addresses.followers:
            self._comings.leave(name, left)
        else:
            left()


def _fence_of(follower: Follower) -> Fence:
    return Fence(logs_in=credentials_for(follower).can_log_in)


def lifetimes_of(settings: Settings) -> dict[str, float]:
    """Return how long keys live on the bus, in seconds; in other buckets they stay."""
    return {LEASES: settings.nodes.lease, MOVES: MOVE_LIVES}
