"""The drift report: how each follower's account differs from what the leader's would be for it, and why."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from copytrade.brokers.outcomes import Accepted, Outcome, Unknown
from copytrade.core.ledger.drift.causes import Cause, Drift
from copytrade.core.ledger.drift.proposals import Proposal, proposals
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import InstrumentKey
from copytrade.reports.drift.history import drifts_of
from copytrade.reports.queries import symbols
from copytrade.reports.snapshot import open_to_read

#: Seconds for a running copier to store fills, and how often to try until the positions do not change.
SETTLING, ATTEMPTS = 0.3, 5

Net = Mapping[LineKey, int]


class PositionsUnread(Exception):
    """The positions of an account could not be read: the message says why."""


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One follower's drift as text, whether every unit is explained, and what could be tried again."""

    text: str
    is_explained: bool
    proposals: tuple[Proposal, ...]


def drift_report(database: str, follower: str, read: Callable[[], Outcome[Net]]) -> DriftReport:
    """Explain the drift of one follower's account.

    ``read`` returns the account's net positions. If they change while the database is read, both are read again: a
    fill between the two would look like a trade by hand. Raises DatabaseUnusable and PositionsUnread.
    """
    net = _net(read)
    for _ in range(ATTEMPTS):
        time.sleep(SETTLING)
        with open_to_read(database) as connection:
            drifts, names = drifts_of(connection, follower, net), symbols(connection)
        before, net = net, _net(read)
        if net == before:
            break
    moving = {key for key in {*net, *before} if net.get(key) != before.get(key)}
    shown = [drift for drift in drifts if drift.shares or (drift.leader and drift.uncopied)]
    lines = [line for drift in shown for line in _told(drift, names, is_moving=drift.line.account in moving)]
    is_explained = all(share.cause is not Cause.UNEXPLAINED for drift in drifts for share in drift.shares)
    text = "\n".join([f"{follower}:{'' if lines else ' nothing differs'}", *lines])
    return DriftReport(text, is_explained, tuple(one for drift in drifts for one in proposals(drift)))


def _net(read: Callable[[], Outcome[Net]]) -> Net:
    outcome = read()
    if isinstance(outcome, Accepted):
        return outcome.value
    raise PositionsUnread(outcome.cause if isinstance(outcome, Unknown) else f"{outcome.code} {outcome.message}")


def _told(drift: Drift, names: Mapping[InstrumentKey, str], *, is_moving: bool) -> list[str]:
    key = drift.line.key
    name = f"{key.segment}:{key.security_id} {drift.line.product} {names.get(key, '')}".strip()
    if drift.line.leader:
        name += f" by {drift.line.leader}"
    leader = f"{drift.leader}"
    if drift.ratio is not None:
        leader += f" x {float(drift.ratio):.4f} = {float(drift.expected):.2f}"
        leader += f", differs by {float(drift.difference):+.2f}"
    lines = [f"  {name}: account {drift.net}, copied {drift.held}, leader {leader}"]
    if is_moving:
        lines.append("    fills just now: look again")
    for share in drift.shares:
        of = f"leader order {share.leader_order_id}" if share.leader_order_id else ""
        lines.append(f"    {float(share.units):+10.2f}  {' '.join(filter(None, (share.cause, share.detail, of)))}")
    if drift.uncopied:
        lines.append(f"    not copied: {', '.join(drift.uncopied)}")
    return lines
