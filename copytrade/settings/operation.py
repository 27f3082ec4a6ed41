"""How the program runs: restarts, recovery, storage, alerts and the log."""

import re
from typing import Annotated, Literal, Self

import pytz
from pydantic import Field, SecretStr, field_validator, model_validator

from copytrade.settings.values import LOOPBACK, Seconds, Section


class Supervision(Section):
    """How often an actor may be restarted, and the seconds to wait in between."""

    max_restarts: int = Field(default=5, ge=0)
    window: Seconds = 60.0
    backoff: Seconds = 0.25
    backoff_max: Seconds = 30.0
    hang_after: Seconds = 5.0
    quarantine_retry: Seconds = 300.0


class Recovery(Section):
    """How missed orders are found. ``start_from``: what the first start with a database copies of the day so far."""

    audit_interval: Seconds = 60.0
    absence_window: Annotated[float, Field(ge=0)] = 10.0
    result_interval: Seconds = 10.0
    start_from: Literal["now", "today"] = "now"


class Storage(Section):
    """The database: an SQLite file, and how many copies of it are kept, one per stop and per day."""

    database: str = Field(default="copy_trading.db", min_length=1)
    synchronous: Literal["full", "normal"] = "full"
    backups: int = Field(default=7, ge=0)


class Speed(Section):
    """How often the disk is kept ready for the next order, in seconds; seldom from a minute after the last one."""

    ready_every: Annotated[float, Field(ge=0, le=60)] = 0.015


class Alerts(Section):
    """Where alerts go, as apprise URLs; at most one of a kind and a follower in ``cooldown`` seconds."""

    urls: tuple[SecretStr, ...] = ()
    cooldown: Seconds = 300.0

    @field_validator("urls")
    @classmethod
    def _urls_are_known(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if urls:
            from apprise import Apprise  # noqa: PLC0415 (0.2 s that only those pay who are alerted)

            services = [Apprise.instantiate(url.get_secret_value()) for url in urls]
            if unknown := [str(number) for number, service in enumerate(services, 1) if service is None]:
                raise ValueError(f"number {', '.join(unknown)} is no URL that apprise knows")
            if blind := [str(n) for n, service in enumerate(services, 1) if service and not service.verify_certificate]:
                raise ValueError(f"number {', '.join(blind)} must not say verify=no: certificates are always checked")
        return urls


class Log(Section):
    """The level and the file of the log, and the zone of its times."""

    file: str = "copy_trading.log"
    json_lines: bool = Field(default=False, alias="json")
    zone: str = "Asia/Kolkata"
    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    status_interval: Seconds = 30.0

    @field_validator("zone")
    @classmethod
    def _zone_is_known(cls, zone: str) -> str:
        if zone not in pytz.all_timezones_set:
            raise ValueError('is no time zone, such as "Asia/Kolkata"')
        return zone


class Nodes(Section):
    """The bus: NATS with JetStream. Without a ``url`` there is one process and no bus.

    ``lease`` is the seconds that a node may trade an account without the bus; it is the same on all nodes.
    """

    url: str = ""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,16}$")] = "ct"
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    nkey_seed: SecretStr | None = None
    lease: Annotated[float, Field(ge=0.2, le=300, allow_inf_nan=False)] = 10.0
    bus_lost_after: Literal["alert"] = "alert"

    @model_validator(mode="after")
    def _is_private_beyond_this_machine(self) -> Self:
        """Refuse a bus on another machine that anybody could read, or where anybody could tell of orders."""
        away = [one for one in self.urls if not re.match(rf"(nats|tls)://([^/@]*@)?{LOOPBACK}", one)]
        if away and not (self.tls_ca and self.nkey_seed):
            raise ValueError(
                f"nodes.url {away[0]} is on another machine: it needs tls_ca and nkey_seed (docs/nodes.md)"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("nodes.tls_cert and nodes.tls_key belong together: one of them is not set")
        return self

    @property
    def urls(self) -> list[str]:
        """The servers of the bus."""
        return [one.strip() for one in self.url.split(",") if one.strip()]
