"""A history as data: what happens, when and with which followers. It can be printed, saved, replayed and shrunk."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Client ids. The stranger belongs to no copier: its updates are sent to sockets of other accounts.
LEADER, STRANGER = "1000000001", "1000000999"

#: Leaders of histories with several, by client id.
LEADERS = {LEADER: "leader", "1000000002": "dev", "1000000003": "emil"}

#: Rupees of each account at the start of the day; a follower that is sized by capital has less.
FUNDS = 10**12


@dataclass(frozen=True, slots=True)
class Follower:
    """A follower. ``ratio`` is used by fixed_ratio, ``lots`` by fixed_lots, ``funds`` by capital_proportional.

    ``risk_percent`` is used by risk_based, together with ``funds``.
    """

    name: str
    client_id: str
    sizing: str = "fixed_ratio"
    ratio: str = "1"
    lots: int = 1
    funds: int = FUNDS
    risk_percent: str = "1"
    mode: str = "orders"


FOLLOWERS = (
    Follower("alice", "1000000101"),
    Follower("bob", "1000000102", ratio="0.5"),
    Follower("carol", "1000000103", ratio="2"),
    Follower("dave", "1000000104", sizing="fixed_lots", lots=1),
    Follower("erin", "1000000105", sizing="capital_proportional", funds=7 * FUNDS // 10),
)

#: Followers of later histories alone. Frank risks 40,000 rupees on an order: 5 lots of 65 at 120.
MORE_FOLLOWERS = (*FOLLOWERS, Follower("frank", "1000000106", sizing="risk_based", risk_percent="0.000004"))


@dataclass(frozen=True, slots=True)
class Step:
    """What happens ``at`` so many seconds: ``what`` names one of the steps of ``Trial.do``, ``terms`` its arguments.

    What is ``at`` less than 0 happens before the copier is started.
    """

    at: float
    what: str
    terms: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the step as a line."""
        words = " ".join(f"{name}={value}" for name, value in self.terms.items())
        return f"{self.at:6.2f}  {self.what} {words}"


@dataclass(frozen=True, slots=True)
class History:
    """Steps in their order. ``seed`` is where it came from, ``audit`` the copier's ``audit_interval`` in seconds.

    ``leaders`` are client ids. With ``group_within`` seconds legs of one underlying are copied as a group.
    """

    seed: int
    followers: tuple[Follower, ...]
    steps: tuple[Step, ...]
    audit: float = 2.0
    leaders: tuple[str, ...] = (LEADER,)
    group_within: float = 0.0

    def __str__(self) -> str:
        """Return the history as lines."""
        who = ", ".join(one.name + (f" ({one.mode})" if one.mode != "orders" else "") for one in self.followers)
        whom = f" who follow {', '.join(LEADERS[one] for one in self.leaders)}" if len(self.leaders) > 1 else ""
        groups = f", groups within {self.group_within:g} s" if self.group_within else ""
        head = f"history {self.seed} of {who}{whom}, audits every {self.audit:g} s{groups}"
        return "\n".join([head, *map(str, self.steps)])

    def to_json(self) -> str:
        """Return the history as JSON."""
        return json.dumps(asdict(self), indent=1, default=dict)

    @classmethod
    def from_json(cls, text: str) -> "History":
        """Read what ``to_json`` gave."""
        fields = json.loads(text)
        followers = tuple(Follower(**one) for one in fields["followers"])
        steps = tuple(Step(**step) for step in fields["steps"])
        leaders, within = tuple(fields.get("leaders", (LEADER,))), fields.get("group_within", 0.0)
        return cls(fields["seed"], followers, steps, fields["audit"], leaders, within)
