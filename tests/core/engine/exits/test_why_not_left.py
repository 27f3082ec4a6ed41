"""Why an exit was not sent is told by what is so in the end, and not by what it waited for."""

from decimal import Decimal

from copytrade.core.decide.decisions import Skip
from copytrade.core.model.orders import Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.account import Account
from tests.core.orders import an_order


def test_units_that_other_hands_closed_while_the_account_was_suspended_are_closed_elsewhere() -> None:
    account = Account(lambda _: "accepted")
    account.leader()
    account.fills("F0", 130)
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    times = {"created_at": account.now, "updated_at": account.now, "observed_at": account.now}
    leader = an_order(id="2", side=Side.SELL, status=Status.TRADED, filled_quantity=260, price=Decimal(0), **times)
    account.engine.leader_changed(leader, None)
    account.engine.scheduler.consider(account.now)
    account.engine.scheduler.skip_unsent(Skip(Reason.ACCOUNT_SUSPENDED, "its address is refused"), account.now)
    by_hand = an_order(
        id="H", side=Side.SELL, quantity=130, status=Status.TRADED, filled_quantity=130, correlation_id="", **times
    )
    account.shows(by_hand)
    account.goes_on()
    assert account.copy("2", 0).reason is Reason.EXTERNAL_CLOSE
