"""Settings: one schema for everything that can be set, read from TOML, validated before anything starts.

``"${NAME}"`` in any string is taken from the environment or from a ``.env`` beside the settings. Unknown keys are
faults: a misspelt limit must not silently be no limit.
"""

import base64
import importlib.util
import os
import re
import tomllib
from datetime import time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    PlainValidator,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from copytrade.decisions import UnfilledAction
from copytrade.dhan.transport import is_sendable
from copytrade.market import load_market_hours
from copytrade.market_hours import MarketHoursUnusable
from copytrade.orders import AmoTime
from copytrade.protection import LossLimit, OnBreach
from copytrade.sizing import Strategy
from copytrade.wishes import MarketAs, StopMarketAs

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

#: Names of actors, which a follower cannot have: each follower is an actor too.
_RESERVED = (
    "leader",
    "store",
    "rate-limiter",
    "gap-recovery",
    "instruments",
    "notifier",
    "tokens",
    "supervisor",
    "total",
)


def _loss_limit(value: object) -> LossLimit:
    text = str(value).strip()
    try:
        amount = Decimal(text.removesuffix("%").strip())
    except InvalidOperation:
        amount = Decimal(0)
    is_percent = text.endswith("%")
    if not amount.is_finite() or amount <= 0 or (is_percent and amount > 100):
        raise ValueError('must be rupees, or percent of the start-of-day capital like "3%"')
    return LossLimit(amount, is_percent)


Loss = Annotated[LossLimit, PlainValidator(_loss_limit)]
#: Names that are compared whatever their case.
Names = Annotated[frozenset[str], AfterValidator(lambda names: frozenset(name.strip().upper() for name in names))]
Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Chance = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,32}$", coerce_numbers_to_str=True)]
#: A token travels over TLS, or stays on this machine.
_LOOPBACK = r"(127\.\d+\.\d+\.\d+|localhost|\[::1\])(:\d+)?(/|$)"
_LOCAL = f"https?://{_LOOPBACK}"
#: A proxy that opens tunnels; host and port are what it is reached by.
_PROXY = r"http://([^\s/?#@]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>\d{1,5}))?/?"
_HTTP, _FEED = f"^(https://|http://{_LOOPBACK})", f"^(wss://|ws://{_LOOPBACK})"
_FILE = f"{_HTTP}|^[^:]+$"
HttpUrl = Annotated[str, Field(pattern=_HTTP)]
FeedUrl = Annotated[str, Field(pattern=_FEED)]
HttpUrlOrFile = Annotated[str, Field(pattern=_FILE)]


#: Where Dhan lets requests be tried out.
_SANDBOX = "sandbox.dhan.co"


class SettingsUnusable(Exception):
    """The settings cannot be used; ``faults`` lists every reason, each beginning with the key it is about."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=True)


class Account(_Section):
    """How to act for one account at the broker: with a token that is given, or one had by PIN and TOTP, or either."""

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
        """Refuse an account with two addresses: the broker sees one."""
        if self.source_address is not None and self.proxy is not None:
            raise ValueError("has a source_address and a proxy: one of them is what the broker sees, name that one")
        return self

    @property
    def way_out(self) -> str:
        """What decides at which address the broker sees the account, "" for the system's own choice; may be secret."""
        if self.proxy is not None:
            return self.proxy.get_secret_value()
        return "" if self.source_address is None else str(self.source_address)

    @property
    def shown_way_out(self) -> str:
        """The same, as it may be shown."""
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
        """Take the secret as it is shown, in groups or not."""
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


class Copying(_Section):
    """The keys of [copy], each of which a follower may set for itself."""

    enabled: bool = True
    sizing: Strategy = Strategy.CAPITAL_PROPORTIONAL
    ratio: Positive = Decimal(1)
    lots: int = Field(default=1, ge=1)
    capital: Literal["sod"] | Positive = "sod"
    risk_percent: Annotated[Decimal, Field(gt=0, le=100)] = Decimal(1)
    instruments: frozenset[str] = Field(default=frozenset({"OPTIDX", "OPTSTK"}), min_length=1)
    max_lots: int | None = Field(default=None, ge=1)
    max_order_value: Positive | None = None
    late_after: Seconds = 5.0
    max_missed_age: Seconds = 3600.0
    max_price_deviation: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(2)
    amo_time: AmoTime = AmoTime.OPEN
    market_as: MarketAs = MarketAs.MARKET
    market_protection_percent: Percent = Decimal(5)
    stop_market_as: StopMarketAs = StopMarketAs.STOP_LIMIT
    stop_limit_percent: Percent = Decimal(5)
    unfilled_after: Seconds = 60.0
    unfilled_action: UnfilledAction = UnfilledAction.CANCEL
    unfilled_exit_action: UnfilledAction = UnfilledAction.REPRICE
    dry_run: bool = False
    max_daily_loss: Loss | None = None
    on_breach: OnBreach = OnBreach.CLOSE_ONLY
    max_open_lots: int | None = Field(default=None, ge=1)
    max_orders_per_day: int | None = Field(default=None, ge=1)
    allowed: Names = frozenset()
    blocked: Names = frozenset()
    trade_from: time | None = None
    trade_until: time | None = None

    @model_validator(mode="after")
    def _window_is_open_some_time(self) -> Self:
        """Refuse a window in which nothing could ever be entered."""
        ends = [moment for moment in (self.trade_from, self.trade_until) if moment is not None]
        if any(moment.tzinfo is not None for moment in ends):
            raise ValueError("trade_from and trade_until are times of day in India, like 09:20, without a zone")
        if len(ends) == 2 and ends[0] >= ends[1]:
            raise ValueError("trade_from must be before trade_until")
        return self


class Follower(Account, Copying):
    """One follower: its account, whose it is, and how it copies.

    ``relationship`` is the account holder's to whoever runs this; ``acknowledged`` says that the law has been read.
    """

    name: Name
    relationship: Literal["self", "spouse", "child", "parent", "other"] = "self"
    acknowledged: bool = False

    @model_validator(mode="after")
    def _others_are_acknowledged(self) -> Self:
        if self.relationship == "other" and not self.acknowledged:
            raise ValueError(
                f'follower {self.name} has relationship = "other": copying into the account of somebody outside your'
                ' immediate family may be against the law; read "The law" in README.md, and set acknowledged = true if'
                " you still want to"
            )
        return self


class Dhan(_Section):
    """Where the broker is, how patient to be with it, and whether it is asked about the accounts before copying."""

    rest_url: HttpUrl = "https://api.dhan.co/v2"
    feed_url: FeedUrl = "wss://api-order-update.dhan.co"
    auth_url: HttpUrl = "https://auth.dhan.co"
    instruments_at: time = time(8, 30)
    instruments_url: HttpUrlOrFile = "https://images.dhan.co/api-data/api-scrip-master.csv"
    request_timeout: Seconds = 5.0
    connect_timeout: Seconds = 3.0
    connections: int = Field(default=4, ge=1, le=16)
    check: bool = True


class Tokens(_Section):
    """When a token is replaced and warned about before its end, how often that is tried at most, in seconds.

    ``keyring``: whether tokens are kept in the operating system's keyring, and not in a file beside the database.
    """

    renew_before: Seconds = 7200.0
    warn_before: Seconds = 28800.0
    attempt_interval: Seconds = 120.0
    keyring: bool = False

    @field_validator("keyring")
    @classmethod
    def _keyring_is_there(cls, keyring: bool) -> bool:
        if keyring and importlib.util.find_spec("keyring") is None:
            raise ValueError("needs the package keyring: pip install keyring")
        return keyring


class Limits(_Section):
    """The broker's order budget of one account: requests in each window, the day's until midnight in India.

    ``reserve_percent`` of all but the second's is kept from entries, so that a follower can always get out.
    """

    per_second: int = Field(default=10, ge=1)
    per_minute: int = Field(default=250, ge=1)
    per_hour: int = Field(default=1000, ge=1)
    per_day: int = Field(default=7000, ge=1)
    reserve_percent: int = Field(default=10, ge=0, le=90)


class Market(_Section):
    """When late copies may go out, and how large one order may be.

    ``hours``: whether the exchange's sessions bind late copies; ``always`` for a test on a holiday. ``calendar`` names
    a file of corrections to the market hours, ``freeze`` corrects freeze quantities by underlying.
    """

    hours: Literal["exchange", "always"] = "exchange"
    calendar: str | None = None
    freeze: dict[str, Annotated[int, Field(ge=1)]] = {}

    @field_validator("calendar")
    @classmethod
    def _calendar_is_usable(cls, calendar: str | None) -> str | None:
        if calendar is not None:
            try:
                load_market_hours(Path(calendar))
            except MarketHoursUnusable as error:
                raise ValueError(str(error)) from None
        return calendar


class Supervision(_Section):
    """How often an actor may be restarted, and how long to wait in between, in seconds."""

    max_restarts: int = Field(default=5, ge=0)
    window: Seconds = 60.0
    backoff: Seconds = 0.25
    backoff_max: Seconds = 30.0
    hang_after: Seconds = 5.0
    quarantine_retry: Seconds = 300.0


class Recovery(_Section):
    """How what was missed is found. ``start_from``: what the first start with a database copies of the day so far."""

    audit_interval: Seconds = 60.0
    absence_window: Annotated[float, Field(ge=0)] = 10.0
    result_interval: Seconds = 10.0
    start_from: Literal["now", "today"] = "now"


class Storage(_Section):
    """Where everything is kept: a file of SQLite's, and how many copies of it, one a stop."""

    database: str = Field(default="copy_trading.db", min_length=1)
    synchronous: Literal["full", "normal"] = "full"
    backups: int = Field(default=7, ge=0)


class Speed(_Section):
    """What is done for the first order after a pause: disk and caches are kept ready, every so many seconds."""

    ready_every: Annotated[float, Field(ge=0, le=60)] = 0.015


class Alerts(_Section):
    """Whom to tell, as apprise URLs; one alert of a kind and a follower in ``cooldown`` seconds."""

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


class Log(_Section):
    """What is logged, and where."""

    file: str = "copy_trading.log"
    json_lines: bool = Field(default=False, alias="json")
    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    status_interval: Seconds = 30.0


class Paper(_Section):
    """The embedded broker of paper mode. ``funds`` are rupees by follower name, ``leader`` for the leader.

    How often a fill is partial and an order of a follower's is rejected, and how much of the time an instrument is
    halted: from 0 to 1. With ``failures`` one follower crashes once and another hangs once.
    """

    seed: int = 1
    speed: Seconds = 1.0
    scripted: bool = True
    failures: bool = True
    partial_fills: Chance = 0.3
    rejections: Chance = 0.0
    halts: Annotated[float, Field(ge=0, lt=1)] = 0.0
    default_funds: Positive = Decimal(1_000_000)
    funds: dict[str, Positive] = {}


class Settings(_Section):
    """Everything that can be set."""

    mode: Literal["paper", "sandbox", "live"] = "paper"
    leader: Account
    followers: tuple[Follower, ...]
    copying: Copying = Field(default=Copying(), alias="copy")
    dhan: Dhan = Dhan()
    tokens: Tokens = Tokens()
    limits: Limits = Limits()
    market: Market = Market()
    supervision: Supervision = Supervision()
    recovery: Recovery = Recovery()
    store: Storage = Storage()
    speed: Speed = Speed()
    alerts: Alerts = Alerts()
    log: Log = Log()
    paper: Paper = Paper()

    @model_validator(mode="before")
    @classmethod
    def _followers_inherit(cls, raw: Any) -> Any:
        """Give each follower the keys of [copy] that it does not set itself."""
        if not isinstance(raw, dict) or not isinstance(raw.get("copy", {}), dict):
            return raw
        shared = {key: value for key, value in raw.get("copy", {}).items() if key in Copying.model_fields}
        followers = raw.get("followers")
        if not isinstance(followers, list):
            return raw
        inherited = [shared | follower if isinstance(follower, dict) else follower for follower in followers]
        return raw | {"followers": inherited}

    @model_validator(mode="after")
    def _one_client_each(self) -> Self:
        """Refuse an account that would copy itself, or be copied to twice."""
        seen = {self.leader.client_id: "the leader"}
        names = set(_RESERVED)
        faults = [] if self.followers else ["there is no [[followers]] block: nobody to copy to"]
        for follower in self.followers:
            if other := seen.get(follower.client_id):
                faults.append(f"follower {follower.name} has the same client_id as {other}")
            if follower.name.casefold() in names or follower.name.casefold().startswith("feed-"):
                faults.append(f"follower {follower.name}: that name is taken")
            seen[follower.client_id] = f"follower {follower.name}"
            names.add(follower.name.casefold())
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_validator(mode="after")
    def _requests_go_where_the_mode_says(self) -> Self:
        """Refuse a rehearsal with the real broker, and real orders that would go to the sandbox."""
        host = urlsplit(self.dhan.rest_url).hostname
        if self.mode == "sandbox" and host != _SANDBOX and not re.match(_LOCAL, self.dhan.rest_url):
            raise ValueError(f'mode "sandbox" needs dhan.rest_url = "https://{_SANDBOX}/v2", not {host}')
        if self.mode == "sandbox" and (without := [one.name for one in self.followers if one.access_token is None]):
            raise ValueError(f"the sandbox knows no PIN: {', '.join(without)} needs an access_token from it")
        if self.mode == "live" and host == _SANDBOX:
            raise ValueError('dhan.rest_url is the sandbox, which needs mode = "sandbox"')
        return self

    @model_validator(mode="after")
    def _tokens_stay_here(self) -> Self:
        """Refuse a proxy elsewhere on the way to a broker that is spoken to in plain text."""
        if self.dhan.rest_url.startswith("http://"):
            for account in (self.leader, *self.followers):
                proxy = account.proxy.get_secret_value() if account.proxy else None
                if proxy and not re.match(rf"http://([^/]*@)?{_LOOPBACK}", proxy):
                    raise ValueError(
                        f"a proxy of client {account.client_id} would be sent the access token unencrypted: it has to"
                        " be on this machine, as the broker is"
                    )
        return self


def load_settings(path: Path) -> Settings:
    """Read and validate a settings file. Raises SettingsUnusable with every fault at once."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnusable([f"{path}: cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsUnusable([f"{path}: is not valid TOML: {error}"]) from None
    environment = {**dotenv_values(path.parent / ".env"), **os.environ}
    faults: list[str] = []
    raw = _resolve(raw, environment, "", faults)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        faults += [
            fault
            for problem in error.errors(include_url=False, include_input=False, include_context=False)
            if (fault := f"{_key(problem['loc'])}: {_say(problem['msg'])}").split(":")[0] not in _unresolved(faults)
        ]
        raise SettingsUnusable(faults) from None
    if faults:
        raise SettingsUnusable(faults)
    return settings


def _resolve(value: Any, environment: dict[str, str | None], key: str, faults: list[str]) -> Any:
    match value:
        case dict():
            inside = f"{key}." if key else ""
            return {name: _resolve(item, environment, f"{inside}{name}", faults) for name, item in value.items()}
        case list():
            return [_resolve(item, environment, f"{key}[{index}]", faults) for index, item in enumerate(value)]
        case str():
            for name in _REFERENCE.findall(value):
                if not environment.get(name):
                    faults.append(f"{key}: ${{{name}}} is set neither in the environment nor in .env")
            return _REFERENCE.sub(lambda match: environment.get(match[1]) or "", value)
        case _:
            return value


def _unresolved(faults: list[str]) -> set[str]:
    return {fault.split(":")[0] for fault in faults}


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        elif part not in ("decimal", "literal['sod']", "constrained-decimal"):
            key += f".{part}" if key else part
    return key or "settings"


def _say(message: str) -> str:
    """Put pydantic's words into a settings file's."""
    return {
        "Extra inputs are not permitted": "is not a setting",
        "Field required": "is missing",
        f"String should match pattern '{_HTTP}'": "must be an https URL; plain http is for this machine alone",
        f"String should match pattern '{_FEED}'": "must be a wss URL; plain ws is for this machine alone",
        f"String should match pattern '{_FILE}'": "must be an https URL or a file; http is for this machine alone",
    }.get(message, message.removeprefix("Value error, "))
