"""Copies of leaders who are not followed any more: nobody brings them down as he leaves."""

from collections.abc import Mapping, Sequence

from copytrade.common.logs import alert, fields
from copytrade.reports.flatten_preview import held_of_leaders
from copytrade.settings import Settings
from copytrade.storage.database import DatabaseUnusable


def who_may_not_go(running: Settings, new: Settings, held: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """Return a fault for each leader whom a follower would not follow any more although he holds copies of him.

    ``held`` is what followers have, by their name and the leader's. A leader who begins to follow others needs a
    restart: his feed has been told so from its start.
    """
    here = {one.client_id for one in running.followers}
    both = {*running.leader_ids.values()} - here
    begin = [one.name for one in new.followers if one.client_id in both]
    return [f"follower {name} is a leader: he comes with a restart" for name in begin] + [
        f"follower {name} has {', '.join(texts)} by copying {leader}: keep him among the leaders with"
        f" [followers.of.{leader}] enabled = false until that is flat, or run first: run.py remove {leader} --leave"
        " or --flatten"
        for (name, leader), texts in sorted(held.items())
        for follower in new.followers
        if follower.name == name
        and (client_id := running.leader_ids.get(leader)) is not None
        and client_id not in {one.client_id for one in new.leaders_of(follower)}
    ]


def say_who_is_not_followed(settings: Settings) -> list[tuple[str, str]]:
    """Log who holds copies of a leader whom he does not follow; return each with a text for somebody to be told."""
    told = []
    try:
        held = held_of_leaders(settings.store.database)
    except DatabaseUnusable:
        return []  # the store says so
    for follower in settings.followers:
        his = {leader.name for leader in settings.leaders_of(follower)}
        for (name, leader), texts in sorted(held.items()):
            if name == follower.name and leader not in his:
                holds = ", ".join(texts)
                what = fields(follower=name, leader=leader, holds=holds)
                alert("absent", name, "Follower holds copies of a leader whom he does not follow {}", what)
                told.append((name, f"Follower {name} does not follow {leader} and holds copies of him: {holds}"))
    return told
