"""What each class of refusal means for the order, the account and the budget: the table of docs/reliability.md."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from unittest.mock import Mock

import pytest

from actors.follower.messages import RequestFinished
from actors.follower.parts.in_flight import Flight
from actors.follower.parts.outcomes import Outcomes
from actors.messages.permits import PermitId
from copytrade.brokers.outcomes import HttpExchange, Refusal, Refused, Unknown
from copytrade.core.decide.decisions import Action, Cancel, Modify, Place
from copytrade.core.model.copies import Stage
from copytrade.core.model.lane import Lane
from copytrade.core.model.orders import Order, Status
from tests.core.account import Account
from tests.core.orders import NOW, an_order

EXCHANGE = HttpExchange("POST", "/orders", "", 400, "", 1.0)

Outcome = Refused | Unknown


class Meaning(NamedTuple):
    """What is asked of the account; and by kind of request the stage of the copy, and seconds until the next try."""

    account: str
    place: tuple[Stage, float | None]
    modify: tuple[Stage, float | None]
    cancel: tuple[Stage, float | None]


def refused(refusal: Refusal, code: str) -> Refused:
    return Refused(refusal, code, "in the broker's words", exchange=EXCHANGE)


def of_the_account(what: str) -> Meaning:
    return Meaning(what, (Stage.NONE, 0.0), (Stage.LIVE, 0.0), (Stage.LIVE, 0.0))


NOT_SENT = Meaning("", (Stage.NONE, 1.0), (Stage.LIVE, 1.0), (Stage.LIVE, 1.0))
REFUSED = Meaning("", (Stage.ENDED, None), (Stage.LIVE, 1.0), (Stage.UNKNOWN, 1.0))
IN_DOUBT = Meaning("", (Stage.UNKNOWN, None), (Stage.UNKNOWN, 1.0), (Stage.UNKNOWN, 1.0))

MEANINGS: dict[str, tuple[Outcome, Meaning]] = {
    "not sent": (refused(Refusal.NOT_SENT, ""), NOT_SENT),
    "rate limited": (refused(Refusal.RATE_LIMITED, "DH-904"), of_the_account("back_off")),
    "token": (refused(Refusal.TOKEN, "DH-901"), of_the_account("doubt_token")),
    "address": (refused(Refusal.ADDRESS, "DH-911"), of_the_account("suspend")),
    "account": (refused(Refusal.ACCOUNT, "DH-903"), of_the_account("suspend")),
    "validation": (refused(Refusal.VALIDATION, "DH-905"), REFUSED),
    "order": (refused(Refusal.ORDER, "DH-906"), REFUSED),
    "other": (refused(Refusal.OTHER, "DH-910"), REFUSED),
    "internal": (Unknown("HTTP 500 DH-908", exchange=EXCHANGE), IN_DOUBT),
    "unknown": (Unknown("no answer", exchange=EXCHANGE), IN_DOUBT),
}


def before(kind: type[Action]) -> tuple[Account, Order, Action]:
    """Return an account in which a request of a kind has just been begun."""
    account = Account(lambda _: "accepted")
    if kind is not Place:
        account.leader()
    changes: dict[type[Action], dict[str, Any]] = {
        Place: {},
        Modify: {"status": Status.MODIFIED, "price": Decimal(99)},
        Cancel: {"status": Status.CANCELLED},
    }
    account.engine.leader_changed(an_order(**changes[kind]), None)
    account.engine.scheduler.consider(account.now)
    picked = account.engine.scheduler.pick(account.now)
    assert picked is not None
    account.engine.begin(*picked, account.now)
    return account, *picked


@pytest.mark.parametrize("kind", [Place, Modify, Cancel])
@pytest.mark.parametrize(("outcome", "meaning"), MEANINGS.values(), ids=MEANINGS)
def test_each_class_of_refusal_has_one_meaning(kind: type[Action], outcome: Outcome, meaning: Meaning) -> None:
    account, leader, action = before(kind)
    stage, again = {Place: meaning.place, Modify: meaning.modify, Cancel: meaning.cancel}[kind]
    standing, in_flight, permits = Mock(), Mock(), Mock()
    flight = Flight(leader, action, PermitId(1, 1), 0.0, 0.0, Lane.ENTRY, sent=True)
    in_flight.get.return_value = flight
    in_flight.land = lambda _, after: account.settle(flight.copy_id, after)
    outcomes = Outcomes("alice", account.engine, Mock(), permits, standing, Mock(), in_flight, lambda: account.now)

    outcomes.finish(RequestFinished(1, 1, outcome, 0.0, 0.001))

    assert [call[0] for call in standing.method_calls] == [meaning.account] * bool(meaning.account)
    permits.settle.assert_called_once()  # the broker may have counted it
    assert account.copy().stage is stage
    assert account.copy().modifications == 0
    assert tries_again(account) == again


def tries_again(account: Account) -> float | None:
    """Return after how many seconds something is sent again, None if nothing is in a minute; the book is read once."""
    account.is_read()
    for tenths in range(600):
        account.now = NOW + timedelta(seconds=tenths / 10)
        account.engine.look_again()
        account.engine.scheduler.consider(account.now)
        if account.engine.scheduler.lane() is not None:
            return tenths / 10
    return None
