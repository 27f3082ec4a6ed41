"""A lead and nodes, each a whole copier in this process, with a bus between them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from actors.system.lead import Lead
from actors.system.system import CopySystem
from copytrade.app.nodes import epoch_after, for_lead, for_node, open_bus
from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.support.bus import BusServer
from tests.support.copier import Copier, settings_for
from tests.support.waiting import eventually

_NUMBERS = count(1)


class Several:
    """Makes leads and nodes that share a bus under a prefix of their own."""

    def __init__(self, broker: PaperBroker, bus: BusServer, folder: Path) -> None:
        self._broker = broker
        self._nodes = {"url": bus.url, "prefix": f"t{next(_NUMBERS)}"}
        self._folder = folder

    def settings(self, name: str, **sections: Any) -> Settings:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return settings_for(self._broker, folder, nodes=self._nodes, **sections)

    @contextmanager
    def lead(self) -> Iterator[Copier]:
        with ExitStack() as stack:
            settings = self.settings("lead")
            bus = open_bus(settings.nodes)
            stack.callback(bus.close)
            yield stack.enter_context(_running(for_lead(settings), self._broker, Lead(bus, epoch_after(0))))

    @contextmanager
    def node(self, name: str, *followers: str) -> Iterator[Copier]:
        with ExitStack() as stack:
            settings = self.settings(name)
            bus = open_bus(settings.nodes)
            stack.callback(bus.close)
            here = tuple(one for one in settings.followers if one.name in (followers or ("alice", "bob")))
            node = for_node(settings.model_copy(update={"followers": here}), bus)
            yield stack.enter_context(_running(node, self._broker))


@contextmanager
def _running(settings: Settings, broker: PaperBroker, lead: Lead | None = None) -> Iterator[Copier]:
    ended: SimpleQueue[int] = SimpleQueue()
    system = CopySystem(settings, None, ended.put, lead=lead)
    system.start()
    try:
        eventually(system.is_ready, "every actor is live")
        yield Copier(system, settings, broker, [])
    finally:
        system.stop()
        assert ended.get(timeout=20) == 0
        system.close()
