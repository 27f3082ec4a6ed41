"""``/metrics``: the same figures as Prometheus reads them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from copytrade.reports.status import FollowerStatus, Status
from copytrade.web.live.view import View

#: Gauges a follower: name, help, and where the value is.
_OF_FOLLOWER: Sequence[tuple[str, str, Callable[[FollowerStatus], float | None]]] = (
    ("live", "1 if it copies everything", lambda one: float(one.is_live)),
    ("in_sync", "1 if it holds its share of what the leader holds", lambda one: float(one.in_sync)),
    ("paused", "1 if its entries are paused", lambda one: float(bool(one.paused))),
    ("differences", "Causes for which its lines differ", lambda one: float(len(one.differences))),
    ("open_orders", "Copies that rest", lambda one: one.open),
    ("in_doubt", "Requests whose outcome is not known", lambda one: one.in_doubt),
    ("wanted", "Leader orders with something left to do", lambda one: one.wanted),
    ("slippage_rupees", "Slippage of the day, more is worse", lambda one: (one.slippage or {}).get("rupees")),
    ("slippage_bps", "The same in basis points", lambda one: (one.slippage or {}).get("bps")),
)


def metrics(view: View) -> bytes:
    """Return the figures as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(view))
    return generate_latest(registry)


class _Figures(Collector):
    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        """Give the figures of a view."""
        status = self._view.status
        yield _gauge("copytrade_up", "1 while the copier lives", [((), float(status is not None))])
        if status is not None:
            yield from _of_copier(status)
            yield from _of_followers(status.followers)


def _of_copier(status: Status) -> Iterator[Metric]:
    yield _gauge("copytrade_uptime_seconds", "Since the copier was started", [((), status.up_s)])
    leaders = status.leaders
    live = [((one.name,), float(one.feed == "live")) for one in leaders]
    yield _gauge("copytrade_leader_feed_live", "1 if the leader's feed is live", live, "leader")
    gates = [((one.name,), float(one.gate == "open")) for one in leaders]
    yield _gauge("copytrade_leader_gate_open", "1 if entries pass", gates, "leader")
    ages = [((one.name,), one.age_s) for one in leaders]
    yield _gauge("copytrade_leader_feed_age_seconds", "Since the leader's feed last told anything", ages, "leader")
    for name, what in (("restarts", "Restarts of an actor"), ("mailbox", "Messages that wait for an actor")):
        values = [((one.name,), float(getattr(one, name))) for one in status.actors]
        yield _gauge(f"copytrade_actor_{name}", what, values, "actor")


def _of_followers(followers: Iterable[FollowerStatus]) -> Iterator[Metric]:
    for name, what, figure in _OF_FOLLOWER:
        found = [((one.name,), figure(one)) for one in followers]
        yield _gauge(f"copytrade_follower_{name}", what, found, "follower")
    results = [
        ((one.name, kind), value)
        for one in followers
        for kind in ("rupees", "realised", "unrealised")
        if (value := (one.day_result or {}).get(kind)) is not None
    ]
    yield _gauge("copytrade_follower_result_rupees", "Result of the day", results, "follower", "kind")
    delays = [((one.name, name.removesuffix("_ms")), value) for one in followers for name, value in one.latency.items()]
    yield _gauge("copytrade_follower_latency_milliseconds", "Update to acceptance", delays, "follower", "quantile")
    left = [((one.name, window), float(value)) for one in followers for window, value in one.budget.items()]
    yield _gauge("copytrade_follower_requests_left", "Order requests left in a window", left, "follower", "window")


def _gauge(name: str, what: str, values: Iterable[tuple[tuple[str, ...], float | None]], *labels: str) -> Metric:
    gauge = GaugeMetricFamily(name, what, labels=labels)
    for given, value in values:
        if value is not None:
            gauge.add_metric(list(given), value)
    return gauge
