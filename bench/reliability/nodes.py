"""Two nodes with the same followers while a leader trades: nodes and bus are killed, stopped and let go.

In the end the broker's books are judged: nothing may be doubled or lost. Each trial has a seed.

    python -m bench.reliability.nodes --trials 5
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bench.reliability.rig import CLIENTS, LEADER, RATIOS, ROOT, Rig, Verdict, judge
from bench.reliability.storm import Plan, steps
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess, start_paper_process
from tests.support.bus import BusServer

#: Seconds that a lease lasts, and that a request may take.
LEASE, TIMEOUT = 1.0, 1.0

#: Seconds between two orders of the leader, and between two mishaps.
PACE, MISHAP_EVERY = 0.15, (3.0, 9.0)

#: Seconds within which everything has to be right after the last mishap.
PATIENCE = 90.0

#: What goes wrong.
MISHAPS = (
    "kill a node",
    "stop a node for a while",
    "kill the bus",
    "stop the bus for a while",
    "lose the bus's store",
    "kill the lead",
    "stop the lead for a while",
)

_PIN, _SECRET = "27182818", "CANARYCANARYCANA"
_NAMES = ("n1", "n2")
_LEAD = "lead"


def start_broker() -> PaperProcess:
    """Start a broker whose followers can log in whenever they like."""
    ample = Decimal(10**12)
    accounts = [PaperAccount(LEADER, "token-of-leader", ample)]
    accounts += [PaperAccount(client, "", ample, pin=_PIN, totp_secret=_SECRET) for client in CLIENTS.values()]
    config = PaperConfig(tuple(accounts), LEADER, scripted=False, tick_interval=None, partial_fills=0.0, control=True)
    broker = start_paper_process(config)
    broker.control("allow_logins", every=0)
    return broker


@dataclass
class Nodes(Rig):
    """A broker, a bus and two nodes, each in a folder of its own."""

    bus: BusServer = field(kw_only=True)
    nodes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def configure_nodes(self) -> None:
        """Write the settings of both."""
        self.configure(window=1.0, timeout=TIMEOUT)
        text = (self.folder / "settings.toml").read_text()
        for name in CLIENTS:
            text = text.replace(f'access_token = "token-of-{name}"', f'pin = "{_PIN}"\ntotp_secret = "{_SECRET}"')
        text += f'[nodes]\nurl = "{self.bus.url}"\nlease = {LEASE}\n[tokens]\nattempt_interval = 0.2\n'
        for name in (_LEAD, *_NAMES):
            (self.folder / name).mkdir()
            (self.folder / name / "settings.toml").write_text(text)

    def start_node(self, name: str) -> None:
        """Start a node, or the lead."""
        with (self.folder / name / "out").open("ab") as out:
            role = [_LEAD] if name == _LEAD else ["node", name]
            command = [sys.executable, str(ROOT / "run.py"), *role]
            self.nodes[name] = subprocess.Popen(command, cwd=self.folder / name, stdout=out, stderr=out)
        self.starts += 1

    def kill_node(self, name: str) -> None:
        """Kill a node, as a power cut would."""
        self.nodes[name].kill()
        self.nodes[name].wait()

    def holders(self) -> list[str]:
        """Return the nodes by whose log a lease was taken last, each once."""
        last: dict[str, tuple[int, str]] = {}
        for name in _NAMES:
            for follower, epoch in re.findall(r"Lease taken follower=(\S+) node=\S+ epoch=(\d+)", self.log(name)):
                last[follower] = max(last.get(follower, (0, "")), (int(epoch), name))
        return sorted({name for _, name in last.values()})

    def log(self, name: str) -> str:
        """Return a node's log."""
        path = self.folder / name / "copy_trading.log"
        return path.read_text() if path.exists() else ""

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of both databases."""
        found: list[tuple[object, ...]] = []
        for name in _NAMES:
            found += Rig(self.broker, self.folder / name).rows(query)
        return found


@dataclass
class Trial:
    """The end of one storm."""

    seed: int
    verdict: Verdict
    mishaps: Counter[str]
    taken: int
    refused: int
    converged_in: float
    takeovers: list[float]


def run(seed: int, orders: int, folder: Path) -> Trial:
    """Run a storm, wait until everything is at rest, and judge it."""
    chance, bus, broker = random.Random(seed), BusServer(folder / "bus"), start_broker()
    rig = Nodes(broker, folder, bus=bus)
    rig.configure_nodes()
    mishaps: Counter[str] = Counter()
    takeovers: list[float] = []
    try:
        for name in (_LEAD, *_NAMES):
            rig.start_node(name)
        _wait(rig.holders, 30.0)
        _wait(lambda: all(broker.control("feed_connections", client_id=one) for one in CLIENTS.values()), 30.0)
        ids: list[str] = []
        due = time.monotonic() + chance.uniform(*MISHAP_EVERY) / 2
        for step in steps(Plan(seed, orders)):
            if time.monotonic() >= due:
                what = chance.choice(MISHAPS)
                mishaps[what] += 1
                _happen(rig, bus, what, chance, takeovers)
                due = time.monotonic() + chance.uniform(*MISHAP_EVERY)
            step(rig, ids)
            time.sleep(PACE)
        calm = time.monotonic()
        _wait(lambda: judge(rig).is_right, PATIENCE)
        converged_in = time.monotonic() - calm
        time.sleep(3.0)  # long enough for audits, which would correct what is not right yet
        logs = "".join(rig.log(name) for name in _NAMES)
        refused = sum(
            write["status"] >= 400
            for client in CLIENTS.values()
            for write in broker.control("writes", client_id=client)
        )
        return Trial(seed, judge(rig), mishaps, logs.count("Lease taken"), refused, converged_in, takeovers)
    finally:
        for process in rig.nodes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        bus.close()
        broker.stop()


def _happen(rig: Nodes, bus: BusServer, what: str, chance: random.Random, takeovers: list[float]) -> None:
    """Let something go wrong, and be mended after a while, up to three leases."""
    seconds = chance.uniform(0.2, 3 * LEASE)
    name = chance.choice(rig.holders() or list(_NAMES))
    match what:
        case "kill a node":
            taken = sum(rig.log(one).count("Lease taken") for one in _NAMES)
            rig.kill_node(name)
            began = time.monotonic()
            if chance.random() < 0.7:  # long enough for the other
                _wait(lambda: sum(rig.log(one).count("Lease taken") for one in _NAMES) > taken, 15.0)
                takeovers.append(time.monotonic() - began)
            rig.start_node(name)
        case "kill the lead":
            rig.kill_node(_LEAD)
            time.sleep(seconds)
            rig.start_node(_LEAD)
        case "stop a node for a while" | "stop the lead for a while":
            pid = rig.nodes[name if what == "stop a node for a while" else _LEAD].pid
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)
        case "kill the bus":
            bus.kill()
            time.sleep(seconds)
            bus.start()
        case "stop the bus for a while":
            bus.hang()
            time.sleep(seconds)
            bus.go_on()
        case _:
            bus.lose_store()


def _wait(condition: object, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and callable(condition) and not condition():
        time.sleep(0.1)


def main() -> int:
    """Run the trials; return 0 if nothing was wrong in any."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--orders", type=int, default=150)
    parser.add_argument("--keep", type=Path, help="a folder for the logs of the trials")
    options = parser.parse_args()
    wrong, takeovers, mishaps, copies = 0, list[float](), Counter[str](), 0
    for seed in range(options.seed, options.seed + options.trials):
        with tempfile.TemporaryDirectory() as temporary:
            folder = options.keep / str(seed) if options.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            trial = run(seed, options.orders, folder)
        wrong += not trial.verdict.is_right
        takeovers += trial.takeovers
        mishaps += trial.mishaps
        copies += options.orders * len(RATIOS)
        print(
            f"seed {seed}: {trial.verdict}; right {trial.converged_in:.1f} s after the last of it;"
            f" leases taken {trial.taken}, writes refused {trial.refused}",
            flush=True,
        )
    print(f"{options.trials} trials, {copies} copies, {sum(mishaps.values())} mishaps: {dict(mishaps)}")
    if takeovers:
        print(f"taken over after {min(takeovers):.1f} to {max(takeovers):.1f} s with leases of {LEASE:g} s")
    print("nothing wrong" if not wrong else f"WRONG in {wrong} trials")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
