"""What differs between two settings, and from when each difference counts while a copier runs. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel

from copytrade.app.policies import needs_holdings
from copytrade.common.logs import fields, in_line
from copytrade.core.ledger.sizing import Strategy
from copytrade.settings import Account, Copying, Follower, Leader, Settings

#: Keys of an account's credentials: they count at once.
CREDENTIALS = frozenset({"access_token", "pin", "totp_secret"})

#: Keys of a follower that the actors of his account were built with, and his holder's.
_AT_A_RESTART = frozenset({"broker", "source_address", "proxy", "capital", "dry_run", "leaders", "homes"})

#: Keys that wait for a restart as well when this one does: each was written for the other's new value. A token is its
#: client's, risk is a share of the capital, and what was written for a dry run is not to be sent.
_WAIT_WITH = {
    "client_id": CREDENTIALS,
    "broker": CREDENTIALS,
    "capital": frozenset({"sizing", "risk_percent", "max_daily_loss"}),
    "dry_run": frozenset(Follower.model_fields) - CREDENTIALS,
}

#: Tables whose keys count at once.
_AT_ONCE = frozenset({"alerts", "log"})

#: Why followers come and go at a restart alone in paper mode.
ON_PAPER = "a broker on paper has only the accounts that it began with"

#: What is compared by itself: accounts, and [copy], which each follower has inherited.
_NOT_TABLES = frozenset({"mode", "leaders", "followers", "copying"})


Held = TypeVar("Held", bound=Account)


@dataclass(frozen=True, slots=True)
class Change:
    """One key that has another value. A secret is not shown."""

    key: str
    old: object
    new: object

    @property
    def counts_when_flat(self) -> bool:
        """Whether each open line goes on as it was opened."""
        if isinstance(self.old, Strategy) and isinstance(self.new, Strategy):
            return not (self.old.sizes_each_order and self.new.sizes_each_order)
        is_ratio = self.key.rpartition(".")[2] == "ratio"
        return is_ratio or isinstance(self.old, Mapping) or isinstance(self.new, Mapping)

    def __str__(self) -> str:
        return f"{self.key}={_shown(self.old)} -> {_shown(self.new)}"


@dataclass(frozen=True, slots=True)
class SettingsChanges:
    """The differences between the settings that a copier runs with and those of its file.

    ``settings`` is what it runs with once they are taken: the new values, and the old ones of keys that need a restart.
    ``changed`` has the followers by name, ``others`` the keys of the leader and of tables, ``restart`` the keys that
    stay as they are until a restart.
    """

    settings: Settings
    added: tuple[Follower, ...]
    removed: tuple[Follower, ...]
    changed: Mapping[str, tuple[Change, ...]]
    others: tuple[Change, ...]
    restart: tuple[str, ...]

    def lines(self, open_lines: Mapping[str, Sequence[str]]) -> list[str]:
        """Return a line for each difference; ``open_lines`` tells what followers have by copying, by name.

        A change that counts when a line is flat has a line for each that is open.
        """
        lines: list[str] = [_line("Follower added", follower=one.name) for one in self.added]
        lines += [_line("Follower removed", follower=one.name) for one in self.removed]
        for name, changes in self.changed.items():
            for change in changes:
                waits = open_lines.get(name, ()) if change.counts_when_flat else ()
                lines += [_line("Follower changed", change, follower=name, when_flat=line) for line in waits or ("",)]
        lines += [_line("Setting changed", change) for change in self.others]
        lines += [in_line(f"Needs a restart: {key}", {"key": key}) for key in self.restart]
        return lines or ["Nothing has changed"]


def _line(what: str, change: Change | None = None, *, follower: str = "", when_flat: str = "") -> str:
    """Return a line for the log: in JSON a change is three fields."""
    who, until = fields(follower=follower), fields(when_flat=when_flat)
    told = "" if change is None else str(change)
    of_change = {} if change is None else {"key": change.key, "old": _shown(change.old), "new": _shown(change.new)}
    text = " ".join(filter(None, (what, str(who), told, str(until))))
    return in_line(text, {**who.values, **of_change, **until.values})


def compare(running: Settings, new: Settings, *, can_join: bool) -> SettingsChanges:
    """Compare the settings of a running copier with new ones.

    A follower is the same if name and client id are: one with another client id is another follower.
    Without ``can_join`` followers come and go at a restart alone.
    """
    was = {(one.client_id, one.name): one for one in running.followers}
    now = {(one.client_id, one.name): one for one in new.followers}
    restart: list[str] = [] if running.mode == new.mode else ["mode"]
    leaders, others = _leaders(running.leaders, new.leaders, restart)
    tables: dict[str, Any] = {"mode": running.mode, "leaders": leaders}
    for name in Settings.model_fields.keys() - _NOT_TABLES:
        old_table = getattr(running, name)
        changes = list(_differences(old_table, getattr(new, name), f"{name}."))
        if name in _AT_ONCE:
            others += changes
        elif changes:
            tables[name] = old_table
            restart += [change.key for change in changes]
    if was.keys() != now.keys() and not can_join:
        restart.append(f"followers ({ON_PAPER})")
        now = {who: now.get(who, follower) for who, follower in was.items()}
    followers, changed = [], {}
    for who, follower in now.items():
        if who not in was:
            followers.append(follower)
            continue
        merged, changes = _merged(
            was[who], follower, f"followers.{follower.name}", restart, _at_once(was[who], follower)
        )
        followers.append(merged)
        if changes:
            changed[follower.name] = tuple(changes)
    return SettingsChanges(
        settings=new.model_copy(update=tables | {"followers": tuple(followers)}),
        added=tuple(one for who, one in now.items() if who not in was),
        removed=tuple(one for who, one in was.items() if who not in now),
        changed=changed,
        others=tuple(sorted(others, key=lambda change: change.key)),
        restart=tuple(sorted(restart)),
    )


def _leaders(
    running: Sequence[Leader], new: Sequence[Leader], restart: list[str]
) -> tuple[tuple[Leader, ...], list[Change]]:
    """Return the leaders with what counts without a restart, and those changes. They come and go at a restart."""
    now = {leader.client_id: leader for leader in new}
    if len(running) == len(new) == 1:
        leader, changes = _merged(running[0], new[0], "leader", restart, CREDENTIALS)
        return (leader,), changes
    if [leader.client_id for leader in running] != list(now):
        restart.append("leaders")
    leaders, others = [], list[Change]()
    for one in running:
        merged, changes = _merged(one, now.get(one.client_id, one), f"leaders.{one.name}", restart, CREDENTIALS)
        leaders.append(merged)
        others += changes
    return tuple(leaders), others


def others_than(known: Settings, settings: Settings) -> list[Follower]:
    """Return the followers of settings that ``known`` ones do not have."""
    have = {(one.client_id, one.name) for one in known.followers}
    return [one for one in settings.followers if (one.client_id, one.name) not in have]


def _at_once(old: Follower, new: Follower) -> frozenset[str]:
    """Return the keys of a follower that count without a restart; shares in the depository are read from one on."""
    fixed = _AT_A_RESTART | {"instruments"} if needs_holdings(new) and not needs_holdings(old) else _AT_A_RESTART
    return frozenset(Follower.model_fields) - fixed


def _merged(old: Held, new: Held, where: str, restart: list[str], at_once: Iterable[str]) -> tuple[Held, list[Change]]:
    """Return an account with what counts without a restart, and those changes; add the other keys to ``restart``."""
    taken, differences = [], [change for change in _differences(old, new, "") if change.key != "of"]
    at_once = frozenset(at_once) - _waiting(change.key for change in differences)
    for change in differences:
        if change.key in at_once:
            taken.append(change)
        else:
            restart.append(f"{where}.{change.key}")
    merged = old.model_copy(update={change.key: change.new for change in taken})
    if isinstance(old, Follower) and isinstance(new, Follower):
        of, changes = _overlaid(old, new, where, restart, at_once)
        return merged.model_copy(update={"of": of}), taken + changes
    return merged, [Change(f"{where}.{one.key}", one.old, one.new) for one in taken]


def _overlaid(
    old: Follower, new: Follower, where: str, restart: list[str], at_once: Iterable[str]
) -> tuple[dict[str, Copying], list[Change]]:
    """Return how single leaders are copied without a restart, and what of that changes."""
    of, changes = dict[str, Copying](), list[Change]()
    for leader in dict.fromkeys((*old.of, *new.of)):
        before, after = old.copying_of(leader), new.copying_of(leader)
        waiting = _waiting(name for name in Copying.model_fields if getattr(before, name) != getattr(after, name))
        kept = {}
        for name, field in Copying.model_fields.items():
            change = Change(f"of.{leader}.{field.alias or name}", getattr(before, name), getattr(after, name))
            if change.old == change.new:
                continue
            if name in at_once and name not in waiting:
                changes.append(change)
            else:
                restart.append(f"{where}.{change.key}")
                kept[name] = change.old
        if leader in new.of:
            of[leader] = after.model_copy(update=kept)
    return of, changes


def _waiting(changed: Iterable[str]) -> frozenset[str]:
    """Return the keys that wait for a restart because keys that they belong to have changed."""
    return frozenset[str]().union(*(_WAIT_WITH.get(key, ()) for key in changed))


def _differences(old: BaseModel, new: BaseModel, prefix: str) -> Iterator[Change]:
    for name, field in type(old).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(f"{prefix}{field.alias or name}", before, after)


def _shown(value: object) -> str:
    """Return a value as an operator reads it."""
    if value is None:
        return "none"
    if isinstance(value, tuple | frozenset):
        return ",".join(sorted(map(str, value))) or "none"
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{one}" for name, one in sorted(value.items())) or "none"
    return str(value)
