"""What the board reads of the database: what changed, and not all the time."""

from datetime import date
from pathlib import Path

from bench.speed.board.stage import Stagehand
from copytrade.common import wall_clock
from copytrade.core.model.copies import Copy
from copytrade.core.model.orders import IST
from copytrade.core.model.reasons import Reason
from copytrade.reports.snapshot import open_to_read
from copytrade.web.live.copies import CopiesOfDay
from copytrade.web.live.paced import AFTER, BUSY_PART, Paced


def test_a_copy_that_is_sent_takes_the_place_of_why_it_was_not(tmp_path: Path) -> None:
    copies = CopiesOfDay()

    def read() -> list[tuple[str, int, str]]:
        with open_to_read(stage.database) as connection:
            found = copies.read(connection, today)
        return [(copy.follower, copy.n, copy.status) for copy in found]

    with Stagehand(tmp_path, 2) as stage:
        today = wall_clock.now().astimezone(IST).date()
        order = stage.order()
        stage.skipped(order, "f001", Reason.BUDGET)
        assert read() == [("f001", 0, "skipped")]
        sent: Copy = stage.copied(order, "f001")
        stage.copied(order, "f002")
        assert read() == [("f001", 1, "placed"), ("f002", 1, "placed")]
        assert sent.n == 1
        today = date(2026, 1, 1)
        assert read() == []


def test_reads_are_paced_by_how_long_they_take() -> None:
    now, taken = 100.0, 0

    def read() -> int:
        nonlocal now, taken
        now, taken = now + 1.0, taken + 1
        return taken

    paced: Paced[int] = Paced(lambda: now)
    assert paced.get("a", read) == 1
    now += 1.0
    assert paced.get("b", read) == 1, "it is too early"
    now += 1.0 / BUSY_PART
    assert paced.get("b", read) == 2
    now += 1.0 / BUSY_PART
    assert paced.get("b", read) == 2, "nothing has changed"
    now += AFTER
    assert paced.get("b", read) == 3, "the file's time may have hidden a change"
