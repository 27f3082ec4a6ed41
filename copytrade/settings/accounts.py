"""The accounts: the leader's and the followers'."""

import base64
import re
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyAddress, SecretStr, field_validator, model_validator

from copytrade.common.header_value import is_sendable
from copytrade.settings.copying import Copying
from copytrade.settings.values import ClientId, Name, Section

#: The URL of a proxy that opens tunnels: host and port, with or without user and password.
_PROXY = r"http://([^\s/?#@]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?/?"


class Account(Section):
    """One account at the broker, with its credentials: a given token, or PIN and TOTP secret, or both."""

    broker: str = "dhan"
    client_id: ClientId
    access_token: SecretStr | None = Field(default=None, min_length=1)
    pin: SecretStr | None = None
    totp_secret: SecretStr | None = None
    source_address: IPvAnyAddress | None = None
    proxy: SecretStr | None = None

    @field_validator("proxy")
    @classmethod
    def _proxy_is_usable(cls, proxy: SecretStr | None) -> SecretStr | None:
        found = None if proxy is None else re.fullmatch(_PROXY, proxy.get_secret_value())
        if proxy is not None and (found is None or int(found["port"] or 80) > 65535):
            raise ValueError("must be a URL like http://proxy.example:3128, with user:password@ if it wants them")
        return proxy

    @model_validator(mode="after")
    def _one_way_out(self) -> Self:
        """Refuse an account with both a source address and a proxy: the broker sees one address."""
        if self.source_address is not None and self.proxy is not None:
            raise ValueError("has a source_address and a proxy: one of them is what the broker sees, name that one")
        return self

    @property
    def way_out(self) -> str:
        """The proxy or source address of the account, "" for the system's choice. It may hold a secret."""
        if self.proxy is not None:
            return self.proxy.get_secret_value()
        return "" if self.source_address is None else str(self.source_address)

    @property
    def shown_way_out(self) -> str:
        """The same without secrets."""
        if self.proxy is not None:
            return f"the proxy {self.way_out.rpartition('@')[2].removeprefix('http://').rstrip('/')}"
        return self.way_out or "this machine's own"

    @field_validator("access_token")
    @classmethod
    def _token_can_be_sent(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not is_sendable(token.get_secret_value()):
            raise ValueError("must be printable ASCII without spaces")
        return token

    @field_validator("pin")
    @classmethod
    def _pin_is_one(cls, pin: SecretStr | None) -> SecretStr | None:
        if pin is not None and not re.fullmatch(r"[0-9]{4,8}", pin.get_secret_value()):
            raise ValueError("must be digits")
        return pin

    @field_validator("totp_secret")
    @classmethod
    def _totp_secret_is_one(cls, secret: SecretStr | None) -> SecretStr | None:
        """Accept a TOTP secret in groups or without spaces."""
        if secret is None:
            return None
        compact = secret.get_secret_value().replace(" ", "").upper().rstrip("=")
        try:
            base64.b32decode((compact or "empty") + "=" * (-len(compact) % 8))
        except ValueError:
            fault = "must be the secret that the broker shows beside its QR code: letters and digits 2 to 7"
            raise ValueError(fault) from None
        return SecretStr(compact)

    @model_validator(mode="after")
    def _has_a_way_to_a_token(self) -> Self:
        if (self.pin is None) != (self.totp_secret is None):
            raise ValueError("pin and totp_secret go together")
        if self.access_token is None and self.pin is None:
            raise ValueError("access_token is missing, or pin and totp_secret to get one with")
        return self


class Leader(Account):
    """An account that is copied. ``name`` is what messages, tables, logs and reports call it."""

    name: Name = "leader"


class Follower(Account, Copying):
    """One follower: its account, its holder, and how it copies.

    ``leaders`` are the names of those whom it follows, None for all. ``of`` says by name how a leader is copied who is
    not copied as the others: all keys of copying, those of the follower where the block does not set them.
    ``relationship`` is that of the account's holder to the operator; ``acknowledged`` says that the operator has read
    the law. ``homes`` are the nodes that should trade it, the first before the others.
    """

    name: Name
    relationship: Literal["self", "spouse", "child", "parent", "other"] = "self"
    acknowledged: bool = False
    leaders: Annotated[tuple[Name, ...] | None, Field(min_length=1)] = None
    of: dict[Name, Copying] = Field(default_factory=dict)
    homes: tuple[Name, ...] = ()

    def copying_of(self, leader: str) -> Copying:
        """Return how a leader is copied."""
        return self.of.get(leader, self)

    @property
    def all_copying(self) -> "tuple[Copying, ...]":
        """How anybody is copied."""
        return (self, *self.of.values())

    @model_validator(mode="after")
    def _others_are_acknowledged(self) -> Self:
        if self.relationship == "other" and not self.acknowledged:
            raise ValueError(
                f'follower {self.name} has relationship = "other": copying into the account of somebody outside your'
                ' immediate family may be against the law; read "The law" in README.md, and set acknowledged = true if'
                " you still want to"
            )
        return self
