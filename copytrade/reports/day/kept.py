"""What is kept of a day that no table tells: when the copier ran, each account's result, and the gaps of the feeds.

It is one value of ``config`` a day, renewed from the status of the running copier.
"""

from datetime import date, datetime
from typing import TypeVar

import msgspec
import peewee

from copytrade.core.model.orders import IST
from copytrade.reports.queries import remembered
from copytrade.storage.files.status_file import CopierStatus
from copytrade.storage.records import ConfigSet

_Told = TypeVar("_Told")

#: How many gaps of an account are kept, the latest of a day.
GAPS_KEPT = 100


class Stretch(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of time; ``until`` is None while it lasts."""

    since: datetime
    until: datetime | None = None


class Result(msgspec.Struct, frozen=True):
    """An account's result of the day in rupees, as it was read last; the parts are None where they were not told."""

    rupees: float
    realised: float | None
    unrealised: float | None
    at: datetime


class KeptDay(msgspec.Struct, frozen=True):
    """What is kept of a day. ``gaps_left_out`` counts earlier gaps than those that are kept."""

    runs: list[Stretch] = []
    results: dict[str, Result] = {}
    gaps: dict[str, list[Stretch]] = {}
    gaps_left_out: dict[str, int] = {}

    def record(self, day: date) -> ConfigSet:
        """Return the record that keeps it."""
        return ConfigSet(_key(day), msgspec.json.encode(self).decode())


def kept_of(connection: peewee.Database, day: date) -> KeptDay | None:
    """Return what is kept of a day, None if there is nothing that can be read."""
    text = remembered(connection, _key(day))
    try:
        return msgspec.json.decode(text, type=KeptDay) if text else None
    except msgspec.MsgspecError:
        return None


def renewed(kept: KeptDay, status: CopierStatus) -> KeptDay:
    """Return what is to be kept once a copier has this status, of which the day is the same."""
    day = status.at.astimezone(IST).date()
    run = Stretch(status.since.astimezone(IST), status.at.astimezone(IST))
    runs = {run.since: run for run in (*kept.runs, run)}
    results, gaps, left_out = dict(kept.results), dict(kept.gaps), dict(kept.gaps_left_out)
    details = {actor.name: actor.details for actor in status.actors}
    for name in status.followers:
        result = _told(details.get(name, {}).get("day_result"), Result)
        if result is not None and result.at.astimezone(IST).date() == day:
            results[name] = result
    for name in dict.fromkeys((*status.all_leaders, *status.followers)):
        told = _told(details.get(f"feed-{name}", {}).get("gaps"), list[Stretch]) or []
        of_today = [gap for gap in told if gap.until is None or gap.until.astimezone(IST).date() >= day]
        known = {gap.since: gap for gap in gaps.get(name, [])} | {gap.since: gap for gap in of_today}
        latest = sorted(known.values(), key=lambda gap: gap.since)
        if latest:
            gaps[name] = latest[-GAPS_KEPT:]
        if len(latest) > GAPS_KEPT:
            left_out[name] = left_out.get(name, 0) + len(latest) - GAPS_KEPT
    return KeptDay(sorted(runs.values(), key=lambda run: run.since), results, gaps, left_out)


def _told(value: object, kind: type[_Told]) -> _Told | None:
    """Return what an actor shows of itself, None where it shows nothing of this kind."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def _key(day: date) -> str:
    return f"day.{day}"
