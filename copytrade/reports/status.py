"""The status of a running copier: its own snapshot, with what the database says of pauses, differences and slippage."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import peewee

from copytrade.core.ledger.drift.causes import Cause, Drift
from copytrade.core.model.commands import enabled_key
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import IST, InstrumentKey, Product, Segment
from copytrade.core.model.reasons import Reason
from copytrade.reports.day.slippage import slippage_of
from copytrade.reports.drift.history import drifts_from, histories_of
from copytrade.reports.queries import RecordedCopy, copies_on, remembered, symbols
from copytrade.reports.snapshot import open_to_read
from copytrade.storage.files.status_file import ActorStatus, CopierStatus

#: Causes of differences that are as the settings want them, or the account's own.
_AS_MEANT = (Cause.ROUNDING, Cause.LIMIT, Cause.BEFORE_START, Cause.MANUAL)

#: Reasons not to copy an order that follow from the settings, whatever happens.
_NEVER_COPIED = (
    *(Reason.BEFORE_START, Reason.FILTERED_INSTRUMENT, Reason.UNSUPPORTED, Reason.ZERO_LOTS),
    *(Reason.NOT_ALLOWED, Reason.BLOCKED),
)

#: The cause of a difference in a line of which nothing was ever sized; its detail says why.
NOT_COPIED = "not_copied"

#: The state of a follower of the settings that the running copier does not have.
NOT_RUNNING = "not running"


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units of a line that differ from the leader's share, and their cause as ``drift`` gives it.

    ``leader`` is whose line it is, "" where there is only one leader.

    ``units`` is what the account holds beyond its share, None where the share is not known. ``is_meant``: the settings
    want it so, or it is the account's own.
    """

    instrument: str
    symbol: str
    product: str
    units: float | None
    cause: str
    detail: str
    leader_order: str
    is_meant: bool
    leader: str = ""


class Pause(msgspec.Struct, frozen=True):
    """A pause of entries: of one follower or of everybody (""), since when and by whom, and what ends it."""

    of: str
    since: str
    by: str
    end: str


class FollowerStatus(msgspec.Struct, frozen=True):
    """One follower. Rupees, milliseconds and counts are numbers, None where they are not known.

    ``copies`` says how it copies, "" if each order as the leader has it.
    """

    name: str
    state: str
    feed: str
    in_sync: bool
    differences: list[Difference]
    paused: list[Pause]
    wanted: int | None
    open: int | None
    in_doubt: int | None
    day_result: Mapping[str, Any] | None
    slippage: Mapping[str, float] | None
    latency: Mapping[str, float | None]
    budget: Mapping[str, int]
    token_until: str
    alerts: list[Mapping[str, str]]
    copies: str = ""

    @property
    def is_live(self) -> bool:
        """Whether it copies everything."""
        return self.state == "live" and self.feed == "live" and not self.paused


class LeaderStatus(msgspec.Struct, frozen=True):
    """A leader's feed: its state, its gate, and the seconds since it was last told anything."""

    name: str
    feed: str
    gate: str
    age_s: float | None
    token_until: str


class Status(msgspec.Struct, frozen=True):
    """Everything that an operator is shown of a running copier."""

    at: datetime
    up_s: float
    mode: str
    market: Mapping[str, str]
    leaders: list[LeaderStatus]
    followers: list[FollowerStatus]
    actors: list[ActorStatus]
    alerts: list[Mapping[str, str]]

    @property
    def is_well(self) -> bool:
        """Whether everybody is live and in sync."""
        leads = all(leader.feed == "live" and leader.gate == "open" for leader in self.leaders)
        return leads and all(follower.is_live and follower.in_sync for follower in self.followers)


class Stored(msgspec.Struct, frozen=True):
    """What the database says of a follower: how its lines differ, its pauses, and the slippage of its day."""

    differences: list[Difference]
    paused: list[Pause]
    slippage: Mapping[str, float] | None


def status_of(copier: CopierStatus, database: str, names: Sequence[str], market: Mapping[str, str]) -> Status:
    """Return the status of a copier. ``names`` are the followers of the settings. Raises DatabaseUnusable."""
    everyone = everyone_of(copier, names)
    with open_to_read(database) as connection:
        copies = copies_on(connection, copier.at.astimezone(IST).date())
        drifts = drifts_with(connection, copier, everyone)
        stored = stored_of(connection, drifts, copies, symbols(connection))
    return status_with(copier, stored, market)


def everyone_of(copier: CopierStatus, names: Sequence[str]) -> list[str]:
    """Return the followers of a copier, and those of the settings that it does not have."""
    return [*copier.followers, *(name for name in names if name not in copier.followers)]


def drifts_with(connection: peewee.Database, copier: CopierStatus, names: Sequence[str]) -> dict[str, list[Drift]]:
    """Return the drift of each line of these followers, with what the copier says that they hold beside copies."""
    return {
        name: drifts_from(history, _net(history.lines, _details(copier, name).get("apart", ())))
        for name, history in histories_of(connection, names).items()
    }


def stored_of(
    connection: peewee.Database,
    drifts: Mapping[str, Sequence[Drift]],
    copies: Iterable[RecordedCopy],
    named: Mapping[InstrumentKey, str],
) -> dict[str, Stored]:
    """Return what the database says of the followers that ``drifts`` has; ``copies`` are those of the day."""
    by_follower: defaultdict[str, list[RecordedCopy]] = defaultdict(list)
    for copy in copies:
        by_follower[copy.follower].append(copy)
    return {
        name: Stored(
            [gap for drift in of_one for gap in _of_line(drift, named.get(drift.line.key, ""))],
            _pauses(connection, name),
            _slippage(by_follower[name]),
        )
        for name, of_one in drifts.items()
    }


def _slippage(copies: Iterable[RecordedCopy]) -> Mapping[str, float] | None:
    found = slippage_of(copies)
    return {"rupees": float(found.rupees), "bps": float(found.bps)} if found else None


def status_with(copier: CopierStatus, stored: Mapping[str, Stored], market: Mapping[str, str]) -> Status:
    """Return the status of a copier with what the database says of each follower that is to be in it."""
    leaders = [_leader(copier, name) for name in copier.all_leaders]
    up = (copier.at - copier.since).total_seconds()
    followers = [_follower(copier, name, of) for name, of in stored.items()]
    return Status(
        copier.at, up, copier.mode, market, leaders, followers, copier.actors, _alerts(copier, "", *copier.all_leaders)
    )


def _leader(copier: CopierStatus, name: str) -> LeaderStatus:
    feed = copier.actor(f"feed-{name}")
    return LeaderStatus(
        name,
        feed.state if feed else NOT_RUNNING,
        str(feed.figures.get("gate", "closed")) if feed else "closed",
        feed.age_s if feed else None,
        feed.details.get("token", "") if feed else "",
    )


def _details(copier: CopierStatus, name: str) -> Mapping[str, Any]:
    actor = copier.actor(name) if name in copier.followers else None
    return actor.details if actor else {}


def _follower(copier: CopierStatus, name: str, stored: Stored) -> FollowerStatus:
    actor, feed = copier.actor(name), copier.actor(f"feed-{name}")
    if name not in copier.followers:
        actor = feed = None
    figures, details = (actor.figures, actor.details) if actor else ({}, {})
    is_known = bool(details.get("positions_read")) or "dry_run" in figures
    limiter = copier.actor("rate-limiter")
    return FollowerStatus(
        name=name,
        state=actor.state if actor else NOT_RUNNING,
        feed=feed.state if feed else NOT_RUNNING,
        in_sync=is_known and all(one.is_meant for one in stored.differences),
        differences=stored.differences,
        paused=stored.paused,
        wanted=details.get("wanted"),
        open=_count(figures.get("open")),
        in_doubt=_count(figures.get("in_doubt", 0)) if "open" in figures else None,
        day_result=details.get("day_result"),
        slippage=stored.slippage,
        latency=details.get("latency", {}),
        budget=limiter.details.get("left", {}).get(name, {}) if limiter else {},
        token_until=feed.details.get("token", "") if feed else "",
        alerts=_alerts(copier, name),
        copies=str(details.get("copies", "")),
    )


def _count(figure: float | str | None) -> int | None:
    return figure if isinstance(figure, int) else None


def _alerts(copier: CopierStatus, *names: str) -> list[Mapping[str, str]]:
    """Return the last alert about each of these accounts, where there was one; "" is everybody."""
    notifier = copier.actor("notifier")
    last: Mapping[str, Mapping[str, str]] = notifier.details.get("last", {}) if notifier else {}
    return [last[name] for name in names if name in last]


def _pauses(connection: peewee.Database, name: str) -> list[Pause]:
    """Return the pauses of everybody and of one follower, where entries are paused."""
    found = []
    for of in ("", name):
        if remembered(connection, enabled_key(of)) in (None, "true"):
            continue
        note = remembered(connection, f"pause_note.{of}" if of else "pause_note") or ""
        since, _, by = note.partition(" by ")
        found.append(Pause(of, since, by, f"run.py resume {of}".strip()))
    return found


def _net(lines: Sequence[Line], apart: Sequence[Sequence[Any]]) -> Mapping[LineKey, int]:
    """Return what an account holds: its copies by the ledger, and what the last read showed besides."""
    net = Counter[LineKey]()
    for line in lines:
        net[line.key.account] += line.held
        for product, units in line.elsewhere:
            net[line.key.account] -= units
            net[LineKey(line.key.key, product)] += units
    for segment, security_id, product, units in apart:
        net[LineKey(InstrumentKey(Segment(segment), security_id), Product(product))] += units
    return net


def _of_line(drift: Drift, symbol: str) -> list[Difference]:
    key = drift.line.key
    line = f"{key.segment}:{key.security_id}", symbol, str(drift.line.product)
    if drift.leader and drift.uncopied and not drift.shares:
        is_meant = all(reason in _NEVER_COPIED for reason in drift.uncopied)
        return [Difference(*line, None, NOT_COPIED, ", ".join(drift.uncopied), "", is_meant, drift.line.leader)]
    return [
        Difference(
            *line,
            float(share.units),
            share.cause,
            share.detail,
            share.leader_order_id,
            share.cause in _AS_MEANT or (share.cause is Cause.SKIPPED and share.detail in _NEVER_COPIED),
            drift.line.leader,
        )
        for share in drift.shares
    ]
