"""Checks of all accounts of the settings, before copying begins or for ``run.py check``."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
from loguru import logger

from copytrade.app.clients import credentials_for, place_for
from copytrade.app.policies import policy_of_leader
from copytrade.brokers.dhan.instruments.download import read_instruments
from copytrade.brokers.dhan.probe import inspect, try_feed
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.tokens.lifecycle import first_token
from copytrade.brokers.tokens.storage import KeptToken, KeptTokens, TokensUnreadable
from copytrade.common import wall_clock
from copytrade.common.logs import alert, fields
from copytrade.core.decide.decisions import ways_of_copying
from copytrade.core.decide.filters import EVERYTHING
from copytrade.core.model.accounts import Budget, Facts, Master
from copytrade.core.model.instruments import Instrument, MasterUnusable
from copytrade.core.model.orders import IST
from copytrade.reports.preflight import Gravity, Judgement, Origin, by_finding, judge, shared_addresses
from copytrade.reports.queries import held_by, remembered, requests_since
from copytrade.reports.snapshot import open_to_read, shown
from copytrade.settings import Account, Dhan, Follower, Limits, Settings
from copytrade.settings.copying import WITH_COLLATERAL
from copytrade.storage.database import DatabaseUnusable
from copytrade.storage.leader_names import CLIENT_IDS, is_shared, joined

#: Seconds that a login at the order-update socket has to last to count as accepted.
LOGIN_LASTS = 1.0

RestOf = Callable[[Account, Dhan], DhanRest]


def check_for_start(settings: Settings, rest_of: RestOf) -> list[Judgement]:
    """Return a judgement of each account, the leader first, from what could bar it.

    All are asked at the same time. The copier itself finds out about the feed, the instruments, its orders at the
    broker and the budget a moment later.
    """
    accounts = _accounts(settings)
    with ThreadPoolExecutor(max_workers=len(accounts)) as threads:
        asked = [
            threads.submit(_ask, settings.dhan, account, facts, rest_of, thorough=False) for account, facts in accounts
        ]
        return [judge(answer.result()) for answer in asked]


def check(settings: Settings, rest_of: RestOf, *, feed_in_use: bool) -> list[Judgement]:
    """Return a complete judgement of each account, the leader first.

    With ``feed_in_use`` a copier is running: no second login is made at the order-update socket, because the broker
    might end the first. Raises DatabaseUnusable.
    """
    accounts = _accounts(settings)
    used = _used_today(settings, accounts[0][1].now)
    with ThreadPoolExecutor(max_workers=2 * len(accounts) + 1) as threads:
        master = threads.submit(_read_master, settings.dhan.instruments_url)
        asked = [
            threads.submit(_ask, settings.dhan, account, facts, rest_of, thorough=True) for account, facts in accounts
        ]
        feeds: list[Future[str] | None] = [
            None
            if feed_in_use or account.access_token is None
            else threads.submit(try_feed, settings.dhan.feed_url, account.client_id, account.access_token, LOGIN_LASTS)
            for account, _ in accounts
        ]
        return [
            judge(
                msgspec.structs.replace(
                    answer.result(),
                    feed=feed.result() if feed else None,
                    feed_in_use=feed_in_use,
                    master=_master_for(facts.kinds, *master.result()),
                    budget=None if facts.is_leader else _budget(used.get(facts.name, 0), settings.limits),
                )
            )
            for (_, facts), answer, feed in zip(accounts, asked, feeds, strict=True)
        ]


def say_who_is_left_out(settings: Settings, judgements: Sequence[Judgement]) -> dict[str, str]:
    """Return the accounts whose orders the broker would refuse, and why; log them, and all other faults.

    One of several leaders is not left out while another can be read: entries from him wait until his account works.
    """
    barred = [(judgement, why) for judgement in judgements if (why := judgement.why_barred)]
    if any(judgement.facts.is_leader and not judgement.why_barred for judgement in judgements):
        for judgement, why in barred:
            if judgement.facts.is_leader:
                name = judgement.facts.name
                text = "Leader's account does not work, entries from him wait {} {}"
                alert("left_out", name, text, fields(account=name), why)
        barred = [(judgement, why) for judgement, why in barred if not judgement.facts.is_leader]
    left_out = {judgement.facts.name: why for judgement, why in barred}
    for name, why in left_out.items():
        holds = ", ".join(_held(settings.store.database, name))
        alert("left_out", name, "Account left out {} {}", fields(account=name, holds=holds), why)
    for finding, names in by_finding(judgements):
        if finding.gravity is Gravity.FAULT:
            logger.warning("Not in order {} {}", fields(accounts=",".join(names)), finding.words)
    for warning in shared(settings, judgements):
        logger.warning("{}", warning)
    return left_out


def ways(settings: Settings) -> list[str]:
    """Return a line for each follower that does not copy each order as the leader has it."""
    of = {
        follower.name: ways_of_copying(
            {
                leader.name: policy_of_leader(follower, leader.name, settings.recovery)
                for leader in settings.leaders_of(follower)
            }
        )
        for follower in settings.followers
    }
    return [f"{name}: {way}" for name, way in of.items() if way]


def shared(settings: Settings, judgements: Sequence[Judgement]) -> list[str]:
    """Return a warning for each address from which followers of different people send.

    The address at which the broker sees an account counts, or else the one in the settings. There are no warnings in
    paper mode.
    """
    if settings.mode != "live":
        return []
    detected = {judgement.facts.name: judgement.facts.detected for judgement in judgements}
    return shared_addresses(
        [
            Origin(one.name, one.relationship, seen or one.way_out, seen or one.shown_way_out)
            for one in settings.followers
            if not one.dry_run
            for seen in (detected.get(one.name, ""),)
        ]
    )


def _held(database: str, follower: str) -> list[str]:
    """Return what a follower holds by copying, by the database."""
    try:
        with open_to_read(database) as connection:
            return held_by(connection, follower)
    except DatabaseUnusable:
        return []


def without(settings: Settings, names: Collection[str]) -> Settings:
    """Return the settings without the followers of these names."""
    kept = tuple(follower for follower in settings.followers if follower.name not in names)
    return settings.model_copy(update={"followers": kept})


def _accounts(settings: Settings) -> list[tuple[Account, Facts]]:
    """Return each account with its first token, and the facts about it that the settings give."""
    now = wall_clock.now()
    kept = _kept(settings)
    copying = [one for follower in settings.followers for one in follower.all_copying]
    measures = {one.capital for one in copying if one.sizing.needs_capital}
    kinds = frozenset[str]().union(*(one.instruments for one in copying))
    leaders = [
        Facts(
            leader.name,
            True,
            leader.client_id,
            kinds,
            bool(measures),
            now,
            _source(leader),
            sends=False,
            with_collateral=measures == {WITH_COLLATERAL},
        )
        for leader in settings.leaders
    ]
    followers = [
        Facts(
            follower.name,
            False,
            follower.client_id,
            frozenset[str]().union(*(one.instruments for one in follower.all_copying)),
            _is_sized_by_the_day(follower),
            now,
            _source(follower),
            sends=not follower.dry_run,
            with_collateral=follower.capital == WITH_COLLATERAL,
        )
        for follower in settings.followers
    ]
    accounts: list[tuple[Account, Facts]] = []
    of_leaders = zip(settings.leaders, leaders, strict=True)
    for account, facts in (*of_leaders, *zip(settings.followers, followers, strict=True)):
        ready = _with_token(account, kept, now)
        logs_in, has_token = credentials_for(account).can_log_in, ready.access_token is not None
        accounts.append((ready, msgspec.structs.replace(facts, logs_in=logs_in, has_token=has_token)))
    return accounts


def with_token(account: Account, settings: Settings) -> Account:
    """Return an account with its stored or given token; no token is requested."""
    return _with_token(account, _kept(settings), wall_clock.now())


def _with_token(account: Account, kept: KeptTokens, now: datetime) -> Account:
    token = first_token(credentials_for(account), kept.get(account.client_id, KeptToken()).token, now)
    return account.model_copy(update={"access_token": token.secret if token else None})


def _kept(settings: Settings) -> KeptTokens:
    try:
        return place_for(settings).read()
    except TokensUnreadable:
        return {}


def _is_sized_by_the_day(follower: Follower) -> bool:
    """Whether its size depends on the capital at the start of the day."""
    return any(one.sizing.needs_capital and not isinstance(one.capital, Decimal) for one in follower.all_copying)


def _source(account: Account) -> str:
    return str(account.source_address) if account.source_address else ""


def _ask(dhan: Dhan, account: Account, facts: Facts, rest_of: RestOf, *, thorough: bool) -> Facts:
    if account.access_token is None:
        return facts
    rest = rest_of(account, dhan)
    try:
        return inspect(facts, rest, account.access_token, thorough=thorough)
    finally:
        rest.close()


def _read_master(location: str) -> tuple[list[Instrument], Master]:
    try:
        instruments, of = read_instruments(location)
    except (OSError, ValueError, MasterUnusable) as error:
        return [], Master(problem=str(error))
    return list(instruments.values()), Master(of=of)


def _master_for(kinds: frozenset[str], instruments: list[Instrument], master: Master) -> Master:
    count = sum(EVERYTHING in kinds or instrument.kind in kinds for instrument in instruments)
    return msgspec.structs.replace(master, instruments=count)


def _used_today(settings: Settings, now: datetime) -> dict[str, int]:
    """Return the order requests of each account since midnight in India; none if there is no database yet."""
    database = settings.store.database
    if "://" not in database and not Path(database).exists():
        return {}
    midnight = now.astimezone(IST).replace(hour=0, minute=0, second=0, microsecond=0)
    with open_to_read(database) as connection:
        for key, ours in (("mode", settings.mode), (CLIENT_IDS, joined(settings.leader_ids.values()))):
            theirs = remembered(connection, key)
            if theirs is not None and not is_shared(theirs, ours):
                raise DatabaseUnusable(f"{shown(database)}: belongs to {key} {theirs}, the settings say {ours}")
        return requests_since(connection, midnight)


def _budget(used: int, limits: Limits) -> Budget:
    return Budget(used, limits.per_day, limits.per_day * limits.reserve_percent // 100)
