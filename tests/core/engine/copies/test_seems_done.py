"""An exit that the broker never shows and that the positions show to be done: nothing waits for it or is lost."""

from datetime import timedelta
from decimal import Decimal

import pytest

from copytrade.core.decide.decisions import Action, Cancel, Place
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Side, Status
from tests.core.account import LINE, Account
from tests.core.engine.copies.test_unshown import shown
from tests.core.orders import NOW


def audits(account: Account, seconds: float) -> None:
    """Let time pass, with a read of positions and book as the audit makes it, and again where a read differs."""
    at, end = account.elapsed + 30, account.elapsed + seconds
    while account.elapsed < end:
        account.passes(0.5)
        if account.elapsed < at:
            continue
        net = {LINE: account.net} if account.net else {}
        account.engine.unshown.net_read(net, account.elapsed)
        account.engine.own_positions_read(net, account.now)
        account.is_read()
        account.engine.own_book_read(account.now + timedelta(seconds=0.01))
        account.goes_on()
        at = account.elapsed + (2.5 if account.engine.positions.needs_own_read else 30)


def sells(account: Account, order_id: str) -> None:
    account.leader(
        id=order_id,
        side=Side.SELL,
        status=Status.TRADED,
        filled_quantity=260,
        price=Decimal(0),
        created_at=account.now,
    )


def with_an_exit_that_seems_done(cancels: str = "accepted") -> Account:
    """Return an account whose exit was carried out and never shown, and that reads have written off since."""

    def verdict(action: Action) -> str:
        if isinstance(action, Cancel):
            return cancels
        return "not carried out" if account.elapsed == 120 else "accepted"

    account = Account(verdict)
    account.leader()
    account.fills("F0", 130)
    account.net = 130
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    audits(account, 120)
    sells(account, "2")
    account.net = 0
    audits(account, 200)
    assert account.copy("2").seems_done
    assert account.engine.positions.ledger.line(LINE).held == 0
    return account


def test_the_next_exit_of_its_line_is_sent_at_once() -> None:
    account = with_an_exit_that_seems_done()
    account.leader(
        id="3", status=Status.TRADED, filled_quantity=260, average_price=Decimal(100), created_at=account.now
    )
    account.fills(account.copy("3").order_id, 130)
    account.net = 130
    sells(account, "4")
    assert [account.copy("4").quantity, account.copy("4").part] == [130, Part.EXIT]


@pytest.mark.parametrize("cancels", ["not carried out", "refused", "unanswered"])
def test_closing_everything_does_not_wait_for_it(cancels: str) -> None:
    account = with_an_exit_that_seems_done(cancels)
    account.engine.close_all()
    audits(account, 90)
    assert account.engine.take_closed(account.now) is not None
    account.leader(id="3", status=Status.PENDING, created_at=account.now)
    assert account.times(Place, "3"), "copying goes on"


def test_one_that_is_shown_late_is_not_taken_back() -> None:
    account = with_an_exit_that_seems_done()
    account.shows(shown(account, status=Status.TRADED, filled_quantity=130))
    account.goes_on()
    audits(account, 100)
    assert len(account.times(Place, "2")) == 1, "nothing is bought"
    line = account.engine.positions.ledger.line(LINE)
    assert (line.held, line.lost, account.engine.positions.needs_own_read) == (0, 0, False)


@pytest.mark.parametrize("reenters", [False, True])
def test_an_exit_that_feed_and_book_show_late_is_not_taken_back(reenters: bool) -> None:
    """Positions that are in time have written it off meanwhile, and the follower may hold a new position."""
    account = with_an_exit_that_seems_done() if reenters else with_an_exit_shown_late()
    filled_at = NOW + timedelta(seconds=120)
    if reenters:
        account.leader(
            id="3", status=Status.TRADED, filled_quantity=260, average_price=Decimal(100), created_at=account.now
        )
        account.fills(account.copy("3").order_id, 130)
        account.net = 130
        audits(account, 25)
    account.shows(
        shown(
            account, status=Status.TRADED, filled_quantity=130, created_at=NOW, updated_at=filled_at, exchange_at=None
        )
    )
    account.goes_on()
    audits(account, 100)
    held = account.engine.positions.ledger.line(LINE).held
    assert (held, len(account.times(Place, "2"))) == (account.net, 1), "the ledger has what the account has"


def with_an_exit_shown_late() -> Account:
    """Return an account whose exit was carried out and not shown for 15 s, and that reads have written off since."""
    account = Account(
        lambda action: (
            "refused" if isinstance(action, Cancel) else "not carried out" if account.elapsed == 120 else "accepted"
        )
    )
    account.leader()
    account.fills("F0", 130)
    account.net = 130
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    audits(account, 120)
    account.net = 0
    sells(account, "2")
    audits(account, 0.5)
    for _ in range(3):
        account.passes(5)
        account.engine.own_positions_read({}, account.now)
        account.goes_on()
        account.is_read()
        account.engine.own_book_read(account.now + timedelta(seconds=0.01))
        account.goes_on()
    assert account.engine.positions.ledger.line(LINE).held == 0
    return account
