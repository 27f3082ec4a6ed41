"""Requests about an account's token: check it, renew it, or log in by PIN and TOTP for a new one.

PIN and TOTP travel in the query of one request. Nothing that is returned or raised here holds them, or a
token that is not wrapped: the body of the exchange is left out, and they are removed from the broker's text.
"""

from datetime import datetime
from urllib.parse import urlencode

from pydantic import SecretStr

from copytrade.brokers.api import Profile
from copytrade.brokers.dhan.decode import parse_json
from copytrade.brokers.dhan.json_values import Fields, UnreadableError, said_by_broker
from copytrade.brokers.dhan.responses import Answer, judge
from copytrade.brokers.dhan.rest import DhanRest
from copytrade.brokers.http.client import Lost, NotSent, Reply, Request, Transport
from copytrade.brokers.outcomes import Accepted, HttpExchange, Outcome, Refusal, Refused, Unknown
from copytrade.brokers.tokens.token import OF_ANOTHER, Source, Token, is_of_another, token_expiry
from copytrade.common.header_value import is_sendable
from copytrade.common.redaction import hide
from copytrade.common.totp import totp_code
from copytrade.core.model.orders import IST

#: The broker's message for a login too soon after another (seen in production, with HTTP 200).
_TOO_SOON = "once every"


class TokenRequests:
    """One account's requests about its token; each blocks until its outcome is known. One thread calls them."""

    def __init__(self, rest: Transport, auth: Transport, client_id: str) -> None:
        """``rest`` connects to the REST interface, ``auth`` to the login server."""
        self._transport = rest
        self._rest = DhanRest(rest, client_id)
        self._auth = auth
        self._client_id = client_id

    def check(self, token: SecretStr) -> Outcome[Profile]:
        """Read the profile: GET /profile. A token of another account is refused."""
        self._transport.take_token(token)
        profile = self._rest.profile()
        if isinstance(profile, Accepted) and profile.value.client_id != self._client_id:
            return Refused(Refusal.TOKEN, "", OF_ANOTHER, exchange=profile.exchange)
        return profile

    def renew(self, token: SecretStr) -> Outcome[Token]:
        """Renew a token: GET /RenewToken, which ends the old one at once (seen in production).

        It is documented only for tokens made on the broker's web site.
        """
        self._transport.take_token(token)
        request = Request("GET", "/RenewToken")
        sent = self._transport.send(request)
        answer = judge(request, sent)
        exchange = _bodiless(request, sent)
        match answer:
            case Refused(refusal, code, message):
                return Refused(refusal, code, message, exchange=exchange)
            case Unknown(cause):
                return Unknown(cause, exchange=exchange)
            case Answer(document):
                return self._read(document, Source.RENEWED, exchange)

    def log_in(self, pin: SecretStr, totp_secret: SecretStr, at: datetime) -> Outcome[Token]:
        """Get a token for PIN and TOTP: POST /app/generateAccessToken, at most once in two minutes.

        Errors come with HTTP 200 too, as {"status": "error", "message": "Invalid TOTP"} (seen in production). Whatever
        the broker answers with 2xx or 4xx that is not a token is a refusal.
        """
        totp = totp_code(totp_secret.get_secret_value(), at)
        for secret in (pin, totp_secret, SecretStr(totp)):  # the broker may say them back, at once or later
            hide(secret)
        query = urlencode({"dhanClientId": self._client_id, "pin": pin.get_secret_value(), "totp": totp})
        request = Request("POST", "/app/generateAccessToken", secret_query=SecretStr(query))
        sent = self._auth.send(request)
        exchange = _bodiless(request, sent)
        match sent:
            case NotSent(cause):
                return Refused(Refusal.NOT_SENT, "", cause, exchange=exchange)
            case Lost(cause):
                return Unknown(cause, exchange=exchange)
            case Reply(status, body):
                document = _parsed(body)
        if not 200 <= status <= 499:
            return Unknown(f"HTTP {status}", exchange=exchange)
        if 200 <= status <= 299 and isinstance(document, dict) and document.get("accessToken"):
            return self._read(document, Source.LOGIN, exchange)
        message = _message(document) or f"HTTP {status}"
        too_soon = status == 429 or _TOO_SOON in message.lower()
        return Refused(Refusal.RATE_LIMITED if too_soon else Refusal.OTHER, "", message, exchange=exchange)

    def close(self) -> None:
        """Close every connection; requests under way end as unknown."""
        self._auth.close()
        self._transport.close()

    def _read(self, document: object, source: Source, exchange: HttpExchange) -> Outcome[Token]:
        """Read a new token (``token`` in a renewal). The expiry in the token takes precedence over the reply's."""
        if not isinstance(document, dict):
            return Unknown("the reply is not an object", exchange=exchange)
        text = document.get("accessToken") or document.get("token")
        if not isinstance(text, str) or not is_sendable(text):
            return Unknown("the reply holds no token", exchange=exchange)
        secret = SecretStr(text)
        if is_of_another(secret, self._client_id):
            return Refused(Refusal.TOKEN, "", OF_ANOTHER, exchange=exchange)
        return Accepted(Token(secret, token_expiry(secret) or _expiry(document), source), exchange=exchange)


def _bodiless(request: Request, sent: Reply | NotSent | Lost) -> HttpExchange:
    """Return the exchange without the reply's body, which may hold a token."""
    status = None if isinstance(sent, NotSent) else sent.status
    return HttpExchange(request.method, request.path, "", status, "", sent.duration_ms)


def _expiry(document: dict[str, object]) -> datetime | None:
    """Return the expiry in a reply: ISO without a zone, Indian time."""
    try:
        said = datetime.fromisoformat(str(document.get("expiryTime")))
    except ValueError:
        return None
    return said.replace(tzinfo=IST) if said.tzinfo is None else said


def _parsed(body: bytes) -> object:
    try:
        return parse_json(body.decode())
    except ValueError:
        return None


def _message(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    fields = Fields(document)
    for key in ("message", "errormessage", "remarks"):
        try:
            if text := fields.text(key):
                return said_by_broker(text, 200)
        except UnreadableError:
            continue
    return ""
