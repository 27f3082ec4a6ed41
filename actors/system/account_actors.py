"""The actors of one account: its feed and, for a follower's account, the follower."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from actors.follower.account import FollowerAccount, LeaderTerms, Tenure
from actors.follower.actor import Follower
from actors.follower.addresses import LeaderPeer, Peers
from actors.follower.cancel_only import CancelOnlyFollower
from actors.follower.gateway import Gateway
from actors.follower.messages import AccountChanged, FollowerInbox
from actors.follower.parts.in_flight import CANCEL_RESERVE
from actors.order_feed.account import FeedAccount
from actors.order_feed.actor import OrderFeed
from actors.runtime.actor import Incarnation
from actors.runtime.address import Address
from actors.runtime.timers import Clock
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from actors.system.addresses import Addresses
from copytrade import settings as s
from copytrade.app.clients import broker_of
from copytrade.app.policies import market_rules_of, needs_capital, needs_holdings, policy_of, policy_of_leader
from copytrade.common import wall_clock
from copytrade.core.ledger.sizing import Capitals
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.orders import IST
from copytrade.reports.queries import book_delay_on, holds_shares
from copytrade.settings.copying import WITH_COLLATERAL


class AccountActors:
    """Makes the child specs of each account's actors.

    ``since`` is the time of the leader's last known event. ``core`` is the restart policy of actors without which
    nothing is copied, ``other`` that of the rest.
    """

    def __init__(
        self,
        settings: s.Settings,
        addresses: Addresses,
        clock: Clock,
        since: datetime | None,
        core: RestartPolicy,
        other: RestartPolicy,
        *,
        only_closes: bool,
    ) -> None:
        self._settings = settings
        self._addresses = addresses
        self._clock = clock
        self._since = since
        self._core = core
        self._other = other
        self._only_closes = only_closes
        self._market_rules = market_rules_of(settings)
        #: How each follower copies now.
        self._current: dict[str, FollowerAccount] = {}
        #: Whether shares are held by copying, which settings that leave shares out do not change.
        self._holds_shares = holds_shares(settings.store.database)

    @property
    def deadline(self) -> float:
        """The seconds that one message of these actors may take; none of them waits for the broker."""
        return self._settings.dhan.request_timeout + self._settings.supervision.hang_after

    def leader_feeds(self) -> list[ChildSpec]:
        """Return the feeds of the leaders' orders. Without that of the only one nothing is copied."""
        settings = self._settings
        return [
            self._feed(leader.name, AccountType.LEADER, leader, core=len(settings.leaders) == 1)
            for leader in settings.leaders
        ]

    def follower_feed(self, follower: s.Follower) -> list[ChildSpec]:
        """Return the feed of a follower's own orders, none if it is a leader's feed too."""
        if follower.name in self._settings.leader_ids:
            return []
        return [self._feed(follower.name, AccountType.FOLLOWER, follower, core=False)]

    def _name_of(self, leader: s.Leader) -> str:
        """Return by which name engines know a leader."""
        return leader.name if len(self._settings.leaders) > 1 else ""

    def _follows(self, leader: s.Leader) -> bool:
        """Whether a leader's account is copied into."""
        return any(follower.client_id == leader.client_id for follower in self._settings.followers)

    def follower(self, follower: s.Follower, *, joins: bool = False, tenure: Tenure | None = None) -> ChildSpec:
        """Return the actor that copies into a follower's account; ``joins``: the leader is copied already.

        ``tenure`` is this node's time with the account, where other nodes may have it.
        """
        settings, name, address = self._settings, follower.name, self._addresses.followers[follower.name]
        self._current[name] = replace(self._account_of(follower), joins=joins)
        peers = Peers(
            leaders={
                leader.name: LeaderPeer(self._addresses.feeds[leader.name], self._name_of(leader))
                for leader in settings.leaders_of(follower)
            },
            own_feed=self._addresses.feeds[follower.name],
            limiter=self._addresses.limiter,
            store=self._addresses.store,
            recovery=self._addresses.recovery,
            instruments=self._addresses.instruments,
            tokens=self._addresses.tokens,
        )

        gateways: list[Gateway] = []

        def make_gateway(actor_address: Address[FollowerInbox], epoch: int) -> Gateway:
            """Close the connections of an earlier incarnation, which may hang, and open new ones."""
            while gateways:
                gateways.pop().close()
            threads = settings.dhan.connections + CANCEL_RESERVE
            broker, fence = broker_of(follower, settings).gateway(), tenure.fence if tenure is not None else None
            gateways.append(Gateway(broker, actor_address, epoch, threads, fence))
            return gateways[0]

        def start(life: Incarnation[Any]) -> object:
            account = self._current[name]
            started = Follower.start(life, account, peers, self._clock, make_gateway, tenure)
            if (changed := self._current[name]) is not account:  # told while nobody had the address
                address.tell(AccountChanged(changed))
            return started

        def start_stand_in(life: Incarnation[Any]) -> object:
            return CancelOnlyFollower.start(life, peers, self._clock, make_gateway)

        return ChildSpec(address, start, self._other, self.deadline, core=False, drains=True, stand_in=start_stand_in)

    def change(self, follower: s.Follower) -> None:
        """Have a follower copy by other settings from now on, whichever incarnation runs."""
        self._current[follower.name] = self._account_of(follower)
        self._addresses.followers[follower.name].tell(AccountChanged(self._current[follower.name]))

    def _account_of(self, follower: s.Follower) -> FollowerAccount:
        settings = self._settings
        return FollowerAccount(
            name=follower.name,
            policy=policy_of(follower, settings.recovery),
            market_rules=self._market_rules,
            needs_holdings=self._holds_shares or needs_holdings(follower),
            amo_time=follower.amo_time,
            needs_capital=needs_capital(follower),
            with_collateral=follower.capital == WITH_COLLATERAL,
            capitals=Capitals(follower=follower.capital if isinstance(follower.capital, Decimal) else None),
            connections=settings.dhan.connections,
            absence_window=settings.recovery.absence_window,
            per_hour=settings.limits.per_hour,
            result_interval=settings.recovery.result_interval if follower.max_daily_loss else None,
            audit_interval=settings.recovery.audit_interval,
            leaders={
                self._name_of(leader): self._terms_of(follower, leader) for leader in settings.leaders_of(follower)
            },
            only_closes=self._only_closes,
        )

    def _terms_of(self, follower: s.Follower, leader: s.Leader) -> LeaderTerms:
        copying = follower.copying_of(leader.name)
        return LeaderTerms(
            policy_of_leader(follower, leader.name, self._settings.recovery),
            Capitals(follower=copying.capital if isinstance(copying.capital, Decimal) else None),
            copying.amo_time,
            follows=self._follows(leader),
        )

    def _feed(self, name: str, account_type: AccountType, account: s.Account, *, core: bool) -> ChildSpec:
        settings = self._settings
        updates = broker_of(account, settings).updates()
        feed_account = FeedAccount(name, account_type, updates)
        if isinstance(account, s.Leader):
            feed_account = FeedAccount(name, account_type, updates, self._name_of(account), self._follows(account))
        since = self._since if account_type is AccountType.LEADER else None

        def start(life: Incarnation[Any]) -> object:
            today = wall_clock.now().astimezone(IST).date()
            return OrderFeed.start(
                life,
                feed_account,
                self._clock,
                self._addresses.store,
                self._addresses.recovery,
                self._addresses.tokens,
                settings.recovery.audit_interval,
                since,
                self._market_rules.hours,
                holdings=self._holds_shares or any(map(needs_holdings, settings.followers)),
                book_delay=book_delay_on(settings.store.database, name, today),
            )

        policy = self._core if core else self._other
        return ChildSpec(self._addresses.feeds[name], start, policy, self.deadline, core=core, intake=True)
