"""All settings, and the rules that concern more than one table."""

import re
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from copytrade.settings.accounts import Follower, Leader
from copytrade.settings.board import Board
from copytrade.settings.broker import Dhan, Market, Paper, Tokens
from copytrade.settings.copying import Copying
from copytrade.settings.following import faults_of, followed_by, inherited, with_leaders, with_one_account_each
from copytrade.settings.operation import Alerts, Log, Nodes, Recovery, Speed, Storage, Supervision
from copytrade.settings.request_limits import Limits
from copytrade.settings.values import LOOPBACK, Section

#: Names of actors. No follower may have one: each follower is an actor too.
_RESERVED = (
    "store",
    "rate-limiter",
    "gap-recovery",
    "instruments",
    "notifier",
    "tokens",
    "board",
    "leases",
    "supervisor",
    "total",
)

#: Dhan's sandbox.
_SANDBOX = "sandbox.dhan.co"

#: Hosts on this machine, where a paper broker may run.
_LOCAL = f"https?://{LOOPBACK}"


class Settings(Section):
    """All settings."""

    mode: Literal["paper", "sandbox", "live"] = "paper"
    leaders: tuple[Leader, ...]
    followers: tuple[Follower, ...]
    copying: Copying = Field(default=Copying(), alias="copy")
    dhan: Dhan = Dhan()
    tokens: Tokens = Tokens()
    limits: Limits = Limits()
    market: Market = Market()
    supervision: Supervision = Supervision()
    recovery: Recovery = Recovery()
    store: Storage = Storage()
    speed: Speed = Speed()
    alerts: Alerts = Alerts()
    board: Board = Board()
    nodes: Nodes = Nodes()
    log: Log = Log()
    paper: Paper = Paper()

    @model_validator(mode="before")
    @classmethod
    def _followers_inherit(cls, raw: Any) -> Any:
        """Give each follower the keys of [copy] that it does not set itself; [leader] is one of [[leaders]]."""
        if not isinstance(raw, dict):
            return raw
        raw = with_one_account_each(with_leaders(raw))
        if not isinstance(raw.get("copy", {}), dict):
            return raw
        shared = {key: value for key, value in raw.get("copy", {}).items() if key in Copying.model_fields}
        followers = raw.get("followers")
        if not isinstance(followers, list):
            return raw
        whole = [inherited(shared, follower) if isinstance(follower, dict) else follower for follower in followers]
        return raw | {"followers": whole}

    @property
    def leader(self) -> Leader:
        """The first leader, mostly the only one."""
        return self.leaders[0]

    @property
    def leader_ids(self) -> dict[str, str]:
        """The client id of each leader, by name."""
        return {leader.name: leader.client_id for leader in self.leaders}

    def leaders_of(self, follower: Follower) -> tuple[Leader, ...]:
        """Return the leaders whom a follower follows."""
        return followed_by(follower, self.leaders)

    @model_validator(mode="after")
    def _one_client_each(self) -> Self:
        """Refuse a client id or a name of two accounts. One account may lead and follow, under one name."""
        seen: dict[str, str] = {}
        names = dict.fromkeys(_RESERVED, "")
        faults = [] if self.followers or self.nodes.url else ["there is no [[followers]] block: nobody to copy to"]
        faults += [] if self.leaders else ["there is no leader: nobody to copy"]
        several = len(self.leaders) > 1
        for leader in self.leaders:
            if other := seen.get(leader.client_id):
                faults.append(f"leader {leader.name} has the same client_id as {other}")
            if leader.name.casefold() in names or leader.name.casefold().startswith("feed-"):
                faults.append(f"{'leader' if several else 'leader.name'} {leader.name}: that name is taken")
            seen[leader.client_id] = f"leader {leader.name}" if several else "the leader"
            names[leader.name.casefold()] = leader.client_id
        both = {(leader.client_id, leader.name) for leader in self.leaders} if several else set()
        for follower in self.followers:
            is_both = (follower.client_id, follower.name) in both
            both.discard((follower.client_id, follower.name))
            if (other := seen.get(follower.client_id)) and not is_both:
                faults.append(f"follower {follower.name} has the same client_id as {other}")
            if (follower.name.casefold() in names or follower.name.casefold().startswith("feed-")) and not is_both:
                faults.append(f"follower {follower.name}: that name is taken")
            seen[follower.client_id] = f"follower {follower.name}"
            names[follower.name.casefold()] = follower.client_id
        if faults := faults or faults_of(self.leaders, self.followers):
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _requests_go_where_the_mode_says(self) -> Self:
        """Refuse sandbox mode with the real broker's URL, and live mode with the sandbox's."""
        host = urlsplit(self.dhan.rest_url).hostname
        if self.mode == "sandbox" and host != _SANDBOX and not re.match(_LOCAL, self.dhan.rest_url):
            raise ValueError(f'mode "sandbox" needs dhan.rest_url = "https://{_SANDBOX}/v2", not {host}')
        if self.mode == "sandbox" and (without := [one.name for one in self.followers if one.access_token is None]):
            raise ValueError(f"the sandbox knows no PIN: {', '.join(without)} needs an access_token from it")
        if self.mode == "live" and host == _SANDBOX:
            raise ValueError('dhan.rest_url is the sandbox, which needs mode = "sandbox"')
        return self

    @model_validator(mode="after")
    def _tokens_stay_here(self) -> Self:
        """Refuse a proxy on another machine if the broker's URL is plain http."""
        if self.dhan.rest_url.startswith("http://"):
            for account in (*self.leaders, *self.followers):
                proxy = account.proxy.get_secret_value() if account.proxy else None
                if proxy and not re.match(rf"http://([^/]*@)?{LOOPBACK}", proxy):
                    raise ValueError(
                        f"a proxy of client {account.client_id} would be sent the access token unencrypted: it has to"
                        " be on this machine, as the broker is"
                    )
        return self
