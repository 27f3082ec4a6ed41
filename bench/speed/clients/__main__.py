"""What one request costs with each HTTP client, and what each does that this program must not do by accident.

python -m bench.speed.clients                    every client that is installed (pip install -e '.[bench]')
python -m bench.speed.clients --only niquests    in an environment of its own: it takes the place of urllib3

A server on loopback, in a process of its own, answers an order at once. Each client keeps one connection; a request is
an order of the usual size, encoded anew each time.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from bench.speed.clients.libraries import CLIENTS
from bench.speed.clients.server import Server
from bench.speed.clients.trials import TIMEOUT, behaviour, cost


def main() -> None:
    """Measure and print two tables, ready for a document."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.clients", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=list(CLIENTS), help="which clients")
    parser.add_argument("--requests", type=int, default=2000, help="in each repetition")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            _compare(server, options.only, options.requests, options.repetitions)
        finally:
            server.stop()


def _compare(server: Server, names: list[str], requests: int, repetitions: int) -> None:
    there = []
    for name in names:
        try:
            CLIENTS[name](server.urls["plain"], server.trust, TIMEOUT)
        except ImportError as error:
            print(f"{name}: left out, {error}")
        else:
            there.append(name)
    print(f"\nmicroseconds a request, median of {repetitions} repetitions of {requests} (least to most)\n")
    print("| client | plain | CPU | TLS | CPU |\n|---|---|---|---|---|")
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(repetitions):  # in turns, so that what disturbs one disturbs all
        for name in there:
            for wire, url in server.urls.items():
                found.setdefault((name, wire), []).append(cost(CLIENTS[name], url, server.trust, requests))
    for name in there:
        cells = [_cell(values) for wire in server.urls for values in zip(*found[name, wire], strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")
    shown = {name: behaviour(CLIENTS[name], server) for name in there}
    situations = list(shown[there[0]])
    print(f"\n| client | {' | '.join(situations)} |\n|{'---|' * (len(situations) + 1)}")
    for name in there:
        print(f"| {name} | {' | '.join(shown[name].values())} |")


def _cell(values: tuple[float, ...]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


if __name__ == "__main__":
    main()
