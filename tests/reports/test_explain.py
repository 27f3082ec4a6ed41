import re
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from copytrade.core.decide.decisions import Place, Skip
from copytrade.core.decide.desired_order import desired_order
from copytrade.core.engine.copies import transitions
from copytrade.core.model.accounts import AccountType
from copytrade.core.model.copies import Copy, LatencyBreakdown
from copytrade.core.model.ledger import Part, Ratio
from copytrade.core.model.orders import Order, OrderType, Source, Status
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports.order import UnknownOrder, explain
from copytrade.storage.database import Database, DatabaseUnusable
from copytrade.storage.records import CopyChanged, OrderChanged, Record, RequestMade
from tests.core.asking import NIFTY, TERMS
from tests.core.orders import NOW, an_order
from tests.support.sql import opened

LEADER = an_order(id="L1", symbol="NIFTY 24 NOV 26000 CALL")
LEADER_TRADED = replace(
    LEADER,
    status=Status.TRADED,
    filled_quantity=260,
    average_price=Decimal("100.00"),
    observed_at=NOW + timedelta(seconds=3, milliseconds=1),
    source=Source.BOOK,
)
PLACE = Place(1, Part.ENTRY, desired_order(LEADER, 130, NIFTY, TERMS), "260 x 0.5000 = 130.00 -> 2 x 65")
HALF = Ratio(Fraction(1, 2), "fixed ratio 0.5")


def at(milliseconds: int) -> datetime:
    return NOW + timedelta(milliseconds=milliseconds)


def placing(follower: str) -> Copy:
    return transitions.placing(Copy("L1", follower, NOW.date(), at(1)), PLACE, HALF, "fixed_ratio")


def own(order_id: str, milliseconds: int, **changes: Any) -> Order:
    return replace(LEADER, id=order_id, quantity=130, correlation_id="ct-L1-1", observed_at=at(milliseconds), **changes)


def asked(follower: str, action: str, request: str, status: int | None, milliseconds: int, answer: str) -> RequestMade:
    return RequestMade(follower, action, request, answer, status, 8.5, at(milliseconds))


def filled() -> list[Record]:
    """Alice's copy fills."""
    traded = own("F1", 2500, status=Status.TRADED, filled_quantity=130, average_price=Decimal("100.10"))
    taken = transitions.accepted(placing("alice"), "F1", 12.5, LatencyBreakdown(1.5, 0.0, 2.5, 8.5))
    copy = transitions.observed(taken, traded, LEADER, busy=False)
    place = '{"dhanClientId":"1","orderType":"LIMIT","quantity":130,"price":100.05,"correlationId":"ct-L1-1"}'
    trigger = '{"orderType":"STOP_LOSS","quantity":130,"price":100.05,"triggerPrice":99.5,"validity":"DAY"}'
    return [
        CopyChanged(transitions.with_leader(copy, LEADER_TRADED), LEADER_TRADED, at(3002)),
        OrderChanged("alice", AccountType.FOLLOWER, traded),
        OrderChanged("alice", AccountType.FOLLOWER, own("F1", 20, order_type=OrderType.MARKET, price=Decimal(0))),
        OrderChanged("alice", AccountType.FOLLOWER, replace(own("F12", 20), correlation_id="ct-L12-1")),
        asked("alice", "place", f"POST /orders {place}", 200, 14, '{"orderId":"F1"}'),
        asked("alice", "modify", f"PUT /orders/F1 {trigger}", None, 1014, ""),
        asked("alice", "place", f"POST /orders {place.replace('L1-1', 'L1-11')}", 200, 15, "another leader order's"),
        asked("alice", "cancel", "DELETE /orders/F12", 202, 16, "another order's"),
        asked("bob", "cancel", "DELETE /orders/F1", 202, 17, "another account's"),
    ]


def refused() -> list[Record]:
    """Bob's order is refused."""
    copy = transitions.place_refused(placing("bob"), "DH-906 insufficient funds")
    answer = '{"errorCode":"DH-906",\n "x":"no"}'
    body = '{"orderType":"MARKET","quantity":130,"price":0,"correlationId":"ct-L1-1"}'
    return [CopyChanged(copy, LEADER, at(11)), asked("bob", "place", f"POST /orders {body}", 400, 10, answer)]


def skipped() -> list[Record]:
    """Carol is too small."""
    copy = transitions.skipped(Copy("L1", "carol", NOW.date(), at(2)), Skip(Reason.ZERO_LOTS, "under one lot of 65"))
    return [
        CopyChanged(copy, LEADER, at(2)),
        OrderChanged("carol", AccountType.FOLLOWER, replace(own("C1", 5), correlation_id="")),
    ]


def the_leaders() -> list[Record]:
    return [OrderChanged("leader", AccountType.LEADER, order) for order in (LEADER, LEADER_TRADED)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


def explained(path: Path, records: list[Record]) -> list[str]:
    database = Database(str(path))
    database.write(records)
    database.close()
    return explain(str(path), "L1").splitlines()


def test_an_order_at_the_leader_and_at_each_follower(path: Path) -> None:
    assert explained(path, [*skipped(), *filled(), *refused(), *the_leaders()]) == [
        "Leader order L1: BUY NIFTY 24 NOV 26000 CALL, times of India",
        "",
        "leader",
        "  2026-11-23 10:15:01.000  pending      LIMIT 260 at 100.05",
        "  2026-11-23 10:15:04.001  traded       LIMIT 260 at 100.05, filled 260 at 100.00, read in the order book",
        "",
        "alice",
        "  copy      n 1, filled, 130 of 130 units",
        "  order     F1, correlation id ct-L1-1, modifications 0",
        "  sizing    fixed_ratio, ratio 0.5: 260 x 0.5000 = 130.00 -> 2 x 65",
        "  slippage  leader 100.0000, follower 100.1000, +0.1000 rupees a unit, +13.00 in all",
        "  latency   12.5 ms from the leader's update to the broker's answer",
        "  of which  decision 1.5, wait for a permit 0.0, request 2.5; broker 8.5",
        "  2026-11-23 10:15:01.001  considered",
        "  2026-11-23 10:15:01.005  > place      LIMIT 130 at 100.05, answer 200 after 8.5 ms",
        "  2026-11-23 10:15:01.020  pending      MARKET 130",
        "  2026-11-23 10:15:02.005  > modify     STOP_LOSS 130 at 100.05, trigger 99.5, no answer after 8.5 ms",
        "  2026-11-23 10:15:03.500  traded       LIMIT 130 at 100.05, filled 130 at 100.10",
        "  2026-11-23 10:15:04.002  last change  copy filled",
        "",
        "bob",
        "  copy      n 1, failed, 0 of 130 units",
        "  order     id not known, correlation id ct-L1-1, modifications 0",
        "  sizing    fixed_ratio, ratio 0.5: 260 x 0.5000 = 130.00 -> 2 x 65",
        "  reason    broker_refused: The broker would not take the follower's order.",
        "  error     margin: DH-906 insufficient funds",
        "  2026-11-23 10:15:01.001  considered",
        '  2026-11-23 10:15:01.001  > place      MARKET 130, answer 400 after 8.5 ms: {"errorCode":"DH-906", "x":"no"}',
        "  2026-11-23 10:15:01.011  last change  copy failed",
        "",
        "carol",
        "  copy      n 0, skipped",
        "  reason    zero_lots: The follower's share of the order is less than one lot, and nothing is rounded up.",
        "  detail    under one lot of 65",
        "  2026-11-23 10:15:01.002  considered",
    ]


def test_an_order_found_by_its_correlation_id_where_the_answer_was_lost(path: Path) -> None:
    copy = transitions.in_doubt(placing("alice"), "timed out")
    records = [
        CopyChanged(copy, LEADER, at(1)),
        OrderChanged("alice", AccountType.FOLLOWER, own("F9", 40, status=Status.REJECTED, reason="RMS: margin")),
        asked("alice", "place", 'POST /orders {"quantity":130,"correlationId":"ct-L1-1', None, 10, ""),
    ]
    lines = explained(path, records)
    assert "  copy      n 1, pending, 0 of 130 units" in lines
    assert "  error     timed out" in lines
    assert lines[-2:] == [
        "  2026-11-23 10:15:01.001  > place      no answer after 8.5 ms",
        "  2026-11-23 10:15:01.040  rejected     LIMIT 130 at 100.05, RMS: margin",
    ]


def test_each_order_of_a_follower_is_told(path: Path) -> None:
    first = transitions.accepted(placing("alice"), "F1", 12.5)
    again = replace(first, n=2, order_id="F2", correlation_id="ct-L1-2", latency_ms=None)
    lines = explained(path, [CopyChanged(first, LEADER, at(1)), CopyChanged(again, LEADER, at(1))])
    assert lines.count("alice") == 1
    assert [line for line in lines if line.startswith("  order ")] == [
        "  order     F1, correlation id ct-L1-1, modifications 0",
        "  order     F2, correlation id ct-L1-2, modifications 0",
    ]


def test_an_order_that_no_follower_has_seen(path: Path) -> None:
    lines = explained(path, [OrderChanged("leader", AccountType.LEADER, replace(LEADER, symbol=""))])
    assert lines[0] == "Leader order L1: BUY NSE_FNO 45678, times of India"
    assert lines[-1] == "No follower has decided about it."


def test_a_copy_of_which_the_leaders_order_was_never_written_down(path: Path) -> None:
    assert explained(path, skipped())[:4] == [
        "Leader order L1, times of India",
        "",
        "leader",
        "  nothing was learnt of the order itself",
    ]


def test_what_the_broker_says_is_one_line_in_which_every_character_shows(path: Path) -> None:
    said = "no\x1b[2J\x9b \u202eevil\n  status    filled"
    copy = transitions.place_refused(placing("bob"), said)
    asked_for = asked("bob", "place", "POST /orders {}", 400, 10, f'{{"errorMessage": "{said}"}}')
    rejected = replace(own("F9", 5), status=Status.REJECTED, reason=said, symbol=said)
    events = OrderChanged("bob", AccountType.FOLLOWER, rejected)
    lines = explained(path, [CopyChanged(copy, replace(LEADER, symbol=said), at(11)), asked_for, events])
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith("  status    filled")]
    assert any(r"no\x1b[2J\x9b \u202eevil |   status    filled" in line for line in lines)


def test_a_reason_of_another_version_is_shown_as_it_is(path: Path) -> None:
    explained(path, skipped())
    with opened(path) as database:
        database.execute("UPDATE copy_mappings SET reason = 'full_moon'")
    assert "  reason    full_moon: This version does not know what it means." in explain(str(path), "L1").splitlines()


@pytest.mark.parametrize("order_id", ["F1", "ct-L1-1"])
def test_a_copy_is_explained_by_its_own_id(path: Path, order_id: str) -> None:
    explained(path, [*filled(), *the_leaders()])
    assert explain(str(path), order_id) == explain(str(path), "L1")


@pytest.mark.parametrize("order_id", ["L", "L11", "F", "%"])
def test_an_unknown_order_is_said_to_be_unknown(path: Path, order_id: str) -> None:
    explained(path, [*filled(), *the_leaders()])
    with pytest.raises(UnknownOrder, match=rf"^There is no leader order {order_id} in {re.escape(str(path))}\.$"):
        explain(str(path), order_id)


def test_it_reads_beside_a_copier_that_writes_and_leaves_nothing_behind(path: Path) -> None:
    alone = explained(path, [*filled(), *the_leaders()])
    assert list(path.parent.iterdir()) == [path]
    copier = Database(str(path))
    copier.write(refused())
    with opened(path) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM order_events")
        beside = explain(str(path), "L1").splitlines()
        writer.execute("ROLLBACK")
    assert beside[: len(alone)] == alone
    assert "bob" in beside
    copier.close()


def test_a_missing_file_is_not_created(path: Path) -> None:
    with pytest.raises(DatabaseUnusable, match="there is no such file"):
        explain(str(path), "L1")
    assert not path.exists()


def test_every_reason_has_one_sentence() -> None:
    assert set(MEANINGS) == set(Reason)
    assert len(set(MEANINGS.values())) == len(MEANINGS)
    for meaning in MEANINGS.values():
        assert re.fullmatch(r"[A-Z][^.]{20,}\.", meaning)
