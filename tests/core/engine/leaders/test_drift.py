"""What an account holds beside its copies, where the broker nets the lines of several leaders."""

from datetime import timedelta

from copytrade.core.ledger.drift.netted import by_line
from copytrade.core.model.ledger import Line
from copytrade.core.model.orders import Side
from tests.core.engine.leaders.two_leaders import ACCOUNT, LOT, Account, line_of

ASHA, DEV, EMIL = (line_of(leader) for leader in ("asha", "dev", "emil"))


def test_what_other_hands_closed_is_of_the_line_that_was_opened_first_and_the_rest_is_the_accounts_own() -> None:
    lines = [Line(ASHA, held=4, opened=2), Line(DEV, held=3, opened=1), Line(EMIL, held=-2, opened=3)]
    assert by_line({ACCOUNT: 5}, lines, ()) == {ASHA: 4, DEV: 3, EMIL: -2, ACCOUNT: 0}
    assert by_line({ACCOUNT: 1}, lines, ()) == {ASHA: 3, DEV: 0, EMIL: -2, ACCOUNT: 0}
    assert by_line({ACCOUNT: -5}, lines, ()) == {ASHA: 0, DEV: 0, EMIL: -2, ACCOUNT: -3}
    assert by_line({ACCOUNT: 6}, lines, ()) == {ASHA: 4, DEV: 3, EMIL: -1, ACCOUNT: 0}
    assert by_line({ACCOUNT: 5}, [Line(ACCOUNT, held=4)], ()) == {ACCOUNT: 5}


def test_trades_against_the_smaller_side_close_copies_although_the_account_as_a_whole_is_on_the_other() -> None:
    account = Account("asha", "dev")
    account.trades("asha", Side.BUY, 4)
    account.trades("dev", Side.SELL, 2)
    account.moment += timedelta(seconds=30)
    (apart,) = account.engine.own_positions_read({ACCOUNT: 5 * LOT}, account.moment)
    assert (apart.net, apart.held, apart.closed, apart.manual) == (5 * LOT, 2 * LOT, 2 * LOT, LOT)
