"""Builds the parts of a follower and connects them."""

from dataclasses import dataclass
from typing import Any

from actors.follower.account import FollowerAccount, Tenure
from actors.follower.addresses import Peers
from actors.follower.first_moment import FirstMoment
from actors.follower.parts.account_state import AccountState
from actors.follower.parts.broker_clock import BrokerClock
from actors.follower.parts.commands import Commands
from actors.follower.parts.in_flight import InFlight
from actors.follower.parts.loss_limit import LossLimitWatch
from actors.follower.parts.orphan_orders import OrphanOrders
from actors.follower.parts.outbox import Outbox
from actors.follower.parts.outcomes import Outcomes
from actors.follower.parts.own_order_book import OwnBook
from actors.follower.parts.permits import Permits
from actors.follower.parts.position_audit import PositionAudit
from actors.follower.parts.retention import Retention
from actors.follower.parts.start_capital import StartCapital
from actors.follower.parts.takeover import Takeover
from actors.follower.pump import Pump
from actors.messages.store import Writer
from actors.runtime.actor import Incarnation
from actors.runtime.timers import Clock
from copytrade.core.engine.engine import CopyEngine, LeaderContext


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one incarnation of a follower."""

    engine: CopyEngine
    broker_clock: BrokerClock
    outbox: Outbox
    first_moments: dict[str, FirstMoment]
    account_state: AccountState
    permits: Permits
    capital: StartCapital
    loss_limit_watch: LossLimitWatch
    audit: PositionAudit
    commands: Commands
    orphan_orders: OrphanOrders
    retention: Retention
    takeover: Takeover
    own_book: OwnBook
    in_flight: InFlight
    outcomes: Outcomes
    pump: Pump


def assemble(
    life: Incarnation[Any],
    account: FollowerAccount,
    peers: Peers,
    clock: Clock,
    writer: Writer,
    tenure: Tenure | None,
) -> Parts:
    """Build the parts for one incarnation."""
    address, epoch, policy, window = life.address, life.epoch, account.policy, account.absence_window
    recovery = peers.recovery
    engine = CopyEngine(
        address.name,
        policy,
        account.capitals,
        account.market_rules,
        window,
        life.set_aside,
        only_closes=account.only_closes,
        per_hour=account.per_hour,
        leaders={
            name: LeaderContext(terms.policy, terms.capitals, follows=terms.follows)
            for name, terms in account.leaders.items()
        },
    )
    broker_clock = BrokerClock(address.name)
    outbox = Outbox(address, writer, peers.store, engine, broker_clock, dry_run=policy.dry_run)
    account_state = AccountState(address, epoch, clock, peers.tokens, engine, enters=policy.enabled)
    permits = Permits(address, epoch, peers.limiter)
    capital = StartCapital(
        address,
        recovery,
        tuple(peers.leaders),
        needed=account.needs_capital,
        with_collateral=account.with_collateral,
        own_capital=account.capitals.follower,
    )
    loss_limit_watch = LossLimitWatch(address, epoch, clock, recovery, engine, policy, account.result_interval)
    audit = PositionAudit(
        address,
        epoch,
        clock,
        recovery,
        {name: leader.name for name, leader in peers.leaders.items()},
        engine,
        broker_clock,
        account.audit_interval,
        holdings=account.needs_holdings,
        dry_run=policy.dry_run,
    )
    commands = Commands(address.name, engine, outbox, broker_clock, loss_limit_watch, dry_run=policy.dry_run)
    orphan_orders = OrphanOrders(address, epoch, clock, engine, outbox, broker_clock, window)
    takeover = Takeover(address, epoch, clock, engine, tenure)
    own_book = OwnBook(
        address,
        epoch,
        clock,
        recovery,
        engine,
        outbox,
        broker_clock,
        orphan_orders,
        takeover,
        window,
        holdings=account.needs_holdings,
    )
    in_flight = InFlight(
        address,
        epoch,
        engine,
        outbox,
        permits,
        account_state,
        account.amo_time_of,
        account.connections,
        dry_run=policy.dry_run,
    )
    outcomes = Outcomes(address.name, engine, outbox, permits, account_state, own_book, in_flight, broker_clock.now)
    return Parts(
        engine=engine,
        broker_clock=broker_clock,
        outbox=outbox,
        first_moments={
            account_name: FirstMoment(address, leader.name, engine, outbox, joins=account.joins)
            for account_name, leader in peers.leaders.items()
        },
        account_state=account_state,
        permits=permits,
        capital=capital,
        loss_limit_watch=loss_limit_watch,
        audit=audit,
        commands=commands,
        orphan_orders=orphan_orders,
        retention=Retention(address.name, engine, orphan_orders, accounts=1 + len(peers.leaders)),
        takeover=takeover,
        own_book=own_book,
        in_flight=in_flight,
        outcomes=outcomes,
        pump=Pump(
            address, epoch, clock, engine, outbox, account_state, permits, loss_limit_watch, audit, own_book, in_flight
        ),
    )
