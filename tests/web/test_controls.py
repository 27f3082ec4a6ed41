"""What is changed through the board: as the command line does it, once, and written down with who and when."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bench.speed.board.stage import LOT, OPTION, Stagehand
from copytrade.common import wall_clock
from copytrade.core.model.commands import RETRY, breach_key
from copytrade.core.model.ledger import Line, LineKey
from copytrade.core.model.orders import IST, Product
from copytrade.reports.day.figures import day_figures
from copytrade.reports.queries import audit_verdict
from copytrade.reports.snapshot import open_to_read
from copytrade.settings.request_limits import Limits
from copytrade.storage.database import Database
from copytrade.storage.records import CommandAnswered, ConfigSet, LedgerChanged
from tests.support.sql import opened
from tests.support.waiting import eventually
from tests.web.served import Answer, Served

ON = "exits and cancellations go on"


def answer_all(stage: Stagehand, text: str) -> None:
    """Answer the commands that wait, as followers do."""
    database = Database(stage.database, exists=True)
    database.write(CommandAnswered(one.number, True, text, wall_clock.now()) for one in database.commands())
    database.close()


def config(stage: Stagehand, key: str) -> str | None:
    with opened(stage.database) as connection:
        return dict(connection.execute("SELECT key, value FROM config").fetchall()).get(key)


def pauses_shown(board: Served) -> list[tuple[str, str]]:
    followers = board.get("/api/state").json["followers"]
    return [(one["name"], pause["by"]) for one in followers for pause in one["paused"]]


def test_pause_and_resume_are_those_of_the_command_line_and_lift_nothing_else(board: Served, stage: Stagehand) -> None:
    board.outcome(board.give(command="resume"))  # what another test has paused
    breach = ConfigSet(breach_key("f002"), "2026-12-01 lost")
    stage.write(breach)
    paused = board.outcome(board.give(command="pause", follower="f001"))
    assert (paused["state"], paused["answer"]) == ("done", f"f001: entries paused, {ON}")
    assert config(stage, "copy_enabled.f001") == "false"
    assert str(config(stage, "pause_note.f001")).endswith(" by the key (board)")
    expected = [("f001", "the key (board)")]
    eventually(lambda: pauses_shown(board) == expected, f"{expected}, not {pauses_shown(board)}")
    board.outcome(board.give(command="pause"))
    one = board.outcome(board.give(command="resume", follower="f001"))
    assert (one["state"], "entries of everybody are paused" in one["answer"]) == ("refused", True)
    resumed = board.outcome(board.give(command="resume"))
    assert (resumed["state"], resumed["answer"]) == ("done", f"everybody: entries resumed, {ON}")
    assert config(stage, breach.key) == breach.value, "a loss breach is lifted by nobody"


def test_flatten_wants_the_name_and_answers_as_followers_do(board: Served, stage: Stagehand) -> None:
    for wrong in ({"follower": "f001"}, {"follower": "f001", "confirm": "f002"}, {"confirm": "f001"}, {"confirm": ""}):
        assert board.give(command="flatten", **wrong).status == 400, wrong
    one = board.give(command="flatten", follower="f001", confirm="f001")
    waiting = board.get(f"/api/commands/{one.json['id']}").json
    assert waiting == {"id": one.json["id"], "state": "waiting", "answer": None}
    answer_all(stage, "closed 130 NIFTY")
    assert board.outcome(one)["answer"] == "f001: closed 130 NIFTY"
    everybody = board.give(command="flatten", confirm="all")
    answer_all(stage, "nothing was open")
    assert board.outcome(everybody) == {
        "id": everybody.json["id"],
        "state": "done",
        "answer": "\n".join(f"{name}: nothing was open" for name in stage.names),
    }
    assert board.get("/api/commands/unknown").status == 404


def test_a_repeated_id_gives_the_first_answer_and_does_nothing_again(board: Served, stage: Stagehand) -> None:
    first = board.give(command="pause", follower="f002", id="once-1")
    again = board.give(command="resume", follower="f002", id="once-1")
    assert (first.status, first.json, again.status, again.json) == (202, {"id": "once-1"}, 202, {"id": "once-1"})
    assert config(stage, "copy_enabled.f002") == "false"
    with opened(stage.database) as connection:
        rows = connection.execute("SELECT action, account, request_data, ts FROM audit_log").fetchall()
    (row,) = [row for row in rows if "once-1" in row[2]]
    said = json.loads(row[2].partition(" /api/commands ")[2])
    assert (row[0], row[1], said["by"], said["follower"]) == ("pause", "board", "the key (board)", "f002")
    assert abs(row[3] - wall_clock.now().timestamp()) < 60
    with open_to_read(stage.database) as connection:
        assert audit_verdict(connection).fault == "", "the chain is whole"
    database = Database(stage.database, exists=True)
    assert database.requests_since(wall_clock.now() - timedelta(days=1)) == [], "they are no requests to the broker"
    database.close()
    figures = day_figures(stage.database, wall_clock.now().astimezone(IST).date(), Limits())
    assert "board" not in [one.name for one in figures.followers]
    board.give(command="resume")


def test_who_is_not_quarantined_or_lacks_nothing_is_told_so(board: Served, stage: Stagehand) -> None:
    retry = board.outcome(board.give(command="retry", follower="f001"))
    assert (retry["state"], retry["answer"]) == ("refused", "f001: is not quarantined")
    again = board.outcome(board.give(command="try_again", follower="f001"))
    assert again["answer"] == "there is nothing to take up again"
    for command in ("retry", "try_again"):
        assert board.give(command=command).status == 400, "these are for one follower"
    stage.tell(f003={"state": "quarantined"})
    eventually(lambda: "quarantined" in board.get("/api/state").text, "it shows")
    given = board.give(command="retry", follower="f003")
    with opened(stage.database) as connection:
        waiting = connection.execute("SELECT name, follower FROM commands WHERE answer IS NULL").fetchall()
    assert waiting == [(RETRY, "f003")]
    answer_all(stage, "gets another chance")
    assert board.outcome(given)["answer"] == "f003: gets another chance"
    stage.tell(f003={"state": "live"})


def taken(board: Served, **command: str) -> Answer:
    """Give a command once the board takes one again: so many in a row are too many."""

    def give() -> Answer | None:
        answer = board.give(**command)
        return answer if answer.status != 429 else None

    answer: Answer = eventually(give, "the board takes a command")
    return answer


@pytest.fixture
def left_out(board: Served, stage: Stagehand) -> Iterator[str]:
    """Return who stands in the settings, holds a copy, and does not run in the copier."""
    name = stage.names.pop()
    held = Line(LineKey(OPTION, Product.MARGIN), leader_position=2 * LOT, held=LOT, level=LOT)
    stage.write(LedgerChanged(name, held, wall_clock.now()))
    stage.tell()
    states = [("f003", "not running")]
    eventually(
        lambda: [(one["name"], one["state"]) for one in board.get("/api/state").json["followers"]][-1:] == states,
        "it shows",
    )
    yield name
    board.give(command="resume")
    stage.write(LedgerChanged(name, replace(held, held=0, leader_position=0, level=0), wall_clock.now()))
    stage.names.append(name)
    stage.tell()


def test_who_does_not_run_is_not_said_to_be_paused(board: Served, left_out: str) -> None:
    assert board.outcome(taken(board, command="pause", follower=left_out))["state"] == "refused"


def test_who_does_not_run_is_named_when_all_are_flattened(board: Served, stage: Stagehand, left_out: str) -> None:
    everybody = taken(board, command="flatten", confirm="all")
    answer_all(stage, "nothing was open")
    assert left_out in board.outcome(everybody)["answer"]
