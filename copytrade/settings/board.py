"""The board: where it listens, what it allows, and what protects it."""

import ipaddress
import re
from typing import Self

from pydantic import SecretStr, field_validator, model_validator

from copytrade.settings.values import Section

#: A host or an IP address, IPv6 in brackets; and with a port.
_HOST = r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]"
_LISTEN = rf"({_HOST}):(?P<port>\d{{1,5}})"

#: A password as ``run.py board --hash`` prints it.
_HASH = re.compile(r"scrypt:\d{1,2}:\d{1,2}:\d{1,2}:[0-9a-f]{32}:[0-9a-f]{64}")


class Board(Section):
    """The web page and HTTP interface. ``controls`` allows changes; ``open_metrics`` lets everybody read /metrics.

    ``allowed_hosts`` are more names under which browsers may reach it.
    """

    enabled: bool = True
    listen: str = "127.0.0.1:8300"
    controls: bool = True
    allowed_hosts: tuple[str, ...] = ()
    open_metrics: bool = False
    password_hash: SecretStr | None = None
    tls_cert: str | None = None
    tls_key: str | None = None

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, listen: str) -> str:
        found = re.fullmatch(_LISTEN, listen)
        if found is None or int(found["port"]) > 65535:
            raise ValueError("must be an address and a port up to 65535, like 127.0.0.1:8300")
        return listen

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_are_names(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not re.fullmatch(_HOST, host):
                raise ValueError(f"{host} is no host: name it without scheme and port, like board.example.com")
        return tuple(host.lower() for host in hosts)

    @field_validator("password_hash")
    @classmethod
    def _hash_is_one(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _HASH.fullmatch(value.get_secret_value()):
            raise ValueError("must be what `run.py board --hash` prints")
        return value

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        """Refuse to be reached from other machines without a password and encryption."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.host in ("0.0.0.0", "::") and not self.allowed_hosts:  # noqa: S104 (it asks for more)
            raise ValueError(f"listen {self.listen} is every address: allowed_hosts has to say its names")
        if not self.is_on_loopback:
            needed = {"password_hash": self.password_hash, "tls_cert": self.tls_cert, "tls_key": self.tls_key}
            if missing := [key for key, value in needed.items() if value is None]:
                raise ValueError(f"listen {self.listen} can be reached from other machines: needs {', '.join(missing)}")
        return self

    @property
    def host(self) -> str:
        """The host that it listens on, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]").lower()

    @property
    def port(self) -> int:
        """The port that it listens on, 0 for any that is free."""
        return int(self.listen.rpartition(":")[2])

    @property
    def is_on_loopback(self) -> bool:
        """Whether this machine alone can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
