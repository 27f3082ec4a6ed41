"""Orders that the broker accepts and never shows: entries are given up, exits are sent again, and none is doubled."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import pytest

from copytrade.core.decide.decisions import Action, Cancel, Modify, Place
from copytrade.core.engine.copies import transitions
from copytrade.core.engine.copies.unknown_outcomes import Visibility
from copytrade.core.model.copies import MappingStatus, Stage
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import Order, Side, Status
from copytrade.core.model.reasons import Reason
from tests.core.account import LINE, Account
from tests.core.orders import an_order


def hides(*hidden: tuple[Part, int]) -> Callable[[Action], str]:
    """Accept everything, and never show the orders of these parts and numbers."""
    return lambda action: (
        "not carried out" if isinstance(action, Place) and (action.part, action.n) in hidden else "accepted"
    )


def holding(*hidden: tuple[Part, int]) -> Account:
    """Return an account that holds two lots, of a leader who then sells his four."""
    account = Account(hides(*hidden))
    account.leader()
    account.fills("F0", 130)
    account.net = 130
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    account.leader(
        id="2", side=Side.SELL, status=Status.TRADED, filled_quantity=260, price=Decimal(0), created_at=account.now
    )
    return account


def shown(account: Account, n: int = 1, **changes: object) -> Order:
    """Return the order of the leader's exit that was accepted and not shown, as it is shown after all."""
    copy = account.copy("2", n)
    return an_order(
        id=copy.order_id, side=Side.SELL, correlation_id=copy.correlation_id, **{"quantity": 130, **changes}
    )


def test_an_entry_that_is_never_shown_has_failed_and_is_not_sent_again() -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.leader()
    account.passes(9.9)
    assert (account.copy().stage, account.searches) == (Stage.LIVE, 0)
    account.passes(5.0)
    copy = account.copy()
    assert (copy.status, copy.reason, account.searches) == (MappingStatus.FAILED, Reason.INVISIBLE, 1)
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    reads = account.reads
    account.passes(3600.0)
    assert account.times(Place) == [0.0]
    assert account.reads - reads <= 60, "nothing is looked for any more"


def test_it_is_no_measure_of_the_brokers_delay() -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.leader()
    account.passes(9.0)
    assert account.engine.unknown_outcomes.visibility.is_behind
    account.passes(5.0)
    assert (
        account.engine.unknown_outcomes.visibility.longest,
        account.engine.unknown_outcomes.visibility.is_behind,
    ) == (0.0, False)


def test_an_order_that_is_shown_in_the_end_is_one() -> None:
    visibility = Visibility()
    visibility.accepted("1", 100.0, told=False)
    visibility.read(104.0, frozenset())
    visibility.read(105.0, frozenset({"1"}))
    assert visibility.longest == visibility.longest_shown == 4.0


def test_reads_that_lack_it_are_not_enough_without_the_search() -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.engine.own_orders.searched = lambda *_: []  # type: ignore[method-assign]
    account.leader()
    account.passes(60.0)
    assert account.copy().stage is Stage.LIVE


@pytest.mark.parametrize("status", [Status.PENDING, Status.TRADED, Status.CANCELLED])
def test_an_entry_that_was_given_up_and_turns_up_is_the_copy(status: Status) -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.leader()
    account.passes(15.0)
    copy = account.copy()
    filled = 130 if status is Status.TRADED else 0
    account.shows(
        an_order(
            id=copy.order_id,
            correlation_id=copy.correlation_id,
            quantity=130,
            status=status,
            filled_quantity=filled,
        )
    )
    account.goes_on()
    after = account.copy()
    assert (after.stage, after.part, after.filled_quantity) == (
        Stage.LIVE if status is Status.PENDING else Stage.ENDED,
        Part.ENTRY,
        filled,
    )
    assert after.reason is not Reason.INVISIBLE
    assert account.engine.positions.ledger.line(LINE).held == filled
    account.leader(status=Status.CANCELLED)
    assert len(account.times(Cancel)) == (status is Status.PENDING)


def test_an_exit_that_is_never_shown_is_sent_again_for_what_the_positions_still_show() -> None:
    account = holding((Part.EXIT, 1))
    account.passes(19.9)
    assert len(account.times(Place, "2")) == 1
    account.passes(5.0)
    first, again = account.times(Place, "2")
    assert 20.0 <= again - first <= 25.0
    assert (account.copy("2").status, account.copy("2").reason) == (MappingStatus.FAILED, Reason.INVISIBLE)
    assert account.copy("2", 2).quantity == 130
    account.fills(account.copy("2", 2).order_id, 130)
    account.passes(3600.0)
    assert len(account.times(Place, "2")) == 2
    assert account.engine.positions.ledger.line(LINE).held == 0


@pytest.mark.parametrize("answers", [True, False])
def test_an_exit_that_the_positions_show_to_be_done_is_not_sent_again(answers: bool) -> None:
    """Be it that a request about it was refused since: it has an end on record all the same."""
    account = holding((Part.EXIT, 1))
    account.net = 0
    if not answers:
        account.settle(("2", 1), transitions.in_doubt(account.copy("2"), "already traded"))
    account.passes(3600.0)
    assert account.copy("2").status is MappingStatus.PLACED
    assert len(account.times(Place, "2")) == 1
    assert account.copy("2").reason is Reason.INVISIBLE
    assert account.net_reads < 200
    account.shows(shown(account, status=Status.TRADED, filled_quantity=130))
    account.goes_on()
    assert (account.copy("2").filled_quantity, account.engine.positions.ledger.line(LINE).held) == (130, 0)
    assert len(account.times(Place, "2")) == 1, "and nothing is taken back"


def test_no_more_is_sent_again_than_the_positions_show() -> None:
    account = holding((Part.EXIT, 1))
    account.net = 65
    account.passes(25.0)
    assert account.copy("2", 2).quantity == 65


def test_positions_that_were_read_before_say_nothing() -> None:
    account = holding((Part.EXIT, 1))
    account.passes(15.0)
    account.engine.unshown.net_read({LINE: 130}, 15.0)
    account.goes_on()
    assert len(account.times(Place, "2")) == 1


@pytest.mark.parametrize("filled", [0, 130])
def test_the_first_of_two_that_turns_up_is_cancelled_and_what_it_filled_taken_back(filled: int) -> None:
    account = holding((Part.EXIT, 1))
    account.passes(25.0)
    account.fills(account.copy("2", 2).order_id, 130)
    account.shows(shown(account, status=Status.TRADED if filled else Status.PENDING, filled_quantity=filled))
    account.goes_on()
    assert account.copy("2").part is Part.TWIN
    if filled:
        flatten = account.copy("2", 3)
        assert (flatten.part, flatten.quantity) == (Part.FLATTEN, 130)
        account.fills(flatten.order_id, 130)
    else:
        assert len(account.times(Cancel, "2")) == 1
    account.passes(60.0)
    assert account.engine.positions.ledger.line(LINE).held == 0


def test_exits_that_are_never_shown_one_after_the_other_are_sent_less_and_less_often() -> None:
    account = holding(*((Part.EXIT, n) for n in range(1, 100)))
    account.passes(3600.0)
    assert 4 <= len(account.times(Place, "2")) <= 12


def test_after_a_restart_the_search_begins_anew() -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.leader()
    copy = transitions.reloaded(account.copy())
    assert (copy.stage, copy.awaits_sight) == (Stage.LIVE, True)


def test_a_cancellation_of_what_is_not_shown_is_sent() -> None:
    account = Account(hides((Part.ENTRY, 1)))
    account.verdict = lambda action: "not carried out" if isinstance(action, Place) else "refused"
    account.leader()
    account.passes(2.0)
    account.leader(status=Status.CANCELLED)
    assert account.times(Cancel) == [2.0]
    account.passes(20.0)
    assert account.copy().status is MappingStatus.FAILED
    account.passes(600.0)
    assert len(account.times(Cancel)) == 2, "nobody sees whether it rests: it is sent once more"


def fails_at_first(kind: type[Action], times: int) -> Callable[[Action], str]:
    """Accept everything, and do not carry out so many requests of a kind."""
    left = iter(range(times))
    return lambda action: "not carried out" if isinstance(action, kind) and next(left, None) is not None else "accepted"


def test_a_modification_that_was_accepted_and_not_carried_out_is_made_again_and_counts_once() -> None:
    account = Account(fails_at_first(Modify, 2))
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    account.passes(60.0)
    first, second, third = account.times(Modify)
    assert 3.0 < second - first < 6.0 < third - first < 15.0
    assert (account.copy().modifications, account.orders["F0"].price) == (1, Decimal(99))
    account.leader(status=Status.CANCELLED)
    assert account.orders["F0"].status is Status.CANCELLED


def test_modifications_that_are_accepted_and_never_carried_out_back_off_and_do_not_replace_the_order() -> None:
    account = Account(fails_at_first(Modify, 10**6))
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    account.passes(3600.0)
    assert 20 < len(account.times(Modify)) < 130
    assert (len(account.times(Place)), account.times(Cancel)) == (1, [])


def test_a_cancellation_that_was_accepted_and_not_carried_out_is_made_again_later_each_time() -> None:
    account = Account(fails_at_first(Cancel, 4))
    account.leader()
    account.leader(status=Status.CANCELLED)
    account.passes(120.0)
    times = account.times(Cancel)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 4
    assert 3.0 < gaps[0] < 6.0
    assert all(gap < after for gap, after in pairwise(gaps))
    assert account.orders["F0"].status is Status.CANCELLED


def test_a_change_that_is_shown_at_once_is_not_read_for() -> None:
    account = Account(lambda _: "accepted")
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    account.passes(50.0)
    assert account.reads == 0


@pytest.mark.parametrize("part", [Part.ENTRY, Part.EXIT])
def test_a_cancellation_of_an_order_that_is_never_shown_is_sent_once_more(part: Part) -> None:
    """Nobody can see whether the first was carried out; a broker that takes both is believed."""
    account = Account(lambda action: "not carried out" if isinstance(action, Cancel) else hides((part, 1))(action))
    order: dict[str, object] = {"id": "2", "price": Decimal(100)}
    if part is Part.EXIT:
        account.leader()
        account.fills("F0", 130)
        account.net = 130
        account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
        order["side"] = Side.SELL
    account.leader(**order)
    assert account.copy("2").part is part
    account.leader(**order, status=Status.CANCELLED)
    account.passes(600.0)
    assert len(account.times(Cancel, "2")) == 2
    assert account.copy("2").reason is Reason.INVISIBLE
