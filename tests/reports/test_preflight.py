"""From facts to a verdict, a row, and words."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from copytrade.core.model.accounts import Budget, Facts, Funds, IpAddresses, Master
from copytrade.core.model.orders import IST
from copytrade.reports.preflight import Gravity, Judgement, Origin, judge, shared_addresses
from copytrade.reports.preflight_table import table

NOW = datetime(2026, 11, 23, 9, 5, tzinfo=IST)
OPTIONS = frozenset({"OPTIDX", "OPTSTK"})
FINE = Facts(
    "alice",
    is_leader=False,
    client_id="1",
    kinds=OPTIONS,
    needs_capital=True,
    now=NOW,
    token_of="1",
    token_until=NOW + timedelta(hours=20),
    segments=("Equity", "Derivative"),
    addresses=IpAddresses(("203.0.113.7", "2001:db8::7"), "203.0.113.7", None),
    funds=Funds(Decimal("1000.50"), Decimal(2000)),
    skew=0.4,
    feed="",
    master=Master(80_000, date(2026, 11, 23)),
    pending=0,
    budget=Budget(12, 7000, 700),
)

#: Of a million rupees nine tenths, or all, are pledged.
PLEDGED = Funds(Decimal(1_000_000), Decimal(100_000), Decimal(900_000))
ALL_PLEDGED = Funds(Decimal(1_000_000), Decimal(0), Decimal(1_000_000))


def judged(**changes: Any) -> Judgement:
    return judge(msgspec.structs.replace(FINE, **changes))


def test_an_account_in_order_is_a_go_without_a_word() -> None:
    assert judged().findings == ()
    head, row = table([judged()]).splitlines()
    heads = "account token until IST address available Rs segments clock feed instruments pending orders today"
    assert head.split() == heads.split()
    assert row.split()[:2] == ["alice", "go"]
    for cell in (
        "24 Nov 05:05",
        "203.0.113.7 accepted",
        "1000.50",
        "Equ,Der",
        "+0s",
        "works",
        "80000 of 23 Nov",
        "12/7000",
    ):
        assert cell in row


@pytest.mark.parametrize(
    ("changes", "gravity", "words"),
    [
        ({"problem": "no connection: Connection refused"}, Gravity.FAULT, "does not answer as it should"),
        ({"no_source": "Cannot assign", "source_address": "10.0.0.1"}, Gravity.BARS, "source_address 10.0.0.1"),
        ({"token_refused": "DH-901 expired", "token_until": NOW}, Gravity.BARS, "it ended at 23 Nov 09:05"),
        ({"token_refused": "DH-906 Invalid Token"}, Gravity.BARS, "refuses the access token (DH-906"),
        ({"account_refused": "DH-902 no access"}, Gravity.BARS, "refuses the account (DH-902"),
        ({"token_of": "2"}, Gravity.BARS, "that of client 2, the settings say client 1"),
        ({"token_until": NOW}, Gravity.BARS, "token ended at 23 Nov 09:05"),
        ({"token_until": NOW + timedelta(seconds=1), "skew": 1.5}, Gravity.BARS, "token ended at 23 Nov 09:05"),
        ({"token_until": NOW + timedelta(hours=7)}, Gravity.NOTE, "ends at 23 Nov 16:05"),
        ({"address_refused": "DH-911 IP"}, Gravity.BARS, "refuses the address (DH-911 IP)"),
        ({"addresses": IpAddresses((), "10.0.0.1")}, Gravity.BARS, "sees 10.0.0.1, registered is none"),
        ({"addresses": IpAddresses(("10.0.0.1",), "10.0.0.2")}, Gravity.BARS, "sees 10.0.0.2, registered is 10.0.0.1"),
        ({"addresses": IpAddresses(("10.0.0.1",), "10.0.0.1", allowed=False)}, Gravity.BARS, "registered is 10.0.0.1"),
        ({"addresses": IpAddresses(("10.0.0.1",))}, Gravity.NOTE, "does not say whether"),
        ({"addresses": IpAddresses(("10.0.0.1",)), "source_address": "10.0.0.2"}, Gravity.NOTE, "does not say whether"),
        ({"funds": Funds(Decimal(0), Decimal(10))}, Gravity.FAULT, "no funds"),
        ({"funds": Funds(Decimal(0), Decimal(0))}, Gravity.FAULT, "The day began with no funds"),
        ({"funds": PLEDGED}, Gravity.NOTE, "Rs 900000.00 are pledged and not counted"),
        ({"funds": PLEDGED}, Gravity.NOTE, "sized without it; set capital"),
        ({"funds": ALL_PLEDGED}, Gravity.FAULT, "nothing is entered; set capital = "),
        (
            {"funds": Funds(Decimal(0), Decimal(0)), "with_collateral": True},
            Gravity.FAULT,
            "The day began with no funds",
        ),
        ({"segments": ("Equity",)}, Gravity.BARS, "Segment Derivative is not active"),
        ({"kinds": frozenset({"OPTFUT"})}, Gravity.BARS, "Segment Commodity is not active"),
        ({"kinds": frozenset({"FUTCUR", "OPTCUR"})}, Gravity.BARS, "Segment Currency is not active"),
        ({"kinds": frozenset({"*"})}, Gravity.NOTE, "Segment Commodity, Currency is not active"),
        ({"skew": 600.0}, Gravity.FAULT, "10 minutes behind the broker's"),
        ({"skew": -61.0}, Gravity.FAULT, "61 s ahead of the broker's"),
        ({"skew": 3.0}, Gravity.NOTE, "3 s behind"),
        ({"feed": "closed"}, Gravity.FAULT, "does not take the login (closed)"),
        ({"master": Master(problem="no such file")}, Gravity.FAULT, "cannot be read (no such file)"),
        ({"master": Master(0, None)}, Gravity.FAULT, "knows no OPTIDX, OPTSTK"),
        ({"master": Master(9, date(2026, 11, 18))}, Gravity.NOTE, "is of 2026-11-18"),
        ({"pending": 2}, Gravity.NOTE, "2 orders of ours rest"),
        ({"budget": Budget(7000, 7000, 700)}, Gravity.FAULT, "used up (7000 of 7000)"),
        ({"budget": Budget(6300, 7000, 700)}, Gravity.FAULT, "but for the reserve (6300 of 7000)"),
    ],
)
def test_each_thing_that_is_wrong_is_said_once(changes: dict[str, Any], gravity: Gravity, words: str) -> None:
    judgement = judged(**changes)
    (finding,) = judgement.findings
    assert finding.gravity is gravity
    assert words in finding.words
    assert finding.words.endswith(".")
    assert judgement.can_trade is (gravity is Gravity.NOTE)
    assert bool(judgement.why_barred) is (gravity is Gravity.BARS)
    shown = table([judgement])
    assert f"alice: {finding.words}" in shown
    assert ("NO-GO" in shown) is not judgement.can_trade


@pytest.mark.parametrize(
    "changes",
    [
        {"addresses": IpAddresses(None)},  # 404, say: it is not known to be wrong
        {"addresses": None},
        {"addresses": IpAddresses(("2001:DB8:0::7",), "2001:db8::7")},
        {"addresses": IpAddresses(("10.0.0.1",)), "source_address": "10.0.0.1"},
        {"addresses": IpAddresses((), "10.0.0.1", allowed=True)},
        {"token_until": None},
        {"segments": ()},
        {"segments": ("EQUITY", "DERIVATIVES")},
        {"funds": Funds(Decimal(1), Decimal(0)), "needs_capital": False},
        {"budget": Budget(6299, 7000, 700)},
        {"master": Master(9, date(2026, 11, 20))},
        {"skew": None},
        {"funds": PLEDGED, "with_collateral": True},
        {"funds": ALL_PLEDGED, "with_collateral": True},
        {"funds": ALL_PLEDGED, "needs_capital": False},
        {"funds": Funds(Decimal(100), Decimal(80), Decimal(20))},
        {"feed": None},
    ],
)
def test_what_is_not_known_to_be_wrong_is_not_held_against_it(changes: dict[str, Any]) -> None:
    assert judged(**changes).can_trade


def test_in_a_dry_run_nothing_is_sent_so_neither_address_nor_segment_nor_money_bars_it() -> None:
    assert judged(sends=False, addresses=None, segments=("Equity",), funds=Funds(Decimal(0), Decimal(1))).findings == ()
    assert judged(sends=False, token_refused="DH-901").why_barred


def test_the_leader_sends_nothing_so_neither_address_nor_segment_nor_money_bars_it() -> None:
    leader = {"name": "leader", "is_leader": True, "sends": False, "needs_capital": False}
    for changes in (
        {"addresses": IpAddresses((), "10.0.0.1")},
        {"segments": ("Equity",)},
        {"funds": Funds(Decimal(0), Decimal(0))},
    ):
        assert judged(**leader, **changes).findings == ()
    assert (
        "sized by them"
        in judged(**leader | {"needs_capital": True}, funds=Funds(Decimal(1), Decimal(0))).findings[0].words
    )
    assert judged(**leader, token_refused="DH-901").why_barred
    assert "another copier" in judged(**leader, pending=1).findings[0].words


def test_the_same_words_are_said_once_and_the_gravest_first() -> None:
    one, other = judged(skew=600.0), judged(name="bob", skew=600.0, token_of="2")
    _, _, below = table([one, other], ["and more."]).partition("\n\n")
    assert [line.split(":")[0] for line in below.splitlines()] == ["bob", "alice, bob", "and more."]


def origins(*followers: tuple[str, str, str]) -> list[Origin]:
    return [Origin(name, whose, address, address or "this machine's own") for name, whose, address in followers]


def test_one_address_is_for_one_person() -> None:
    same = origins(("a", "self", ""), ("b", "self", ""), ("c", "spouse", "x"), ("d", "spouse", "x"))
    assert shared_addresses(same) == []
    assert shared_addresses(origins(("a", "self", "x"), ("b", "child", "y"), ("c", "child", "z"))) == []
    (warning,) = shared_addresses(origins(("a", "self", ""), ("b", "spouse", "")))
    assert warning.startswith("a (self) and b (spouse) send from the same address, this machine's own:")
    (warning,) = shared_addresses(origins(("a", "child", "10.0.0.1"), ("b", "child", "10.0.0.1")))
    assert "10.0.0.1" in warning


def test_an_address_that_many_share_is_told_once_with_all_their_names() -> None:
    five = origins(*((name, "child", "10.0.0.1") for name in "abcd"), ("e", "self", "10.0.0.1"), ("f", "self", "x"))
    (warning,) = shared_addresses(five)
    assert warning.startswith("a (child), b (child), c (child), d (child) and e (self) send from the same address, 10.")
