"""How big the entries are that leave for the broker, by each way of sizing."""

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copytrade.paper.broker import PaperBroker
from copytrade.settings import Settings
from tests.support.copier import ALICE, BOB, LEADER, LOT, OPTION, Copier, running, settings_for
from tests.support.waiting import eventually

CRUDE = "486502"


def two(alice: dict[str, Any], bob: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"name": "alice", "client_id": ALICE, "access_token": "token-of-alice", **alice},
        {"name": "bob", "client_id": BOB, "access_token": "token-of-bob", **bob},
    ]


def crude(broker: PaperBroker, **fields: Any) -> None:
    """List an option on crude oil: quantities are lots, each of 100 barrels."""
    broker.add_instrument(
        **{
            "segment": "MCX_COMM",
            "security_id": CRUDE,
            "kind": "OPTFUT",
            "symbol": "CRUDEOIL-16Dec2026-5500-CE",
            "display": "CRUDEOIL 16 DEC 5500 CALL",
            "lot_size": 1,
            "tick": "0.10",
            "price": 500,
            "freeze": 10_000,
            "expiry": "2026-12-16",
            "strike": 5500,
            "option_type": "CE",
            "multiplier": 100,
        }
        | fields
    )


@contextmanager
def copying(broker: PaperBroker, folder: Path, alice: dict[str, Any], bob: dict[str, Any]) -> Iterator[Copier]:
    for client_id in (LEADER, ALICE, BOB):
        broker.set_funds(client_id, sod=1_000_000)
    settings = settings_for(broker, folder, followers=two(alice, bob), copy={"instruments": ["*"]})
    with running(settings, broker) as copier:
        yield copier


def test_each_entry_has_the_size_of_its_strategy_whatever_opened_the_position(
    broker: PaperBroker, tmp_path: Path
) -> None:
    broker.set_price(OPTION, 20)
    with copying(broker, tmp_path, {"sizing": "fixed_lots", "lots": 1}, {"sizing": "risk_based"}) as copier:
        first = copier.buy(1, 20)
        assert [copier.copy_of(first, who)["quantity"] for who in ("alice", "bob")] == [LOT, LOT]
        broker.set_price(OPTION, 100)
        second = copier.buy(10, 100)
        assert [copier.copy_of(second, who)["quantity"] for who in ("alice", "bob")] == [LOT, LOT]
        for who in ("alice", "bob"):
            copier.mapping(second, who, "filled")
        out = copier.buy(11, 90, side="SELL")
        assert [copier.copy_of(out, who)["quantity"] for who in ("alice", "bob")] == [2 * LOT, 2 * LOT]
        eventually(lambda: not copier.rows("SELECT held FROM ledger WHERE held <> 0"), "everybody is flat")


def test_a_modification_resizes_what_rests_and_a_partial_fill_stays(broker: PaperBroker, tmp_path: Path) -> None:
    with copying(broker, tmp_path, {"sizing": "fixed_lots", "lots": 2}, {"sizing": "risk_based"}) as copier:
        order = copier.buy(4, 50)  # a lot costs 3,250 rupees
        assert [copier.copy_of(order, who)["quantity"] for who in ("alice", "bob")] == [2 * LOT, 3 * LOT]
        broker.modify(LEADER, order, price=75, quantity=6 * LOT)  # 4,875
        eventually(lambda: copier.copy_of(order, "bob")["quantity"] == 2 * LOT, "bob enters two lots")
        eventually(lambda: copier.copy_of(order, "alice")["price"] == 75, "alice follows the price")
        assert copier.copy_of(order, "alice")["quantity"] == 2 * LOT
        broker.fill(BOB, str(copier.copy_of(order, "bob")["orderId"]), LOT)
        eventually(lambda: copier.rows("SELECT 1 FROM ledger WHERE follower = 'bob' AND held = ?", LOT), "bob has one")
        broker.modify(LEADER, order, price=110)  # 7,150: one lot, which he has
        eventually(lambda: copier.copy_of(order, "bob")["orderStatus"] == "CANCELLED", "what is left is not wanted")
        assert copier.copy_of(order, "bob")["filledQty"] == LOT


def test_the_leaders_slices_are_one_order_for_fixed_lots(broker: PaperBroker, tmp_path: Path) -> None:
    with copying(broker, tmp_path, {"sizing": "fixed_lots", "lots": 1}, {"sizing": "fixed_ratio"}) as copier:
        slices = [copier.buy(lots, 20) for lots in (27, 27, 6)]
        for order, lots in zip(slices, (27, 27, 6), strict=True):
            assert copier.copy_of(order, "bob")["quantity"] == lots * LOT
        assert copier.copy_of(slices[0], "alice")["quantity"] == LOT
        for order in slices[1:]:
            assert copier.mapping(order, "alice", "skipped")[0] == "zero_lots"


def test_rupee_limits_count_the_multiplier_of_a_commodity(broker: PaperBroker, tmp_path: Path) -> None:
    crude(broker)
    limits = {"sizing": "fixed_ratio", "max_order_value": 100_000}
    with copying(broker, tmp_path, limits, {**limits, "max_order_value": 49_999}) as copier:
        order = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=10, price=500)
        assert copier.copy_of(order, "alice")["quantity"] == 2
        assert copier.mapping(order, "bob", "skipped")[0] == "over_order_value"


def test_slippage_counts_the_multiplier_of_a_commodity(broker: PaperBroker, tmp_path: Path) -> None:
    crude(broker)
    with copying(broker, tmp_path, {"sizing": "fixed_ratio"}, {"sizing": "fixed_ratio", "enabled": False}) as copier:
        order = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=2, price="499")
        own = str(copier.copy_of(order, "alice")["orderId"])
        broker.fill(ALICE, own, price="498.5")
        broker.fill(LEADER, order, price="498")
        query = "SELECT slippage, slippage_rupees FROM copy_mappings WHERE follower = 'alice' AND slippage IS NOT NULL"
        assert eventually(lambda: copier.rows(query), "the slippage is known") == [(0.5, 100.0)]


def test_without_a_known_multiplier_a_rupee_limit_lets_no_entry_pass(broker: PaperBroker, tmp_path: Path) -> None:
    """A follower without such a limit copies all the same; once it is told, the other does as well."""
    crude(broker)
    broker.rewrite("frame", LEADER, removed=("multiplier",))
    limits = {"sizing": "fixed_ratio", "max_order_value": 1_000_000}
    with copying(broker, tmp_path, limits, {"sizing": "fixed_ratio"}) as copier:
        order = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=2, price="480")
        assert copier.copy_of(order, "bob")["quantity"] == 2
        assert copier.mapping(order, "alice", "skipped")[0] == "no_multiplier"
        broker.clear_faults()
        broker.modify(LEADER, order, price="481")
        assert copier.copy_of(order, "alice")["quantity"] == 2


def test_a_position_tells_the_multiplier_to_a_copier_that_starts_later(broker: PaperBroker, tmp_path: Path) -> None:
    crude(broker)
    broker.carry(LEADER, CRUDE, 1, segment="MCX_COMM")
    broker.rewrite("frame", removed=("multiplier",))
    limits = {"sizing": "fixed_ratio", "max_order_value": 100_000}
    with copying(broker, tmp_path, limits, limits) as copier:
        order = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=10, price="480")
        assert copier.copy_of(order, "alice")["quantity"] == 2


def test_what_cannot_be_sized_for_a_while_after_a_start_keeps_its_size(broker: PaperBroker, tmp_path: Path) -> None:
    crude(broker, price=40)
    barrels: dict[str, Any] = {"security_id": CRUDE, "segment": "MCX_COMM", "order_type": "MARKET"}
    by_risk, limited = (
        {"sizing": "risk_based", "risk_percent": 2},
        {"sizing": "fixed_ratio", "max_order_value": 100_000},
    )

    def held(client_id: str) -> int:
        return sum(int(str(row["netQty"])) for row in broker.positions(client_id))

    with copying(broker, tmp_path, by_risk, limited):
        pass
    broker.place(LEADER, side="BUY", quantity=8, **barrels)
    broker.place(LEADER, side="SELL", quantity=4, **barrels)
    with copying(broker, tmp_path, by_risk, limited) as copier:
        eventually(lambda: (held(ALICE), held(BOB)) == (2, 4), "of 5 and of 8 lots the half, as the leader has")
        resting = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=4, price="20")
        for follower in ("alice", "bob"):
            assert copier.copy_of(resting, follower)["quantity"] == 4
    broker.rewrite("position", removed=("multiplier",))
    with copying(broker, tmp_path, by_risk, limited) as copier:
        copier.mapping(copier.buy(1, 0, order_type="MARKET"), "alice", "filled")
        broker.clear_faults()
        other = copier.buy(security_id=CRUDE, segment="MCX_COMM", quantity=1, price="19")
        for follower in ("alice", "bob"):
            assert copier.copy_of(other, follower)["quantity"] == 1
            assert copier.copy_of(resting, follower)["orderStatus"] == "PENDING"
            assert len(copier.copies(follower)) == 4
    assert (held(ALICE) - LOT, held(BOB) - LOT) == (2, 4)


def an_old_master(broker: PaperBroker, folder: Path) -> str:
    """Return a file like the broker's master, but that lots of index options are 75 in it."""
    with urllib.request.urlopen(broker.instruments_url) as response:
        text = response.read().decode()
    file = folder / "master.csv"
    file.write_text(text.replace(f",{LOT}.0,", ",75.0,"))
    return str(file)


def test_an_orders_own_lot_counts_where_the_master_has_another(broker: PaperBroker, tmp_path: Path) -> None:
    settings = settings_for(broker, tmp_path, dhan={"instruments_url": an_old_master(broker, tmp_path)})
    with running(settings, broker) as copier:
        order = copier.buy(2, 50)
        assert copier.copy_of(order, "alice")["quantity"] == 2 * LOT
        assert copier.copy_of(order, "bob")["quantity"] == LOT
        assert copier.copy_of(copier.buy(4, 50), "bob")["quantity"] == 2 * LOT
        told = [line for line in copier.log if "contradicts itself about the lot" in line]
        assert sorted(line.partition("follower=")[2].split()[0] for line in told) == ["alice", "bob"]
        assert all(line.startswith("WARNING") for line in told)


def test_where_no_known_lot_fits_nothing_is_entered_until_the_broker_tells_one(
    broker: PaperBroker, tmp_path: Path
) -> None:
    broker.rewrite("frame", LEADER, removed=("lotSize",))
    settings = settings_for(broker, tmp_path, dhan={"instruments_url": an_old_master(broker, tmp_path)})
    with running(settings, broker) as copier:
        order = copier.buy(2, 50)
        assert copier.mapping(order, "alice", "skipped")[0] == "unknown_instrument"
        fits = copier.buy(15, 50)  # 13 lots of 75
        assert copier.copy_of(fits, "alice")["quantity"] == 15 * LOT
        broker.clear_faults()
        broker.modify(LEADER, order, price=51)
        assert copier.copy_of(order, "alice")["quantity"] == 2 * LOT


def by_capital(broker: PaperBroker, folder: Path, capital: Any) -> Settings:
    sized = {"sizing": "capital_proportional"}
    return settings_for(broker, folder, followers=two({**sized, "capital": capital}, {**sized, "capital": 500_000}))


def test_what_is_pledged_counts_where_the_settings_say_so(broker: PaperBroker, tmp_path: Path) -> None:
    """The leader's capital is counted as the follower's is."""
    broker.set_funds(LEADER, sod=500_000, collateral=1_500_000)
    broker.set_funds(ALICE, sod=0, collateral=1_000_000)
    with running(by_capital(broker, tmp_path, "sod_and_collateral"), broker) as copier:
        order = copier.buy(2, 20)
        assert copier.copy_of(order, "alice")["quantity"] == LOT, "half of the leader's two million"
        assert copier.copy_of(order, "bob")["quantity"] == 2 * LOT, "of the half million that is not pledged"
        assert "account=alice capital=1000000.00 source=sod_and_collateral" in copier.logged("account=alice capital")
        assert copier.logged("account=bob capital=500000 source=settings").startswith("INFO")
        assert copier.logged("account=leader capital=500000.00 source=sod ").startswith("WARNING")


def test_what_is_pledged_and_not_counted_is_said_at_the_start(broker: PaperBroker, tmp_path: Path) -> None:
    broker.set_funds(LEADER, sod=1_000_000)
    broker.set_funds(ALICE, sod=0, collateral=1_000_000)
    with running(by_capital(broker, tmp_path, "sod"), broker) as copier:
        line = copier.logged("account=alice capital=0.00 source=sod collateral_not_counted=1000000.00")
        assert line.startswith("CRITICAL")
        assert 'set capital = "sod_and_collateral"' in line
        order = copier.buy(2, 20)
        assert copier.mapping(order, "alice", "skipped")[0] == "no_capital"
        assert copier.copy_of(order, "bob")["quantity"] == LOT
        assert sum("Capital to size by account=leader" in one for one in copier.log) == 1
