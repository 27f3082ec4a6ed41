"""The context of a follower's decisions: instruments, market, entry gate, capital and limits, as they are now."""

from collections.abc import Callable, Mapping, Set
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial

import msgspec
from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, DecisionInput, Policy, not_awaited, not_grouped, not_limited
from copytrade.core.decide.filters import refusal
from copytrade.core.decide.legs.group import Group
from copytrade.core.decide.risk_limits import RiskLimits
from copytrade.core.engine.copies.limit_usage import LimitUsage
from copytrade.core.engine.exits.awaited_reads import ExitReads
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.market.contracts import Contracts
from copytrade.core.market.freeze import FreezeTable
from copytrade.core.market.sessions import MarketHours
from copytrade.core.model.instruments import Instrument, held
from copytrade.core.model.ledger import LineKey, line_of
from copytrade.core.model.orders import IST, InstrumentKey, Order


class MarketRules(msgspec.Struct, frozen=True):
    """What the market allows: how large one order may be, and when it trades (None: always)."""

    freeze: FreezeTable
    hours: MarketHours | None


class LeaderContext:
    """How one leader is copied, and whether his entries may be copied now."""

    def __init__(self, policy: Policy, capitals: Capitals, *, follows: bool = False) -> None:
        """``follows``: others are copied into this leader's account by this program, which is none of his trading."""
        self.policy = policy
        self.capitals = capitals
        self.follows = follows
        self.gate_open = False
        self._enabled = policy.enabled
        self._is_on = True

    def copy_since(self, moment: datetime) -> None:
        """Copy his orders from a moment on."""
        self.policy = replace(self.policy, copying_since=moment)

    def know_capitals(self, leader: Decimal | None = None, follower: Decimal | None = None) -> None:
        """Take start-of-day capitals; a figure that is already known stays for the day."""
        now = self.capitals
        if leader is not None:
            now = Capitals(now.leader or leader, now.follower)
        if follower is not None:
            now = Capitals(now.leader, now.follower or follower)
        self.capitals = now

    def change(self, policy: Policy) -> None:
        """Copy by another policy; entries stay switched as they are, and so does the time of the start."""
        now, self._enabled = self.policy, policy.enabled
        enabled = self._is_on and policy.enabled
        self.policy = replace(policy, copying_since=now.copying_since, enabled=enabled, pause=now.pause)

    def switch(self, *, enabled: bool, pause: str) -> None:
        """Switch entries off or on, unless the settings forbid them."""
        self._is_on = enabled
        self.policy = replace(self.policy, enabled=enabled and self._enabled, pause=pause)


def limits_of(leaders: Mapping[str, LeaderContext]) -> list[RiskLimits]:
    """Return the limits of what is copied of single leaders."""
    return [one.policy.risk_limits for one in leaders.values() if one.policy.risk_limits is not None]


class Context:
    """What a decision depends on besides the orders."""

    def __init__(
        self,
        account: LeaderContext,
        leaders: Mapping[str, LeaderContext],
        market_rules: MarketRules,
        limit_usage: LimitUsage,
        held_lot: Callable[[LineKey], int | None],
    ) -> None:
        """``account`` is for leaders who are not followed any more, and for the account's own limits.

        ``held_lot`` tells the lot of a line on which something is held by copying, None for any other.
        """
        self.account = account
        #: Each leader who is followed, by name; "" is the name where there is only one.
        self.leaders = leaders
        self._market_rules = market_rules
        self._held_lot = held_lot
        self._limit_usage = limit_usage
        self._slices: dict[tuple[str, int], int | None] = {}
        self._sliced_on: date | None = None
        #: What is known of what trades.
        self.contracts = Contracts()
        #: Whether the own order book has been read since the start: nothing is entered before.
        self.own_book_read = True
        #: Whether the lease allows entries, where other nodes may have the account.
        self.fence_open = True
        self.second_copier = False
        #: The leader orders that were found so late that others were taken for entries.
        self.found_late: set[str] = set()
        #: The broker's clock minus ours.
        self.skew = timedelta(0)
        self.exit_reads = ExitReads()

    def of(self, leader: str) -> LeaderContext:
        """Return how a leader is copied."""
        return self.leaders.get(leader, self.account)

    def change(self, policy: Policy, of: Mapping[str, Policy]) -> None:
        """Copy by another policy, a leader by his own in ``of`` if he has one there."""
        self.account.change(policy)
        for leader, followed in self.leaders.items():
            followed.change(of.get(leader, policy))

    @property
    def all(self) -> list[LeaderContext]:
        """How each leader is copied, and how one who is not followed any more."""
        return [self.account, *self.leaders.values()]

    @property
    def dry_run(self) -> bool:
        """Whether nothing is sent for the account."""
        return self.account.policy.dry_run

    @property
    def is_limited(self) -> bool:
        """Whether the follower has risk limits."""
        return self._limit_usage.is_set

    @property
    def instruments(self) -> Mapping[InstrumentKey, Instrument] | None:
        """What trades, None before the instrument master has been read."""
        return self.contracts.master

    def instrument(self, leader: Order) -> Instrument | None:
        """Return an order's instrument, None if neither master nor feed describes it and nothing of it is held."""
        known = self.contracts.of(leader)
        if known is None and (lot_size := self._held_lot(line_of(leader))):
            return held(leader, lot_size)
        return known

    def is_refused(self, leader: Order) -> bool:
        """Whether filters forbid an entry for an order, whatever its size."""
        return refusal(leader, self.instrument(leader), self.of(leader.leader).policy) is not None

    def underlying(self, leader: Order) -> str:
        """Return an order's underlying: entries in one underlying go out one after another."""
        instrument = self.instrument(leader)
        return instrument.underlying if instrument else f"{leader.key.segment}:{leader.key.security_id}"

    def inputs(
        self,
        leader: Order,
        under_way: Set[int],
        is_held: Callable[[Action], bool],
        now: datetime,
        piece_at: datetime | None = None,
        group: Callable[[], Group | None] = not_grouped,
    ) -> DecisionInput:
        """Return the inputs for deciding an order; ``under_way`` are its copies with a pending request, by number.

        ``piece_at``: when the first of the leader's fills was known, by our clock, that no request has followed yet.
        ``group`` returns the legs beside the order.
        """
        instrument, followed = self.instrument(leader), self.of(leader.leader)
        return DecisionInput(
            instrument=instrument,
            master_read=self.instruments is not None,
            gate_open=followed.gate_open and self.own_book_read and self.fence_open,
            refused=refusal(leader, instrument, followed.policy),
            largest=self._largest(instrument, now),
            hours=self._market_rules.hours,
            under_way=under_way,
            is_held=is_held,
            second_copier=self.second_copier,
            takes_back=leader.id in self.found_late,
            piece_at=None if piece_at is None else piece_at + self.skew,
            group=group,
            unread_until=not_awaited if self.dry_run else partial(self._unread_until, leader.id, now),
            limits_used=not_limited
            if not self._limit_usage.is_set
            else partial(self._limit_usage.limits_used, self.account.capitals.follower, now),
        )

    def _unread_until(self, leader_order_id: str, now: datetime) -> datetime | None:
        until = self.exit_reads.wait_until(leader_order_id, now - self.skew)
        return None if until is None else until + self.skew

    def _largest(self, instrument: Instrument | None, now: datetime) -> int | None:
        if instrument is None:
            return None
        today = now.astimezone(IST).date()
        if today != self._sliced_on:
            self._sliced_on = today
            self._slices.clear()
        asked = instrument.underlying, instrument.lot_size
        if asked not in self._slices:
            self._slices[asked] = self._market_rules.freeze.slice_of(*asked, today)
        return self._slices[asked]
