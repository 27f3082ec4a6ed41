"""A request that came to nothing is made again later each time, and holds nobody else up."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Action, Cancel, Modify, Place
from copytrade.core.engine.copies.holds import Holds, pause
from copytrade.core.model.copies import DesiredOrder
from copytrade.core.model.ledger import Part
from copytrade.core.model.orders import OrderType, Side, Status, Validity
from tests.core.account import Account, Verdict
from tests.core.orders import NOW

WISH = DesiredOrder(130, OrderType.LIMIT, Decimal(100), Decimal(0), Validity.DAY, 0)
OTHER_WISH = replace(WISH, price=Decimal(101))
AT_MARKET = DesiredOrder(130, OrderType.MARKET, Decimal(0), Decimal(0), Validity.DAY, 0, own_price=True)
COPY = ("1", 1)


def but(kind: type[Action], verdict: str) -> Verdict:
    return lambda action: verdict if isinstance(action, kind) else "accepted"


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_cancellation_that_is_refused_for_an_hour_costs_fewer_than_150_requests_and_holds_up_no_other_order() -> None:
    account = Account(lambda action: "refused" if isinstance(action, Cancel) and action.n == 1 else "accepted")
    account.leader()
    account.leader(status=Status.CANCELLED)
    for minute in range(60):
        account.leader(id=f"{minute}", created_at=account.now)
        assert account.times(Place, f"{minute}") == [account.elapsed], "nobody else waits"
        account.passes(60.0)
    refused = account.times(Cancel)
    assert gaps(refused)[:7] == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    assert 60 < len(refused) < 150
    assert max(gaps(refused)) <= 60.0
    assert account.reads < 300


def test_what_was_refused_of_one_order_spends_a_tenth_of_the_budget_and_then_one_a_minute_is_tried() -> None:
    account = Account(but(Cancel, "refused"), per_hour=200)
    account.leader()
    account.leader(status=Status.CANCELLED)
    account.passes(3 * 3600.0)
    times = account.times(Cancel)
    assert gaps(times)[19:40] == pytest.approx([60.0] * 21)
    for begin in range(0, 3 * 3600, 600):
        assert sum(begin <= at < begin + 3600 for at in times) <= 20 + 60


@pytest.mark.parametrize("verdict", ["not sent", "unanswered"])
@pytest.mark.parametrize("kind", [Place, Modify, Cancel])
def test_what_is_not_sent_or_not_answered_backs_off(kind: type[Action], verdict: str) -> None:
    account = Account(but(kind, verdict))
    account.leader()
    if kind is Modify:
        account.leader(status=Status.MODIFIED, price=Decimal(99))
    elif kind is Cancel:
        account.leader(status=Status.CANCELLED)
    if kind is Place and verdict == "unanswered":
        return  # sent again on proof of its absence alone: test_doubt
    account.passes(120.0)
    assert gaps(account.times(kind))[:6] == pytest.approx([1, 2, 4, 8, 16, 30])


def test_neither_frames_nor_reads_nor_what_the_leader_does_shorten_a_hold() -> None:
    account = Account(but(Modify, "unanswered"))
    account.leader()
    for tenth in range(300):
        account.leader(status=Status.MODIFIED, price=Decimal(99) + Decimal(tenth % 7) / 20, disclosed_quantity=tenth)
        account.shows(account.orders["F0"])
        account.is_read()
        account.goes_on()
        account.passes(0.1)
    assert len(account.times(Modify)) <= 6


def test_a_cancellation_does_not_wait_for_a_modification_that_failed() -> None:
    account = Account(but(Modify, "unanswered"))
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    account.passes(20.0)
    account.leader(status=Status.CANCELLED)
    assert account.times(Cancel) == [account.elapsed]


def test_a_marketable_exit_does_not_wait_for_another_wish_that_failed() -> None:
    """The leader's exit rests at his limit, and its copy cannot be sent; then he leaves at the market."""
    account = Account(
        lambda action: "not sent" if isinstance(action, Place) and action.part is Part.EXIT else "accepted"
    )
    account.leader()
    account.fills("F0", 130)
    account.leader(status=Status.TRADED, filled_quantity=260, average_price=Decimal(100))
    account.leader(id="2", side=Side.SELL, price=Decimal(110), created_at=account.now)
    account.passes(20.0)
    before = len(account.times(Place, "2"))
    account.leader(
        id="2",
        side=Side.SELL,
        status=Status.MODIFIED,
        order_type=OrderType.MARKET,
        price=Decimal(0),
        created_at=account.now,
    )
    assert account.times(Place, "2")[before:] == [account.elapsed], "once, at once"
    account.passes(5.0)
    assert len(account.times(Place, "2")) == before + 1


def test_what_was_carried_out_begins_anew() -> None:
    verdicts = iter(["unanswered", "unanswered", "accepted", "unanswered", "unanswered"])
    account = Account(lambda action: next(verdicts) if isinstance(action, Modify) else "accepted")
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    account.passes(10.0)
    account.leader(status=Status.MODIFIED, price=Decimal(98))
    account.passes(1.5)
    assert gaps(account.times(Modify)) == pytest.approx([1, 2, 7, 1])


@pytest.mark.parametrize("verdict", ["refused", "unanswered", "not sent"])
def test_modifications_that_came_to_nothing_do_not_count(verdict: str) -> None:
    account = Account(but(Modify, verdict))
    account.leader()
    for number in range(60):
        account.leader(status=Status.MODIFIED, price=Decimal(90) + number)
        account.passes(31.0)
    assert len(account.times(Modify)) >= 50
    assert account.copy().modifications == 0
    assert Counter(type(action) for *_, action in account.sent)[Cancel] == 0
    assert len(account.times(Place)) == 1


@pytest.mark.parametrize("told", ["by a frame", "by a read"])
def test_an_unanswered_modification_counts_once_it_is_seen_to_be_carried_out(told: str) -> None:
    account = Account(but(Modify, "unanswered"))
    account.leader()
    account.leader(status=Status.MODIFIED, price=Decimal(99))
    order = replace(account.orders["F0"], price=Decimal(99))
    account.shows(order)
    if told == "by a read":
        account.is_read()
    account.goes_on()
    account.passes(60.0)
    assert (account.copy().modifications, account.copy().accepted.price) == (1, Decimal(99))  # type: ignore[union-attr]
    assert len(account.times(Modify)) == 1, "and is not sent again"


def test_a_hold_is_of_an_order_a_kind_of_request_and_a_wish() -> None:
    holds = Holds(100)
    holds.came_to_nothing(COPY, Modify(1, WISH), NOW)
    for is_exit in (False, True):
        assert holds.is_held("1", Modify(1, WISH), NOW, is_exit=is_exit)
        assert holds.is_held("1", Modify(1, OTHER_WISH), NOW, is_exit=is_exit)
        assert not holds.is_held("1", Cancel(1), NOW, is_exit=is_exit)
        assert not holds.is_held("1", Modify(2, WISH), NOW, is_exit=is_exit)
        assert not holds.is_held("2", Modify(1, WISH), NOW, is_exit=is_exit)
        assert holds.is_held("1", Modify(1, AT_MARKET), NOW, is_exit=is_exit) is not is_exit
    assert holds.end("1", NOW) == NOW + timedelta(seconds=1)
    assert not holds.is_held("1", Modify(1, WISH), NOW + timedelta(seconds=1), is_exit=False)
    assert holds.end("1", NOW + timedelta(seconds=1)) is None


def test_a_clock_that_is_set_back_ends_a_hold() -> None:
    holds = Holds(100)
    holds.came_to_nothing(COPY, Cancel(1), NOW)
    assert not holds.is_held("1", Cancel(1), NOW - timedelta(hours=1), is_exit=False)


def test_another_price_of_ours_is_no_other_wish() -> None:
    holds = Holds(100)
    place = Place(1, Part.EXIT, replace(AT_MARKET, order_type=OrderType.LIMIT, price=Decimal(95)), "")
    holds.came_to_nothing(COPY, place, NOW)
    moved = replace(place, desired=replace(place.desired, price=Decimal(94)))
    assert holds.is_held("1", moved, NOW, is_exit=True)
    assert not holds.is_held("1", replace(place, desired=replace(place.desired, quantity=65)), NOW, is_exit=True)


def test_the_pause_doubles_up_to_half_a_minute() -> None:
    assert [pause(tries) for tries in (1, 2, 3, 4, 5, 6, 7, 50)] == [1, 2, 4, 8, 16, 30, 30, 30]
