"""The actors that serve all accounts."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from actors.gap_recovery.actor import GapRecovery
from actors.instrument_master import InstrumentMaster
from actors.notifier import Notifier
from actors.rate_limiter import RateLimiter
from actors.runtime.timers import Clock
from actors.store.actor import Store
from actors.store.operator_commands import Session
from actors.supervisor.child import ChildSpec
from actors.supervisor.restarts import RestartPolicy
from actors.system.addresses import Addresses
from actors.token_keeper.actor import TokenKeeper
from copytrade.app.clients import brokers_of, credentials_of, place_for
from copytrade.app.paths import SameDatabase, master_source_of, open_to_write
from copytrade.app.policies import first_from, read_windows_of, token_policy_of, windows_of
from copytrade.core.lease.lease import Fence
from copytrade.settings import Settings
from copytrade.storage.files.fallback_file import SideFile
from copytrade.storage.files.lock_file import beside

#: Seconds that one message of a core actor may take: a disk may be slow.
CORE_DEADLINE = 30.0

#: Seconds that one alert may take: the services are far away and slow.
NOTIFIER_DEADLINE = 60.0


def shared_actors(
    current: Callable[[], Settings],
    addresses: Addresses,
    clock: Clock,
    core: RestartPolicy,
    other: RestartPolicy,
    retry: Callable[[str], object],
    session: Session | None = None,
    fences: Mapping[str, Fence] | None = None,
) -> list[ChildSpec]:
    """Return their specs in the order in which they start.

    ``core`` is the restart policy of those without which nothing is copied, ``other`` that of the rest. ``retry`` gives
    a quarantined follower another chance. ``session`` takes the operator's commands that are for no follower; without
    one it is not noted who runs. ``fences`` are there where other nodes may have accounts: then the lease keeper is
    told what is committed, and of logins.
    """
    settings = current()
    token_place = place_for(settings)
    database = SameDatabase(settings.store, lambda: open_to_write(settings))
    return [
        ChildSpec(
            addresses.notifier,
            lambda life: Notifier.start(life, clock, alert_urls(current()), current().alerts.cooldown),
            other,
            NOTIFIER_DEADLINE,
            core=False,
        ),
        ChildSpec(
            addresses.store,
            lambda life: Store.start(
                life,
                clock,
                database.open,
                SideFile(beside(settings.store.database, "unwritten")),
                lambda: first_from(settings.recovery),
                retry,
                session,
                addresses.followers if session is not None else None,
                addresses.leases if fences is not None else None,
            ),
            core,
            CORE_DEADLINE,
            core=True,
        ),
        ChildSpec(
            addresses.limiter,
            lambda life: RateLimiter.start(life, clock, addresses.store, windows_of(settings.limits)),
            core,
            CORE_DEADLINE,
            core=True,
        ),
        ChildSpec(
            addresses.tokens,
            lambda life: TokenKeeper.start(
                life,
                clock,
                credentials_of(current()),
                {name: account.tokens() for name, account in brokers_of(current()).items()},
                token_place,
                token_policy_of(settings.tokens),
                addresses.leases if fences is not None else None,
                fences,
            ),
            other,
            CORE_DEADLINE,
            core=False,
        ),
        ChildSpec(
            addresses.recovery,
            lambda life: GapRecovery.start(
                life,
                clock,
                {name: account.reader() for name, account in brokers_of(current()).items()},
                addresses.feeds,
                addresses.tokens,
                read_windows_of(settings.limits.reads),
            ),
            core,
            CORE_DEADLINE,
            core=True,
        ),
        ChildSpec(
            addresses.instruments,
            lambda life: InstrumentMaster.start(
                life, clock, master_source_of(settings), addresses.recovery, list(settings.leader_ids)
            ),
            core,
            CORE_DEADLINE,
            core=True,
        ),
    ]


def alert_urls(settings: Settings) -> Sequence[SecretStr]:
    """Return where alerts go; those of a paper session go nowhere."""
    return settings.alerts.urls if settings.mode != "paper" else ()
