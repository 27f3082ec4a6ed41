"""All that the oracle knows of a history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.histories.oracle.rows import Row


@dataclass(frozen=True)
class Evidence:
    """What the broker's books say once a history is over, and where the copier's database is.

    ``changes`` has every state of every order, and ``writes`` every order request, by client id. ``limits`` are the
    most requests by window, ``lots`` the lot sizes by contract.

    ``hands`` are the ids of orders that other hands placed on followers' accounts, ``square_offs`` those of orders by
    which the broker closed positions. ``unheard`` has for how many seconds such an order may stay unknown, because no
    update or read tells of it. ``flattened`` are the followers for which everything was closed by command,
    ``converted`` the contracts of which the leader moved a position to another product.

    ``carried`` is what the leader had before the program started: contract, product and signed units. ``expired`` has
    when a contract expired, ``multipliers`` by how much the price of a unit is multiplied where it is not by 1.
    ``splits`` are those of what all held: when, of what contract, and how many new units for how many old ones.

    ``ups`` are the times at which the program was connected again. ``excused`` are the client ids whose requests were
    disturbed, so that their exits may be late. ``forgiven`` is how many seconds a follower may be on a wrong side: more
    than zero only where updates of the leader were lost, so that an exit may be known before its entry is.

    ``leaders`` are the client ids of all whom the followers follow, ``leader`` is the one who is judged by. With
    ``group_within`` seconds legs of one underlying are groups; ``underlyings`` has those of contracts.
    """

    leader: str
    followers: Sequence[Row]
    lots: Mapping[str, int]
    funds: int
    changes: Mapping[str, Sequence[Row]]
    writes: Mapping[str, Sequence[Row]]
    limits: Mapping[str, int]
    hands: Sequence[str]
    flattened: Sequence[str]
    converted: Sequence[str]
    database: str
    unheard: Mapping[str, float] = field(default_factory=dict)
    square_offs: Sequence[str] = ()
    carried: Sequence[tuple[str, str, int]] = ()
    expired: Mapping[str, float] = field(default_factory=dict)
    splits: Sequence[tuple[float, str, int, int]] = ()
    multipliers: Mapping[str, int] = field(default_factory=dict)
    ups: Sequence[float] = ()
    excused: Sequence[str] = ()
    forgiven: float = 0.0
    crashes: Sequence[str] = ()
    restless: str = ""
    leaders: Sequence[str] = ()
    group_within: float = 0.0
    underlyings: Mapping[str, str] = field(default_factory=dict)
