"""Why an order was not copied stays on record when the leader ends it."""

from decimal import Decimal

from copytrade.core.model.orders import Status
from copytrade.core.model.reasons import Reason
from tests.core.account import Account


def test_what_held_an_order_back_is_told_after_the_leader_has_cancelled_it() -> None:
    account = Account(lambda _: "accepted")
    account.engine.switch_entries(enabled=False)
    account.leader(price=Decimal(90))
    assert account.copy(n=0).reason is Reason.COPYING_DISABLED
    account.leader(price=Decimal(90), status=Status.CANCELLED)
    skipped = account.copy(n=0)
    assert skipped.reason is Reason.LEADER_CANCELLED
    assert "until then copying_disabled: " in skipped.error


def test_an_order_that_was_about_to_be_copied_has_no_other_reason() -> None:
    account = Account(lambda _: "accepted")
    account.leader(status=Status.CANCELLED)
    assert account.copy(n=0).error == "the leader's order is CANCELLED"
