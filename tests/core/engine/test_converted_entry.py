"""The leader converts a position of which the follower has nothing yet: it is not entered where he has left."""

from datetime import timedelta
from decimal import Decimal

import pytest

from copytrade.core.decide.decisions import Cancel, Place
from copytrade.core.model.ledger import LineKey
from copytrade.core.model.orders import IST, Product, Status
from copytrade.core.model.reasons import Reason
from tests.core.account import LINE, Account
from tests.core.orders import OPTION


@pytest.mark.parametrize("rests", [False, True])
def test_an_entry_that_has_not_filled_is_not_wanted_once_the_leader_has_converted_it(rests: bool) -> None:
    account = Account(lambda _: "accepted")
    account.engine.set_gate(is_open=rests)
    account.leader()
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    account.passes(10)
    for _ in range(2):
        net = {LineKey(OPTION, Product.INTRADAY): 260}
        account.engine.leader_positions_read(net, account.now, account.now.astimezone(IST).date())
        account.passes(5)
    converted = account.engine.leader_book_read(account.now)
    assert [one.after.leader_position for one in converted] == [0, 260]
    account.engine.set_gate(is_open=True)
    account.goes_on()
    account.passes(timedelta(minutes=1).total_seconds())
    if rests:
        assert (len(account.times(Place)), len(account.times(Cancel))) == (1, 1)
    else:
        assert (account.times(Place), account.copy(n=0).reason) == ([], Reason.LEADER_EXITED)
    assert account.engine.positions.ledger.line(LINE).held == 0
