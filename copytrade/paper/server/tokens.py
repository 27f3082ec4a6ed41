"""The accounts' access tokens at the paper broker: one per account, for a day; a new one ends the old one."""

import base64
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from copytrade.common.totp import totp_code
from copytrade.paper.exchange.matching import PaperAccount
from copytrade.paper.exchange.orders import Refusal
from copytrade.paper.server.wire import IST

#: Lifetime of a token, and the minimum time between two logins.
LIFETIME, BETWEEN_LOGINS = timedelta(hours=24), timedelta(minutes=2)

#: The refusal of an unknown or expired token.
EXPIRED = Refusal(
    401, "DH-901", "Invalid_Authentication", "Client ID or user generated access token is invalid or expired."
)

#: The refusal of a token that a newer one has ended (seen in production).
ENDED = Refusal(400, "DH-906", "Order_Error", "Invalid Token")

_NOT_RENEWABLE = Refusal(400, "DH-905", "Input_Exception", "Token can not be renewed")


class LoginRefused(Exception):
    """A login was refused; the message is the broker's."""


@dataclass(frozen=True, slots=True)
class LoginAttempt:
    """A requested login or renewal: its time, which of the two, and the error, "" for none."""

    at: datetime
    kind: str
    refused: str


@dataclass(slots=True)
class _Issued:
    token: str
    until: datetime
    from_web: bool


class Tokens:
    """The tokens of all accounts. Runs on the server's loop."""

    def __init__(self, accounts: Iterable[PaperAccount], now: Callable[[], datetime]) -> None:
        self._now = now
        self._accounts = {account.client_id: account for account in accounts}
        self._pins = {account.client_id: account.pin for account in self._accounts.values()}
        self._current: dict[str, _Issued] = {}
        self._owners: dict[str, str] = {}
        self._number = 0
        self.attempts: defaultdict[str, list[LoginAttempt]] = defaultdict(list)
        self.between_logins = BETWEEN_LOGINS
        for account in self._accounts.values():
            if account.access_token:
                self.replace(account.client_id, account.access_token)

    def owner(self, token: str) -> str:
        """Return the client id of a valid token. Raises Refusal."""
        client_id = self._owners.get(token)
        current = self._current.get(client_id or "")
        if client_id is None or current is None:
            raise EXPIRED if client_id is None else ENDED
        if current.token != token:
            raise ENDED
        if current.until <= self._now():
            raise EXPIRED
        return client_id

    def works(self, client_id: str, token: str) -> bool:
        """Whether an account's token is valid."""
        try:
            return self.owner(token) == client_id
        except Refusal:
            return False

    def valid_until(self, client_id: str) -> datetime:
        """Return when an account's token expires."""
        return self._current[client_id].until

    def replace(self, client_id: str, token: str = "", lives: timedelta = LIFETIME, *, from_web: bool = True) -> str:
        """Give an account a new token, as made on the web site; return it."""
        until = self._now() + lives
        token = token or self._new(client_id, until)
        self._current[client_id] = _Issued(token, until, from_web)
        self._owners[token] = client_id
        return token

    def revoke(self, client_id: str) -> None:
        """End an account's token, as if another tool had made one."""
        self._current.pop(client_id, None)

    def shorten(self, client_id: str, lives: timedelta) -> None:
        """Let an account's token expire after a time, or now."""
        self._current[client_id].until = self._now() + lives

    def pass_night(self) -> None:
        """Move the clock by a day: no token expires by that."""
        before = self._now
        self._now = lambda: before() + timedelta(days=1)
        for issued in self._current.values():
            issued.until += timedelta(days=1)

    def change_pin(self, client_id: str, pin: str) -> None:
        """Change the PIN of an account."""
        self._pins[client_id] = pin

    def renew(self, token: str) -> Mapping[str, object]:
        """Answer GET /RenewToken. Raises Refusal."""
        client_id = self.owner(token)
        if not self._current[client_id].from_web:
            self._note(client_id, "renewal", _NOT_RENEWABLE.message)
            raise _NOT_RENEWABLE
        renewed = self.replace(client_id)
        self._note(client_id, "renewal", "")
        return {"createTime": _local(self._now()), "expiryTime": _local(self.valid_until(client_id)), "token": renewed}

    def log_in(self, client_id: str, pin: str, totp: str) -> Mapping[str, object]:
        """Answer POST /app/generateAccessToken. Raises LoginRefused."""
        account = self._accounts.get(client_id)
        refused = "Invalid Client ID" if account is None else self._objection(account, pin, totp)
        if account is None or refused:
            self._note(client_id, "login", refused)
            raise LoginRefused(refused)
        token = self.replace(client_id, from_web=False)
        self._note(client_id, "login", "")
        return {
            "dhanClientId": client_id,
            "dhanClientName": account.name or "PAPER",
            "dhanClientUcc": "",
            "givenPowerOfAttorney": False,
            "accessToken": token,
            "expiryTime": _local(self.valid_until(client_id)),
        }

    def _objection(self, account: PaperAccount, pin: str, totp: str) -> str:
        last = max(
            (one.at for one in self.attempts[account.client_id] if one.kind == "login" and not one.refused),
            default=None,
        )
        if last is not None and self._now() - last < self.between_logins:
            return "Token can be generated once every 2 minutes."
        if not account.totp_secret or pin != self._pins[account.client_id]:
            return "Invalid Pin"
        if totp not in (totp_code(account.totp_secret, self._now() + timedelta(seconds=late)) for late in (0, -30, 30)):
            return "Invalid TOTP"
        return ""

    def _note(self, client_id: str, kind: str, refused: str) -> None:
        self.attempts[client_id].append(LoginAttempt(self._now(), kind, refused))

    def _new(self, client_id: str, until: datetime) -> str:
        """Return a token like the broker's: a JWT, whose signature is not checked."""
        self._number += 1
        claims = {
            "iss": "dhan",
            "exp": int(until.timestamp()),
            "tokenConsumerType": "SELF",
            "dhanClientId": client_id,
            "number": self._number,
        }
        return ".".join([*(_encoded(part) for part in ({"typ": "JWT", "alg": "HS512"}, claims)), "paper"])


def _encoded(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def _local(moment: datetime) -> str:
    """Return a time in the broker's format: India's, without a zone."""
    return moment.astimezone(IST).replace(tzinfo=None).isoformat(timespec="milliseconds")
