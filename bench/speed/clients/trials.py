"""What one request costs with a client, and what the client does in situations that have to be known."""

import os
import statistics
import time
from collections import Counter

from bench.speed.clients.libraries import Client
from bench.speed.clients.server import Server

#: Seconds that a client is told to wait for a reply.
TIMEOUT = 0.5
#: Requests before those that are timed.
WARM_UP = 100


def cost(kind: type[Client], url: str, trust: str, requests: int) -> tuple[float, float]:
    """Return the median time of a request, and the mean processor time, in microseconds."""
    client = kind(url, trust, 5.0)
    for _ in range(WARM_UP):
        client.post("/orders")
    times = []
    cpu = time.process_time()
    for _ in range(requests):
        began = time.perf_counter()
        client.post("/orders")
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6, (time.process_time() - cpu) / requests * 1e6


def behaviour(kind: type[Client], server: Server) -> dict[str, str]:
    """Return what a client does at its defaults, by situation."""
    url, trust = server.urls["plain"], server.trust

    def ask(*paths: str) -> tuple[str, Counter[str]]:
        """Send requests one after the other with one client; return how the last ended, and what the server got."""
        client = kind(url, trust, TIMEOUT)
        server.counts()
        for path in paths[:-1]:
            client.post(path)
            time.sleep(0.05)
        try:
            ended = str(client.post(paths[-1]))
        except Exception as error:  # every library has its own
            ended = type(error).__name__
        return ended, server.counts()

    stale, _ = ask("/last", "/orders")
    lost, came = ask("/orders", "/vanish")
    redirected, led = ask("/redirect")
    began = time.monotonic()
    dripped, _ = ask("/drip")
    took = time.monotonic() - began
    os.environ["http_proxy"] = "http://127.0.0.1:9"
    proxied, direct = ask("/orders")
    del os.environ["http_proxy"]
    return {
        "idle connection closed by the server": "opens another" if stale == "200" else f"fails ({stale})",
        "connection lost after the request": f"sent {came['/vanish']}x, {lost}",
        "redirect of a POST": "followed" if led["/elsewhere"] else f"not followed ({redirected})",
        "reply drips": f"ends after {took:.1f} s ({dripped})",
        "http_proxy": "ignored" if direct["/orders"] else f"obeyed ({proxied})",
    }
