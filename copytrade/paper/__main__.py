"""A paper broker as a process: it reads its configuration as a line of JSON on standard input, and ends with it."""

import asyncio
import json
import sys

from copytrade.common.gc_tuning import collect_little_at_a_time
from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import Mishaps
from copytrade.paper.process import PaperConfig
from copytrade.paper.script import ScriptedLeader

#: Seconds at speed 1 by which a scripted leader begins after the one before.
LATER = 15.0


def main() -> None:
    """Serve until standard input ends."""
    config = PaperConfig.from_json(sys.stdin.readline())

    async def script(broker: PaperBroker) -> None:
        leaders = enumerate((config.leader, *config.more_leaders))
        sessions = [ScriptedLeader(broker, one, config.speed).trade(1.0 + number * LATER) for number, one in leaders]
        await asyncio.gather(*sessions)

    broker = PaperBroker(
        config.accounts,
        seed=config.seed,
        tick_interval=config.tick_interval,
        mishaps=Mishaps(config.partial_fills, config.rejections, config.halts, spared=config.leader),
        script=script if config.scripted else None,
        control=config.control,
        port=config.port,
        tells_transit=config.tells_transit,
        per_second=config.per_second,
        master_rows=config.master_rows,
    )
    collect_little_at_a_time()
    with broker:
        urls = ("rest_url", "feed_url", "auth_url", "instruments_url")
        print(json.dumps({name: getattr(broker, name) for name in urls}), flush=True)  # noqa: T201 (our parent reads it)
        sys.stdin.read()


if __name__ == "__main__":
    main()
