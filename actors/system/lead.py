"""What a lead has besides the leaders' feeds: a broadcaster for each of them."""

from dataclasses import dataclass
from typing import Any

from actors.broadcaster import Broadcaster, LedLeader
from actors.runtime.actor import Incarnation
from actors.runtime.timers import Clock
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from actors.system.addresses import Addresses
from copytrade.bus.messages import MessageBus
from copytrade.settings import Leader, Settings

#: Seconds that one message may take: to listen to the bus may.
DEADLINE = 10.0


@dataclass(frozen=True, slots=True)
class Lead:
    """The bus on which this process tells its leaders' orders, and its epoch, greater than that of each lead before."""

    bus: MessageBus
    epoch: int


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
