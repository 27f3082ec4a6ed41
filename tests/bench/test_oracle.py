"""The oracle over random histories: it sees each thing that can be wrong, and nothing wrong where nothing is."""

import ast
import sqlite3
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bench.histories import oracle
from bench.histories.generator.generate import history_of
from bench.histories.history import FUNDS, LEADER, History
from bench.histories.oracle.evidence import Evidence
from bench.histories.oracle.judge import COLUMNS, judge

LOT, OTHER = 65, "1000000002"
ALICE = {"name": "alice", "client_id": "1", "sizing": "fixed_ratio", "ratio": "1", "lots": 1, "funds": FUNDS}


@dataclass
class Books:
    """Writes down what happened, as the broker would."""

    changes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {LEADER: [], OTHER: [], "1": []})
    now: float = 100.0
    dispositions: list[tuple[str, str, str]] = field(default_factory=list)

    def order(
        self,
        client: str,
        order_id: str,
        lots: int,
        status: str = "TRADED",
        filled: int | None = None,
        ct: str = "NA",
        price: float = 120.0,
        contract: str = "45674",
    ) -> None:
        """Have an order of signed lots come in and end, or rest, with so many lots filled."""
        done = abs(lots) if filled is None and status == "TRADED" else filled or 0
        row = {
            "orderId": order_id,
            "correlationId": ct,
            "transactionType": "BUY" if lots > 0 else "SELL",
            "securityId": contract,
            "createTime": "2026-12-01 10:00:00",
            "productType": "MARGIN",
            "quantity": abs(lots) * LOT,
            "orderType": "LIMIT",
            "price": price,
            "triggerPrice": 0.0,
        }
        for state, quantity in (("PENDING", 0), (status, done * LOT)):
            self.now += 0.01
            self.changes[client].append(row | {"at": self.now, "orderStatus": state, "filledQty": quantity})
        if client in (LEADER, OTHER):
            self.dispositions.append((order_id, "alice", "filled"))

    def copy(self, leader_order: str, lots: int, n: int = 1, **ending: Any) -> None:
        """Have alice's copy of a leader order."""
        self.order("1", f"{leader_order}{n}", lots, ct=f"ct-{leader_order}-{n}", **ending)

    def evidence(self, folder: Path) -> Evidence:
        database = folder / "copy.db"
        with sqlite3.connect(database) as connection:
            connection.execute("CREATE TABLE copy_mappings (leader_order_id TEXT, follower TEXT, status TEXT)")
            connection.executemany("INSERT INTO copy_mappings VALUES (?, ?, ?)", self.dispositions)
        return Evidence(
            leader=LEADER,
            followers=[ALICE],
            lots=dict.fromkeys(("45674", "45675"), LOT),
            funds=FUNDS,
            changes=self.changes,
            writes={"1": []},
            limits={"second": 10, "minute": 100, "hour": 200, "day": 300},
            hands=[],
            flattened=[],
            converted=[],
            database=str(database),
        )

    def judged(self, folder: Path, **changed: Any) -> dict[str, list[str]]:
        """Return the columns in which something is wrong."""
        judgement = judge(replace(self.evidence(folder), **changed))
        return {column: found for column, found in judgement.items() if found}


def write(at: float, **changed: Any) -> dict[str, Any]:
    payload = {"correlationId": "ct-11-1"}
    whole = {"at": at, "kind": "place", "order_id": "", "payload": payload, "status": 200, "answered": 200}
    return whole | changed


@pytest.fixture
def books() -> Books:
    return Books()


def test_nothing_is_wrong_with_a_round_trip(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.order(LEADER, "12", -4)
    books.copy("12", -4)
    assert books.judged(tmp_path) == {}


def test_each_exit_leaves_its_part_in_whole_lots(books: Books, tmp_path: Path) -> None:
    for number in range(4):
        books.order(LEADER, f"1{number}", 1)
    books.copy("11", 1)
    books.copy("13", 1)
    books.order(LEADER, "20", -1)
    books.copy("20", -1)
    books.order(LEADER, "21", -1)
    half = ALICE | {"ratio": "0.5"}
    assert books.judged(tmp_path, followers=[half]) == {}


@pytest.mark.parametrize(
    ("column", "happens"),
    [
        ("doubled", [("11", 1, 1), ("11", 1, 1), ("12", -2, 1)]),
        ("other side", [("12", -2, 1)]),
        ("not flat", [("11", 2, 1)]),
        ("over share", [("11", 3, 1), ("12", -3, 1)]),
    ],
)
def test_what_is_wrong_with_copies_is_seen(
    books: Books, tmp_path: Path, column: str, happens: list[tuple[str, int, int]]
) -> None:
    books.order(LEADER, "11", 2)
    books.order(LEADER, "12", -2)
    for number, (leader_order, lots, n) in enumerate(happens):
        books.order("1", str(number), lots, ct=f"ct-{leader_order}-{n}")
    assert column in books.judged(tmp_path)


def test_what_is_held_beyond_what_the_leader_left_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.order(LEADER, "12", -2)
    assert list(books.judged(tmp_path)) == ["over share"]


def test_what_was_left_too_much_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.order(LEADER, "12", -1)
    books.copy("12", -3)
    assert list(books.judged(tmp_path)) == ["under share"]


def test_an_entry_that_was_not_copied_is_no_fault_but_its_exit_has_nothing_to_take(
    books: Books, tmp_path: Path
) -> None:
    books.order(LEADER, "11", 4)
    books.order(LEADER, "12", -2)
    assert books.judged(tmp_path) == {}


def test_an_order_without_a_row_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.dispositions.clear()
    assert list(books.judged(tmp_path)) == ["no disposition"]
    books.dispositions.append(("11", "alice", "pending"))


def test_an_order_that_is_pending_for_ever_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.dispositions[:] = [("11", "alice", "pending")]
    assert list(books.judged(tmp_path)) == ["no disposition"]


def test_what_rests_under_a_dead_order_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4, status="CANCELLED")
    books.copy("11", 4, status="PENDING")
    assert list(books.judged(tmp_path)) == ["orphans"]


@pytest.mark.parametrize(("count", "spacing"), [(11, 0.01), (101, 0.15), (201, 1.0), (301, 100.0)])
def test_each_window_is_counted(books: Books, tmp_path: Path, count: int, spacing: float) -> None:
    writes = [write(number * spacing) for number in range(count)]
    limits = {"second": 10, "minute": 100, "hour": 200, "day": 300}
    assert len(books.judged(tmp_path, writes={"1": writes})["over budget"]) >= 1
    assert all(f"{limit} are allowed" for limit in limits.values())


def test_an_entry_that_was_accepted_and_is_sent_again_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 1)
    swallowed, again = write(1.0, order_id="5", status=0), write(9.0, order_id="6")
    assert list(books.judged(tmp_path, writes={"1": [swallowed, again]})) == ["doubled"]


def test_what_rests_unlike_the_leaders_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 1, status="PENDING", price=100.0)
    books.copy("11", 1, status="PENDING", price=101.0)
    assert list(books.judged(tmp_path)) == ["unlike"]


def test_a_copy_that_is_set_back_to_an_earlier_price_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 1, status="PENDING", price=100.0)
    books.copy("11", 1, status="PENDING", price=100.0)
    leaders, copies = books.changes[LEADER][-1], books.changes["1"][-1]
    for rows, row, at, price in (
        (books.changes[LEADER], leaders, 101.0, 102.0),
        (books.changes["1"], copies, 101.1, 102.0),
        (books.changes["1"], copies, 102.5, 100.0),
        (books.changes["1"], copies, 103.0, 102.0),
    ):
        rows.append(row | {"at": at, "price": price})
    assert list(books.judged(tmp_path)) == ["set back"]


def test_a_request_that_is_repeated_although_it_is_refused_is_seen(books: Books, tmp_path: Path) -> None:
    refused = [write(float(number), kind="cancel", order_id="5", payload={}, status=400) for number in range(13)]
    backed_off = [write(100.0 + 2**number, kind="cancel", order_id="6", payload={}, status=400) for number in range(8)]
    assert books.judged(tmp_path, writes={"1": backed_off}) == {}
    Path(tmp_path / "copy.db").unlink()
    flattener = [one | {"at": one["at"] / 2} for one in refused]
    assert list(books.judged(tmp_path, writes={"1": flattener})) == ["hammered"]


def test_an_exit_that_comes_late_is_seen_unless_nobody_was_there(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 1)
    books.copy("11", 1)
    books.order(LEADER, "12", -1)
    books.now += 20.0
    books.copy("12", -1)
    assert list(books.judged(tmp_path)) == ["late exits"]
    Path(tmp_path / "copy.db").unlink()
    assert books.judged(tmp_path, ups=[books.now - 5.0]) == {}
    Path(tmp_path / "copy.db").unlink()
    assert books.judged(tmp_path, excused=["1"]) == {}


def test_what_other_hands_closed_is_nobodys_fault(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4)
    books.copy("11", 4)
    books.order("1", "by hand", -2)
    books.order(LEADER, "12", -4)
    books.copy("12", -2)
    assert books.judged(tmp_path, hands=["by hand"]) == {}


def test_what_other_hands_closed_unheard_may_be_left_again_until_a_read_shows_it(books: Books, tmp_path: Path) -> None:
    def closes_and_leaves(later: float) -> dict[str, list[str]]:
        books.order(LEADER, "11", 2)
        books.copy("11", 2)
        books.order("1", "by hand", -2)
        books.now += later
        books.order(LEADER, "12", -2)
        books.copy("12", -2)
        (tmp_path / str(later)).mkdir()
        return books.judged(tmp_path / str(later), hands=["by hand"], unheard={"by hand": 2.5})

    assert closes_and_leaves(1.0) == {}
    books.changes, books.now = {LEADER: [], "1": []}, 100.0
    assert "not flat" in closes_and_leaves(3.0)


def test_a_copy_sent_while_the_broker_was_closing_the_same_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 2)
    books.copy("11", 2)
    books.order("1", "square-off", -2, status="PENDING")
    books.now += 1.0
    books.order(LEADER, "12", -2)
    books.copy("12", -2)
    closing = books.changes["1"][-3] | {"at": books.now + 0.5, "orderStatus": "TRADED", "filledQty": 2 * LOT}
    assert closing["orderId"] == "square-off"
    books.changes["1"].append(closing)
    assert list(books.judged(tmp_path, hands=["square-off"], square_offs=["square-off"])) == ["other side"]


def test_an_order_with_an_id_of_ours_on_the_leaders_account_is_not_his(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 4, ct="ct-1-1")
    books.dispositions.clear()
    assert books.judged(tmp_path) == {}


def test_a_fixed_number_of_lots_is_due_for_each_entry(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 1)
    books.copy("11", 1)
    books.order(LEADER, "12", 10)
    books.copy("12", 1)
    fixed = ALICE | {"sizing": "fixed_lots"}
    assert books.judged(tmp_path, followers=[fixed]) == {}


def test_an_entry_by_risk_is_due_in_the_lots_that_it_covers(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 10)
    books.copy("11", 5)
    by_risk = ALICE | {"sizing": "risk_based", "risk_percent": "0.000004"}  # 40,000 rupees: 5 lots at 120
    assert books.judged(tmp_path, followers=[by_risk]) == {}
    other = tmp_path / "multiplied"
    other.mkdir()
    assert list(books.judged(other, followers=[by_risk], multipliers={"45674": 2})) == ["over share"]


def test_what_the_leader_has_from_before_is_not_due_and_counts_for_his_exits(books: Books, tmp_path: Path) -> None:
    carried = [("45674", "MARGIN", 2 * LOT)]
    books.order(LEADER, "11", 2)
    books.copy("11", 2)
    books.order(LEADER, "12", -2)
    books.copy("12", -1)
    assert books.judged(tmp_path, carried=carried) == {}
    other = tmp_path / "without"
    other.mkdir()
    assert list(books.judged(other)) == ["not flat"]


def test_a_split_scales_what_is_due(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 2)
    books.copy("11", 2)
    splits = [(books.now + 1.0, "45674", 1, 2)]
    books.now += 2.0
    books.order(LEADER, "12", -4)
    books.copy("12", -2)
    assert list(books.judged(tmp_path, splits=splits)) == ["not flat"]
    books.copy("12", -2, n=2)
    other = tmp_path / "sold"
    other.mkdir()
    assert books.judged(other, splits=splits) == {}


def test_what_is_sent_for_an_expired_contract_is_seen(books: Books, tmp_path: Path) -> None:
    books.order(LEADER, "11", 2)
    books.copy("11", 2)
    expired = {"45674": books.now + 0.001}
    assert books.judged(tmp_path, expired=expired) == {}
    books.copy("11", -2, n=2)
    other = tmp_path / "sold"
    other.mkdir()
    assert "other side" in books.judged(other, expired=expired)


def test_every_column_is_told_of_even_if_nothing_is_wrong(books: Books, tmp_path: Path) -> None:
    assert judge(books.evidence(tmp_path)) == {column: [] for column in COLUMNS}


def test_the_oracle_imports_nothing_of_the_program() -> None:
    files = list(Path(str(oracle.__file__)).parent.rglob("*.py"))
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    imported = {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    ours = [name for name in imported if name.split(".")[0] in ("copytrade", "actors", "bench")]
    assert len(files) > 5
    assert not [name for name in ours if not f"{name}.".startswith("bench.histories.oracle.")]


def test_a_history_is_the_same_for_the_same_seed_and_can_be_saved() -> None:
    history = history_of(7)
    assert history_of(7) == history
    assert History.from_json(history.to_json()) == history
    assert history_of(8) != history


def test_later_seeds_have_the_later_steps() -> None:
    histories = [history_of(seed) for seed in range(301, 360)]
    assert {"night", "split", "expiry", "list"} <= {step.what for history in histories for step in history.steps}
    assert "frank" in {follower.name for history in histories for follower in history.followers}
    assert all(History.from_json(history.to_json()) == history for history in histories)


def test_every_kind_of_mishap_occurs_in_some_history() -> None:
    seen = {
        (step.what, step.terms.get("method"), step.terms.get("mischief"))
        for seed in range(300)
        for step in history_of(seed).steps
    }
    wanted = ["kill", "hand", "stranger", "foreign_row", "command", "convert", "place", "modify", "cancel"]
    methods = [
        "drop_feed",
        "mute_feed",
        "fault",
        "refuse",
        "lag",
        "frame_fault",
        "echo",
        "rewrite",
        "halt",
        "set_clock",
    ]
    assert set(wanted) <= {what for what, _, _ in seen}
    assert set(methods) <= {method for _, method, _ in seen}
    assert {"reset", "hang", "truncate", "answer", "swallow", "hide"} <= {mischief for _, _, mischief in seen}


def test_what_is_copied_of_each_leader_is_judged_by_itself(books: Books, tmp_path: Path) -> None:
    """Leaders on opposite sides of one line: the account is flat, and each copy has to be as its leader."""
    books.order(LEADER, "11", 2)
    books.copy("11", 2)
    books.order(OTHER, "21", -2)
    books.copy("21", -2)
    assert books.judged(tmp_path, leaders=[LEADER, OTHER]) == {}
    books.order(OTHER, "22", 2)
    (tmp_path / "left").mkdir()
    assert set(books.judged(tmp_path / "left", leaders=[LEADER, OTHER])) == {"not flat"}


@pytest.mark.parametrize(
    ("of_hedge", "is_wrong"), [((), True), ((2,), False), ((0,), True)], ids=["not sent", "bought before", "refused"]
)
def test_a_sold_leg_without_its_hedge_is_seen(
    books: Books, tmp_path: Path, of_hedge: tuple[int, ...], is_wrong: bool
) -> None:
    books.order(LEADER, "11", 2)
    books.order(LEADER, "12", -2, contract="45675")
    books.now += 1
    for lots in of_hedge:
        books.copy("11", 2, status="TRADED" if lots else "REJECTED")
    books.copy("12", -2, contract="45675")
    grouped = {"group_within": 1.0, "underlyings": dict.fromkeys(("45674", "45675"), "NIFTY")}
    assert ("uncovered" in books.judged(tmp_path, **grouped)) is is_wrong
