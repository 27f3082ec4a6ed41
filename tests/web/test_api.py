"""What the board tells a program: the same figures as ``run.py status``, orders, health, metrics."""

import json
import re
import stat
from datetime import timedelta

from bench.speed.board.stage import SYMBOL, Stagehand
from copytrade.app.commands.status import STALE_AFTER
from copytrade.common import wall_clock
from copytrade.core.model.reasons import MEANINGS, Reason
from copytrade.reports.order import explain
from copytrade.settings import load_settings
from copytrade.storage.files.status_file import read_status, status_path
from copytrade.web.application import application
from copytrade.web.board import Board
from copytrade.web.board_file import board_path
from copytrade.web.routes.openapi import openapi
from tests.support.waiting import eventually
from tests.web.served import Served

FOLLOWER = {
    *("name", "state", "in_sync", "differences", "paused", "open", "in_doubt", "day_result", "slippage", "latency"),
    *("budget", "token_until", "alerts"),
}


def test_the_state_has_every_figure_as_a_number(board: Served, stage: Stagehand) -> None:
    assert stat.S_IMODE(board_path(stage.database).stat().st_mode) == 0o600
    state = board.get("/api/state").json
    assert set(state) >= {"mode", "market", "leaders", "followers", "nodes", "actors"}
    assert (state["mode"], state["market"], state["nodes"]) == ("paper", {"all": "open"}, [])
    (leader,) = state["leaders"]
    assert (leader["name"], leader["feed"], leader["gate"], type(leader["age_s"])) == ("leader", "live", "open", float)
    one = state["followers"][0]
    assert set(one) >= FOLLOWER
    assert (one["name"], one["state"], one["in_sync"], one["open"], one["in_doubt"]) == ("f001", "live", True, 1, 0)
    assert one["day_result"]["rupees"] == -200.0
    assert one["budget"]["day"] == 6900
    assert one["latency"]["p50_ms"] == 4.0
    assert {actor["name"]: actor["up_s"] for actor in state["actors"]}["f001"] == 60.0
    assert not any("details" in actor for actor in state["actors"])


def test_orders_are_told_with_their_copies_and_one_as_explain_tells_it(board: Served, stage: Stagehand) -> None:
    order = stage.order()
    stage.copied(order, "f001")
    stage.skipped(order, "f002", Reason.ZERO_LOTS, "0.4 lots")
    (found,) = [one for one in board.get("/api/orders").json["orders"] if one["id"] == order.id]
    assert (found["symbol"], found["side"], found["quantity"], found["price"]) == (SYMBOL, "BUY", 260, 100.05)
    assert (found["copied"], found["skipped"], found["failed"], found["of"]) == (1, 1, 0, 2)
    skipped = found["copies"][1]
    assert (skipped["status"], skipped["reason"], skipped["meaning"], skipped["detail"]) == (
        *("skipped", "zero_lots", MEANINGS[Reason.ZERO_LOTS], "0.4 lots"),
    )
    one = board.get(f"/api/orders/{order.id}").json
    assert (one["id"], one["text"]) == (order.id, explain(stage.database, order.id))
    assert board.get(f"/api/orders/ct-{order.id}-1").json["id"] == order.id
    assert board.get("/api/orders/nothing").status == 404
    assert board.get("/api/orders?date=2026-01-01").json == {"date": "2026-01-01", "orders": []}
    assert board.get("/api/orders?date=tomorrow").status == 400
    assert board.get("/report/2026-01-01", headers={"Accept": "text/html"}).status == 200
    assert board.get("/charts/result.svg").headers["content-type"] == "image/svg+xml"
    assert board.get("/charts/nothing.svg").status == 404


def test_health_is_of_the_supervisor_and_readiness_of_feed_gate_and_token(board: Served, stage: Stagehand) -> None:
    feed = stage.actors["feed-leader"]

    def asked(path: str) -> tuple[int, object]:
        answer = board.get(path, key=False)
        return answer.status, answer.json

    def until(why: list[str]) -> object:
        return eventually(lambda: asked("/readyz")[1].get("why") == why, f"{why}, not {asked('/readyz')}")  # type: ignore[attr-defined]

    until([])
    assert asked("/readyz")[0] == 200
    stage.tell(feed_leader={"state": "backing off", "figures": {"gate": "closed"}, "details": {"token": "refused"}})
    until(
        [
            "the feed of leader is backing off",
            "the gate of leader is closed",
            "the token of leader has ended or is not there",
        ]
    )
    assert asked("/readyz")[0] == 503
    status, body = asked("/healthz")
    assert (status, body["leaders"][0]["gate"]) == (200, "closed"), "a dead feed is no reason to restart the container"
    stage.tell(feed_leader={"state": feed.state, "figures": feed.figures, "details": feed.details})
    until([])
    copier = read_status(stage.database)
    stale = (wall_clock.now() - timedelta(seconds=STALE_AFTER + 1)).isoformat()
    written = json.loads(status_path(stage.database).read_bytes()) | {"at": stale}
    status_path(stage.database).write_text(json.dumps(written))
    eventually(lambda: asked("/healthz")[0] == 503, "the supervisor beats no more")
    assert "last told its status" in board.get("/api/state").json["error"]
    assert copier is not None


def test_metrics_are_the_same_figures(board: Served) -> None:
    eventually(lambda: "copytrade_up 1.0" in board.get("/metrics").text, "it is up")
    found = board.get("/metrics").text
    for line in (
        'copytrade_follower_in_sync{follower="f001"} 1.0',
        'copytrade_follower_result_rupees{follower="f003",kind="rupees"} 0.0',
        'copytrade_follower_latency_milliseconds{follower="f001",quantile="p50"} 4.0',
        'copytrade_follower_requests_left{follower="f001",window="day"} 6900.0',
        'copytrade_leader_gate_open{leader="leader"} 1.0',
    ):
        assert line in found.splitlines(), line


def test_the_description_has_every_route_for_programs(stage: Stagehand) -> None:
    guard = application(Board(load_settings(stage.settings)))
    served = {re.sub(r":\w+}", "}", route.path) for route in guard._app.routes}  # type: ignore[attr-defined]
    pages = {"/", "/login", "/logout", "/charts/{name}.svg", "/report/{date}", "/openapi.json"}
    assert set(openapi()["paths"]) == {path for path in served - pages if not path.startswith("/static/")}
