"""All settings, and the rules that concern more than one table."""

import re
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from copytrade.settings.accounts import Follower, Leader
from copytrade.settings.board import Board
from copytrade.settings.broker import Dhan, Market, Paper, Tokens
from copytrade.settings.copying import Copying
from copytrade.settings.operation import Alerts, Log, Recovery, Speed, Storage, Supervision
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
    leader: Leader
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
    log: Log = Log()
    paper: Paper = Paper()

    @model_validator(mode="before")
    @classmethod
    def _followers_inherit(cls, raw: Any) -> Any:
        """Give each follower the keys of [copy] that it does not set itself."""
        if not isinstance(raw, dict) or not isinstance(raw.get("copy", {}), dict):
            return raw
        shared = {key: value for key, value in raw.get("copy", {}).items() if key in Copying.model_fields}
        followers = raw.get("followers")
        if not isinstance(followers, list):
            return raw
        inherited = [shared | follower if isinstance(follower, dict) else follower for follower in followers]
        return raw | {"followers": inherited}

    @model_validator(mode="after")
    def _one_client_each(self) -> Self:
        """Refuse a client id that is used by two accounts."""
        seen = {self.leader.client_id: "the leader"}
        names = {*_RESERVED, self.leader.name.casefold()}
        faults = [] if self.followers else ["there is no [[followers]] block: nobody to copy to"]
        if self.leader.name.casefold() in _RESERVED or self.leader.name.casefold().startswith("feed-"):
            faults.append(f"leader.name {self.leader.name}: that name is taken")
        for follower in self.followers:
            if other := seen.get(follower.client_id):
                faults.append(f"follower {follower.name} has the same client_id as {other}")
            if follower.name.casefold() in names or follower.name.casefold().startswith("feed-"):
                faults.append(f"follower {follower.name}: that name is taken")
            seen[follower.client_id] = f"follower {follower.name}"
            names.add(follower.name.casefold())
        if faults:
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
            for account in (self.leader, *self.followers):
                proxy = account.proxy.get_secret_value() if account.proxy else None
                if proxy and not re.match(rf"http://([^/]*@)?{LOOPBACK}", proxy):
                    raise ValueError(
                        f"a proxy of client {account.client_id} would be sent the access token unencrypted: it has to"
                        " be on this machine, as the broker is"
                    )
        return self
