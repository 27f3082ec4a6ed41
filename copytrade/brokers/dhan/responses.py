"""The meaning of a reply: the promised document, a refusal, or unknown.

Codes and shapes are those of the broker's documentation and of replies seen in production. The code alone is not
enough: a revoked token comes as an order error and a wrong address as a validation error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from copytrade.brokers.dhan.decode import parse_json
from copytrade.brokers.dhan.json_values import LONGEST, excerpt_of, said_by_broker
from copytrade.brokers.http.client import Lost, NotSent, Reply, Request
from copytrade.brokers.outcomes import RESPONSE_TEXT_LIMIT, HttpExchange, Refusal, Refused, Unknown
from copytrade.common.redaction import payload_without_secrets

_REFUSALS = {
    "DH-901": Refusal.TOKEN,
    "DH-902": Refusal.ACCOUNT,
    "DH-903": Refusal.ACCOUNT,
    "DH-904": Refusal.RATE_LIMITED,
    "DH-905": Refusal.VALIDATION,
    "DH-906": Refusal.ORDER,
    "DH-911": Refusal.ADDRESS,
    "805": Refusal.RATE_LIMITED,
    "807": Refusal.TOKEN,
    "808": Refusal.TOKEN,
    "809": Refusal.TOKEN,
    "810": Refusal.TOKEN,
}

#: Codes of the broker's internal errors: the outcome of the request is unknown.
_TROUBLE = frozenset({"DH-908", "DH-909", "800"})

_ROWS = msgspec.json.Decoder(list[msgspec.Raw])

_NO_CODE = frozenset({"", "0", "None", "NA"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete reply 2xx. ``document`` is its JSON; ``empty`` is set if there was no body."""

    document: object
    empty: bool
    exchange: HttpExchange


@dataclass(frozen=True, slots=True)
class _BrokerError:
    code: str
    message: str


def judge(request: Request, sent: Reply | NotSent | Lost) -> Answer | Refused | Unknown:
    """Return the outcome of a request, as far as it does not depend on its kind."""
    exchange = exchange_of(request, sent)
    match sent:
        case NotSent(cause):
            return Refused(Refusal.NOT_SENT, "", cause, exchange=exchange)
        case Lost(cause):
            return Unknown(cause, exchange=exchange)
        case Reply(status, body):
            return _judge_reply(status, body, exchange)


def exchange_of(request: Request, sent: Reply | NotSent | Lost) -> HttpExchange:
    """Return the request and its reply for the audit trail."""
    return HttpExchange(
        method=request.method,
        path=request.path,
        payload_json=request.payload_json,
        status=None if isinstance(sent, NotSent) else sent.status,
        response_text=_beginning(sent.body) if isinstance(sent, Reply) else "",
        duration_ms=sent.duration_ms,
    )


def _beginning(body: bytes) -> str:
    """Return the beginning of a reply. Secrets are removed first from a longer one, so that the cut leaves no half."""
    if len(body) <= RESPONSE_TEXT_LIMIT:
        return body.decode(errors="replace")
    return payload_without_secrets(body[:LONGEST].decode(errors="replace"))[:RESPONSE_TEXT_LIMIT]


def rows_of(sent: Reply | NotSent | Lost) -> Sequence[msgspec.Raw]:
    """Return the rows of a success, not decoded; nothing for fewer than two, which may be an error.

    A row may still be invalid JSON: its texts and numbers have not been checked.
    """
    if not isinstance(sent, Reply) or not 200 <= sent.status <= 299:
        return ()
    try:
        rows = _ROWS.decode(sent.body)
    except (msgspec.MsgspecError, RecursionError):
        return ()
    return rows if len(rows) > 1 else ()


def _judge_reply(status: int, body: bytes, exchange: HttpExchange) -> Answer | Refused | Unknown:
    document, is_json = _parse(body)
    error = _broker_error(document)
    code, message = (error.code, error.message) if error else ("", f"HTTP {status}")
    if 200 <= status <= 299:
        return _judge_success(document, is_json, error, exchange)
    # Both are given before a request is looked at, by whatever stands in front of the broker too.
    if status == 429:
        return Refused(Refusal.RATE_LIMITED, code, message, exchange=exchange)
    if status == 401:
        is_address = error is not None and _refusal(error) is Refusal.ADDRESS
        return Refused(Refusal.ADDRESS if is_address else Refusal.TOKEN, code, message, exchange=exchange)
    if not 400 <= status <= 499 or error is None or code in _TROUBLE:
        return Unknown(f"HTTP {status} {code} {message}" if error else f"HTTP {status}", exchange=exchange)
    return Refused(_refusal(error), code, message, exchange=exchange)


def _judge_success(
    document: object, is_json: bool, error: _BrokerError | None, exchange: HttpExchange
) -> Answer | Refused | Unknown:
    if error is not None:
        single = _single(document)
        if error.code in _TROUBLE or (isinstance(single, dict) and single.get("orderId")):
            return Unknown(f"a success that says {error.code} {error.message}", exchange=exchange)
        return Refused(_refusal(error), error.code, error.message, exchange=exchange)
    if is_json:
        return Answer(document, empty=False, exchange=exchange)
    if not exchange.response_text.strip():
        return Answer(None, empty=True, exchange=exchange)
    return Unknown("the reply is not JSON", exchange=exchange)


def _parse(body: bytes) -> tuple[object, bool]:
    try:
        return parse_json(body.decode()), True
    except ValueError:
        return None, False


def _broker_error(document: object) -> _BrokerError | None:
    """Return the error in a document: alone or first in a list, in any of the known shapes."""
    document = _single(document)
    if not isinstance(document, dict):
        return None
    for code_key, message_key in (("errorCode", "errorMessage"), ("internalErrorCode", "internalErrorMessage")):
        code = _word(document.get(code_key))
        if code not in _NO_CODE:
            message = document.get(message_key) or document.get("errorMessage") or document.get("message")
            return _BrokerError(code, said_by_broker(message or "", 500))
    # The shape of the data interfaces: the code is the key of the only entry.
    nested = document.get("data")
    if document.get("status") in ("failed", "failure") and isinstance(nested, dict):
        for code, message in nested.items():
            return _BrokerError(_word(code), said_by_broker(message, 500))
    return None


def _single(document: object) -> object:
    """Return the element of a list of one, anything else unchanged."""
    return document[0] if isinstance(document, list) and len(document) == 1 else document


def _word(value: object) -> str:
    return excerpt_of(value, 40).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _refusal(error: _BrokerError) -> Refusal:
    message = error.message.lower()
    if "invalid token" in message:
        return Refusal.TOKEN
    if "invalid ip" in message:
        return Refusal.ADDRESS
    return _REFUSALS.get(error.code, Refusal.OTHER)
