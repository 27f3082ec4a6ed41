"""The paper broker and the copier's settings for a history."""

from dataclasses import asdict
from decimal import Decimal

from bench.histories.history import FUNDS, LEADER, LEADERS, STRANGER, History
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.process import PaperConfig, PaperProcess

#: Lot sizes by contract, and the broker's limits by window.
LOTS = dict.fromkeys((str(45670 + number) for number in range(10)), 65)
LOTS |= dict.fromkeys(("51000", "51002", "51004", "51006", "51008"), 30) | {
    "1594": 1,
    "11536": 1,
    "500001": 1,
    "70001": 65,
}
LOTS |= dict.fromkeys((f"7{number}{leg}" for number in range(20, 40) for leg in (1, 2, 3)), 65)
LIMITS = {"second": 10, "minute": 150, "hour": 300, "day": 500}
_SETTINGS = """
mode = "live"
[board]
enabled = false
{leaders}
{followers}
[copy]
instruments = {instruments}
{groups}
unfilled_after = 1.0
unfilled_action = "reprice"
max_price_deviation = 5
[dhan]
rest_url = "{broker.rest_url}"
feed_url = "{broker.feed_url}"
auth_url = "{broker.auth_url}"
instruments_url = "{broker.instruments_url}"
request_timeout = 1.0
[market]
hours = "always"
[recovery]
audit_interval = {history.audit}
absence_window = 2.0
[limits]
per_second = {limits[second]}
per_minute = {limits[minute]}
per_hour = {limits[hour]}
per_day = {limits[day]}
reads = {{ per_second = 10, per_minute = 600, per_hour = 36000 }}
[speed]
ready_every = 0
[log]
status_interval = 5.0
"""
_FOLLOWER = """
[[followers]]
name = "{name}"
client_id = "{client_id}"
access_token = "token-of-{name}"
sizing = "{sizing}"
ratio = {ratio}
lots = {lots}
risk_percent = {risk_percent}
mode = "{mode}"
"""
_LEADER = """
[[leaders]]
name = "{name}"
client_id = "{client_id}"
access_token = "token-of-{name}"
"""

#: Seconds that a sold leg waits for its hedges.
GROUP_WAIT = 6.0


def config_of(history: History) -> PaperConfig:
    """Return the broker's configuration: prices stand still, and only what a history asks for happens."""
    accounts = [PaperAccount(one, f"token-of-{LEADERS[one]}", Decimal(FUNDS)) for one in history.leaders]
    accounts.append(PaperAccount(STRANGER, "of-a-stranger"))
    for follower in history.followers:
        accounts.append(PaperAccount(follower.client_id, f"token-of-{follower.name}", Decimal(follower.funds)))
    return PaperConfig(
        tuple(accounts),
        LEADER,
        seed=history.seed,
        scripted=False,
        tick_interval=None,
        partial_fills=0.0,
        control=True,
        per_second=LIMITS["second"],
    )


def settings_of(history: History, broker: PaperProcess) -> str:
    """Return the text of the copier's settings file."""
    followers = "".join(_FOLLOWER.format(**asdict(follower)) for follower in history.followers)
    has_others = any(step.terms.get("segment", "NSE_FNO") != "NSE_FNO" for step in history.steps)
    instruments = '["*"]' if has_others else '["OPTIDX"]'
    leaders = "".join(_LEADER.format(name=LEADERS[one], client_id=one) for one in history.leaders)
    groups = f"group_within = {history.group_within}\ngroup_wait = {GROUP_WAIT}" if history.group_within else ""
    return _SETTINGS.format(
        leaders=leaders,
        groups=groups,
        history=history,
        followers=followers,
        broker=broker,
        limits=LIMITS,
        instruments=instruments,
    )
