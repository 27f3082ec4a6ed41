"""A token that is given while the one before it is checked is not taken for the one that was refused."""

from pathlib import Path

from copytrade.paper.broker import PaperBroker
from copytrade.paper.server.faults import Kind, Mischief, RestFault
from tests.support.copier import CLIENTS, running, settings_for
from tests.support.waiting import eventually

REFUSED = '{"errorType": "Order_Error", "errorCode": "DH-906", "errorMessage": "Invalid Token"}'


def test_the_answer_about_the_token_before_says_nothing_of_the_new_one(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path)
    alice, bob = settings.followers
    with running(settings, broker) as copier:
        check = RestFault(Mischief.ANSWER, Kind.TOKEN, CLIENTS["alice"], status=401, body=REFUSED, delay=0.5)
        broker.faults.add(check)
        broker.faults.add(RestFault(Mischief.ANSWER, Kind.PLACE, CLIENTS["alice"], status=401, body=REFUSED))
        order = copier.buy(4)
        copier.mapping(order, "bob", "placed")
        eventually(lambda: check not in broker.faults._waiting, "the old token is being checked")
        token = broker.replace_token(CLIENTS["alice"])
        new = alice.model_copy(update={"access_token": type(alice.access_token)(token)})
        copier.system.give_credentials(settings.model_copy(update={"followers": (new, bob)}))
        again = RestFault(Mischief.NONE, Kind.TOKEN, CLIENTS["alice"])
        broker.faults.add(again)
        eventually(lambda: again not in broker.faults._waiting, "the new token is checked after that")
        copier.mapping(order, "alice", "placed")
        copier.mapping(copier.buy(4), "alice", "placed")
        assert not [line for line in copier.log if "Token refused" in line]
