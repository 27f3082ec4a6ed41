"""A lead and a node instead of one process: what each takes of the settings, and their connection to the bus."""

import ssl
import time
from typing import TYPE_CHECKING

from pydantic import SecretStr

from copytrade.app.clients import ADAPTERS
from copytrade.brokers.remote.account import NO_TOKEN, RemoteLeader
from copytrade.bus.messages import MessageBus
from copytrade.settings import Account, Leader, Settings
from copytrade.settings.operation import Nodes

if TYPE_CHECKING:
    from copytrade.bus.nats_messages import NatsBus

#: Addresses that the broker registers for an account.
HOMES_REGISTERED = 2

#: The adapter of a leader whose orders a lead tells.
BEHIND_BUS = "bus"


class BusUnusable(Exception):
    """The bus cannot be used with these settings; the message says what to do."""


def open_bus(nodes: Nodes, lifetimes: dict[str, float] | None = None) -> "NatsBus":
    """Return a connection to the bus, which connects by itself. Raises BusUnusable.

    ``lifetimes`` are the seconds that keys live in buckets.
    """
    if not nodes.urls:
        raise BusUnusable('[nodes] url is not set: it is where the bus is, as "nats://127.0.0.1:4222"')
    try:
        from copytrade.bus.nats_keys import BusAccess  # noqa: PLC0415 (only nodes need the package)
        from copytrade.bus.nats_messages import NatsBus  # noqa: PLC0415
    except ImportError as error:
        raise BusUnusable(f"the bus needs the package nats-py: pip install 'copytrade[nodes]' ({error})") from None
    try:
        tls = _tls_of(nodes)
    except OSError as error:
        raise BusUnusable(f"[nodes] tls_ca, tls_cert, tls_key: {error}") from None
    seed = nodes.nkey_seed.get_secret_value() if nodes.nkey_seed else None
    bus = NatsBus(
        BusAccess(nodes.urls, nodes.prefix, tls, seed), lifetimes or {}, nodes.lease / 4
    )  # a renewal that has no answer by the next one has failed
    bus.start()
    return bus


def _tls_of(nodes: Nodes) -> ssl.SSLContext | None:
    if not nodes.tls_ca:
        return None
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=nodes.tls_ca)
    if nodes.tls_cert:
        context.load_cert_chain(nodes.tls_cert, nodes.tls_key)
    return context


def for_lead(settings: Settings) -> Settings:
    """Return the settings of a lead: it has no followers."""
    return settings.model_copy(update={"followers": ()})


def for_node(settings: Settings, bus: MessageBus) -> Settings:
    """Return the settings of a node: its leaders are behind the bus."""
    leaders: dict[str, RemoteLeader] = {}

    def remote(account: Account, of: Settings) -> RemoteLeader:
        name = account.name if isinstance(account, Leader) else ""
        return leaders.setdefault(name, RemoteLeader(bus, of.nodes.prefix, name, account.client_id))

    ADAPTERS[BEHIND_BUS] = remote
    behind = {"broker": BEHIND_BUS, "access_token": SecretStr(NO_TOKEN), "pin": None, "totp_secret": None}
    return settings.model_copy(
        update={"leaders": tuple(leader.model_copy(update=behind) for leader in settings.leaders)}
    )


def epoch_after(last: int) -> int:
    """Return the epoch of a process that takes over: greater than the ``last``, and than those of earlier times."""
    return max(last + 1, time.time_ns() // 1_000_000)


def what_leases_mean(settings: Settings) -> list[str]:
    """Return what ``check`` says of each follower whose account several nodes may trade."""
    if not settings.nodes.urls:
        return []
    lines = []
    for follower in settings.followers:
        who, homes = f"Follower {follower.name}", follower.homes
        if not homes:
            lines.append(f"{who} has no homes: any node that has him in its settings may take him.")
        if len(homes) > HOMES_REGISTERED and follower.proxy is None:
            lines.append(f"{who} has {len(homes)} homes, and an account has two registered addresses: use proxies.")
        if len(homes) != 1 and follower.pin is None:
            lines.append(
                f"{who} has no PIN and TOTP secret: after another node dies he enters nothing until"
                f" run.py take {follower.name}; exits go on."
            )
    return lines
