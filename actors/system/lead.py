"""What a lead has besides the leaders' feeds: a broadcaster for each of them."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.broadcaster import Broadcaster, LedLeader
from actors.lease_keeper.leading import LeadersLeases
from actors.runtime.actor import Incarnation
from actors.runtime.timers import Clock
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from actors.system.addresses import Addresses
from copytrade.bus.keys import KeyBus
from copytrade.bus.messages import MessageBus
from copytrade.core.lease.lease import Fence
from copytrade.settings import Leader, Settings

#: Seconds that one message may take: to listen to the bus may.
DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Lead:
    """The bus on which this process tells its leaders' orders, and its epoch, greater than that of each lead before.

    It fetches a leader's token only while it has his lease.
    """

    bus: MessageBus
    epoch: int
    leases: LeadersLeases | None = None

    @property
    def fences(self) -> Mapping[str, Fence]:
        """The fence of each leader's account."""
        return self.leases.fences if self.leases is not None else {}

    @property
    def is_lost(self) -> bool:
        """Whether a lease was lost, so that another lead may tell the orders of a leader."""
        return self.leases is not None and self.leases.is_lost


def leases_of(settings: Settings, bus: KeyBus, store: str) -> LeadersLeases:
    """Return the leases of all leaders, not taken; if one is lost later, the process is told to stop.

    ``store`` is the id of the bus's store that this database has kept.
    """

    def lost(_leader: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    return LeadersLeases(settings.leader_ids, settings.nodes.lease, bus, store, lost)


def broadcasters(
    lead: Lead, settings: Settings, addresses: Addresses, clock: Clock, restarts: RestartPolicy
) -> list[ChildSpec]:
    """Return a broadcaster for each leader."""

    def spec(leader: Leader) -> ChildSpec:
        led = LedLeader(leader.name, leader.client_id, settings.nodes.prefix, lead.epoch)
        feed, recovery = addresses.feeds[leader.name], addresses.recovery

        def start(life: Incarnation[Any]) -> object:
            return Broadcaster.start(life, led, lead.bus, clock, feed, recovery)

        return ChildSpec(addresses.broadcasters[leader.name], start, restarts, DEADLINE, core=False)

    return [spec(leader) for leader in settings.leaders]
