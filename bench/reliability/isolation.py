"""How much nine followers are slowed down when the tenth crashes, hangs or has a slow broker.

python -m bench.reliability.isolation
"""

import os
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue

from loguru import logger

from actors.messages.followers import FailOnPurpose
from actors.system.system import CopySystem
from bench.reliability.rig import KEPT, LEADER, LOT, Rig
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess, start_paper_process
from copytrade.reports.percentiles import percentile
from copytrade.settings import Settings

NAMES = [f"f{number}" for number in range(10)]
CLIENTS = {name: f"10000002{number:02}" for number, name in enumerate(NAMES)}

#: Orders in each measurement, and the seconds between two of them.
ORDERS, PACE = 80, 0.2


def started() -> PaperProcess:
    """Start a broker for eleven accounts."""
    accounts = [PaperAccount(LEADER, "token-of-leader", Decimal(10**12))]
    accounts += [PaperAccount(client, f"token-of-{name}", Decimal(10**12)) for name, client in CLIENTS.items()]
    config = PaperConfig(tuple(accounts), LEADER, scripted=False, tick_interval=None, partial_fills=0.0, control=True)
    return start_paper_process(config)


def settings_for(broker: PaperProcess, folder: Path) -> Settings:
    """Return settings for ten followers of the leader's size."""
    return Settings.model_validate(
        {
            "mode": "live",
            "leader": {"client_id": LEADER, "access_token": "token-of-leader"},
            "followers": [
                {"name": name, "client_id": client, "access_token": f"token-of-{name}"}
                for name, client in CLIENTS.items()
            ],
            "copy": {"sizing": "fixed_ratio"},
            "dhan": {
                "rest_url": broker.rest_url,
                "feed_url": broker.feed_url,
                "auth_url": broker.auth_url,
                "instruments_url": broker.instruments_url,
                "request_timeout": 1.0,
            },
            "market": {"hours": "always"},
            "supervision": {"max_restarts": 1000, "hang_after": 0.5},
            "store": {"database": str(folder / "copy_trading.db")},
        }
    )


def measure(mishap: str) -> tuple[float, float]:
    """Return the nine others' p50 and p99 in milliseconds, from the leader's frame to the broker's acceptance."""
    broker = started()
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(broker, Path(folder))
        ended: SimpleQueue[int] = SimpleQueue()
        system = CopySystem(settings_for(broker, Path(folder)), None, ended.put)
        system.start()
        deadline = time.monotonic() + 20
        while not system.is_ready() and time.monotonic() < deadline:
            time.sleep(0.01)
        victim = next(child.address for child in system.children if child.address.name == NAMES[0])
        for number in range(ORDERS):
            if mishap in ("crash", "hang") and number % 8 == 4:
                victim.tell(FailOnPurpose(0.0 if mishap == "crash" else 2.0))
            elif mishap == "slow broker":
                broker.control("fault", mischief="none", kind="place", client_id=CLIENTS[NAMES[0]], delay=0.15)
            price = Decimal(100) + number % 10
            broker.control("place", client_id=LEADER, side="BUY", security_id=KEPT, quantity=LOT, price=price)
            time.sleep(PACE)
        time.sleep(1.0)
        rows = rig.rows(f"SELECT latency_ms FROM copy_mappings WHERE follower != '{NAMES[0]}'")  # noqa: S608
        system.stop()
        ended.get(timeout=20)
        system.close()
        broker.stop()
    latencies = [float(latency) for (latency,) in rows if latency is not None]
    if len(latencies) != ORDERS * (len(NAMES) - 1):
        raise SystemExit(f"{len(latencies)} of {ORDERS * (len(NAMES) - 1)} copies have a latency")
    return percentile(latencies, 50) or 0.0, percentile(latencies, 99) or 0.0


def main() -> int:
    """Measure without a mishap and with each of them, two rounds."""
    logger.remove()
    sys.setswitchinterval(0.001)
    os.umask(0o077)
    for _ in range(2):
        for mishap in ("none", "crash", "hang", "slow broker"):
            p50, p99 = measure(mishap)
            print(f"{mishap:<12} p50 {p50:5.1f} ms   p99 {p99:5.1f} ms", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
