"""Nobody gets in who should not, nothing changes that is not meant, and nothing hostile is taken for ours."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench.speed.board.stage import Stagehand
from copytrade.core.model.reasons import Reason
from copytrade.web.access.headers import CSP
from copytrade.web.access.rates import Rate
from copytrade.web.access.visitors import IDLE_LIFE, LINK_LIFE, SESSION_LIFE, Visitors
from tests.support.sql import opened
from tests.support.waiting import eventually
from tests.web.served import Served, browser

PAUSE = {"command": "pause", "follower": "f003"}
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e\"'&{{7*7}}</script>"
SHOWN = "\\x1b[2J\\u202e"
HTML = {"Accept": "text/html"}


def commands(stage: Stagehand) -> list[tuple[object, ...]]:
    with opened(stage.database) as connection:
        return connection.execute("SELECT id FROM commands").fetchall()


def test_another_host_gets_nothing(board: Served) -> None:
    for host in ("evil.example", f"evil.example:{board.host.rpartition(':')[2]}", "127.0.0.1.evil.example", ""):
        for path in ("/api/state", "/healthz", "/", "/login"):
            assert board.get(path, headers={"Host": host}).status == 400, (host, path)
    assert board.get("/api/state", headers={"Host": f"localhost:{board.host.rpartition(':')[2]}"}).status == 200


def test_without_a_key_or_a_session_there_is_only_health_and_the_way_in(board: Served) -> None:
    for path in ("/", "/api/state", "/api/orders", "/api/orders/1", "/api/commands/1", "/events", "/metrics"):
        assert board.get(path, key=False).status == 401, path
        assert board.get(path, headers={"Authorization": "Bearer wrong"}).status in (401, 429), path
    assert board.post("/api/commands", PAUSE, key=False).status in (401, 403)
    assert board.get("/openapi.json", key=False).status == 401
    for path in ("/healthz", "/readyz", "/login"):
        assert board.get(path, key=False).status == 200, path
    page = board.get("/", key=False, headers=HTML)
    assert (page.status, "run.py board --link" in page.text) == (401, True)


def test_a_link_logs_in_once_and_nobody_who_only_looks_ahead_uses_it_up(board: Served) -> None:
    link = board.link()
    board.ask("HEAD", link, key=False)
    board.get(link, key=False, headers={"Sec-Purpose": "prefetch"})
    answer = board.get(link, key=False)
    cookie = answer.headers["set-cookie"]
    assert answer.status == 200
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    assert board.get(link, key=False).status in (401, 429), "another test may have guessed too often"
    token = board.log_in()
    assert board.get("/api/state", key=False).status == 200
    assert board.post("/api/links", {}, key=False, headers=browser(board, token)).status == 403
    assert board.post("/logout", {}, key=False, headers=browser(board, token)).status == 204
    assert board.get("/api/state", key=False).status == 401


def test_links_and_sessions_end() -> None:
    now = 0.0
    visitors = Visitors(lambda: now)
    link = visitors.link("me")
    now = LINK_LIFE + 1
    assert visitors.follow(link) is None
    session = visitors.begin("me")
    for _ in range(5):
        now += IDLE_LIFE - 1
        assert visitors.of(session) is not None
    now += IDLE_LIFE + 1
    assert visitors.of(session) is None
    session = visitors.begin("me")
    until = now + SESSION_LIFE
    while now + IDLE_LIFE < until:
        now += IDLE_LIFE - 1
        assert visitors.of(session) is not None
    now = until + 1
    assert visitors.of(session) is None


def test_a_change_comes_from_our_own_page_with_its_token(board: Served, stage: Stagehand) -> None:
    token, before = board.log_in(), commands(stage)
    for changes in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": board.url.rstrip("/").replace("http:", "https:")},
        {"Origin": None},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": None},
        {"X_CSRF_Token": None},
        {"X_CSRF_Token": "wrong"},
    ):
        answer = board.post("/api/commands", PAUSE, key=False, headers=browser(board, token, **changes))
        assert answer.status == 403, changes
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert board.post("/api/commands", PAUSE, headers=headers).status == 403, "a key does not help another page"
    for path in ("/api/commands?command=pause&follower=f003", "/logout", "/api/links"):
        assert board.get(path).status == 405, path
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert board.ask(method, "/api/commands", PAUSE).status == 405, method
    text = board.post("/api/commands", b'{"command": "pause"}', headers={"Content-Type": "text/plain"})
    assert text.status == 415
    assert commands(stage) == before
    assert board.post("/api/commands", PAUSE, key=False, headers=browser(board, token)).status == 202


def test_a_body_that_is_odd_is_refused(board: Served, stage: Stagehand) -> None:
    before = commands(stage)
    for body in (
        *(b"", b"{", b"[]", b"null", b"\xff", b'"pause"', b"[" * 4000),
        b'{"command": "pause", "follower": 7}',
        *(json.dumps(one).encode() for one in ({}, {"command": "drop"}, {**PAUSE, "more": 1}, {**PAUSE, "id": "a b"})),
        json.dumps({**PAUSE, "follower": "x" * 100}).encode(),
    ):
        assert board.post("/api/commands", body).status == 400, body[:60]
    assert board.post("/api/commands", b" " * 20_000).status == 413
    unknown = board.give(command="pause", follower=HOSTILE[:40])
    assert (unknown.status, "f001, f002, f003" in unknown.json["error"]) == (404, True)
    assert commands(stage) == before


def test_every_page_has_a_strict_policy_and_no_script_of_its_own(board: Served) -> None:
    board.log_in()
    report = board.get("/report/2026-01-01", headers=HTML)
    policy = report.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy + report.text
    for path, key in (("/", False), ("/login", False), ("/login?key=wrong", False), ("/report/tomorrow", True)):
        page = board.get(path, key=key, headers=HTML)
        assert page.headers["content-security-policy"] == CSP, path
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert "<script>" not in page.text
        assert " style=" not in page.text
        assert " onclick=" not in page.text
    board.cookies = {}
    for path, headers in (("/", HTML), ("/nothing", HTML), ("/report/x", HTML), ("/", {**HTML, "Host": "evil"})):
        page = board.get(path, key=False, headers=headers)
        assert page.status >= 400
        assert page.headers["content-security-policy"] == CSP, path
    assert "unsafe" not in CSP
    assert "server" not in page.headers


def test_hostile_words_of_the_broker_are_shown_as_what_they_are(board: Served, stage: Stagehand) -> None:
    order = stage.order(symbol=HOSTILE, reason=HOSTILE)
    stage.skipped(order, "f001", Reason.ZERO_LOTS, HOSTILE)
    alert = {"at": "2026-12-01T10:00:00+05:30", "kind": HOSTILE, "text": HOSTILE}
    stage.tell(notifier={"details": {"last": {"f001": alert}}}, store={"figures": {"x": HOSTILE}})
    eventually(lambda: "onerror" in board.get("/api/state").text, "it is told")
    for path in ("/api/state", "/api/orders", f"/api/orders/{order.id}", "/events", "/metrics"):
        text = first_event(board) if path == "/events" else board.get(path).text
        assert "\x1b" not in text, path
        assert "\u202e" not in text, path
        assert "\\u001b" not in text, "an escape in JSON is a control character all the same"
    found = [one for one in board.get("/api/orders").json["orders"] if one["id"] == order.id]
    assert SHOWN in found[0]["symbol"]
    assert SHOWN in found[0]["copies"][0]["detail"]
    assert SHOWN in board.get(f"/api/orders/{order.id}").json["text"]
    board.log_in()
    report = board.get(f"/report/{found[0]['at'][:10]}", headers=HTML).text
    assert "<img" not in report
    stage.tell(notifier={"details": {"last": {}}}, store={"figures": {}})


def test_no_secret_is_ever_told(board: Served, stage: Stagehand) -> None:
    order = stage.order(symbol="canary-of-f001")
    stage.tell(store={"figures": {"x": "canary-of-leader"}})
    eventually(lambda: "***" in board.get("/api/state").text, "it is told")
    for path in ("/api/state", "/api/orders", f"/api/orders/{order.id}", "/metrics"):
        text = board.get(path).text
        assert "canary" not in text, path
        assert board.key not in text, path
    assert "canary" not in first_event(board)
    stage.tell(store={"figures": {}})


def first_event(board: Served) -> str:
    """Return what the stream of events begins with."""
    host, _, port = board.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            f"GET /events HTTP/1.1\r\nHost: {board.host}\r\nAuthorization: Bearer {board.key}\r\n\r\n".encode()
        )
        found = b""
        while b"event: state" not in found or not found.endswith(b"\r\n"):
            found += connection.recv(65536)
    return found.decode()


def test_who_asks_a_thousand_times_a_second_is_held_back_and_health_is_still_told(board: Served) -> None:
    def ask(_number: int) -> int:
        return board.get("/api/state", key=False).status

    board.log_in()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(1000)))
    assert set(found) <= {200, 429}
    assert 200 in found
    assert board.get("/healthz", key=False).status == 200
    assert board.get("/api/state").status == 200, "nobody else is held back"
    eventually(lambda: board.get("/api/state", key=False).status == 200, "who waits is let in again")


def test_rates_hold_each_address_back_alone() -> None:
    now = 0.0
    rate = Rate(3, 1.0, lambda: now)
    assert [rate.allows("one") for _ in range(5)] == [True, True, True, False, False]
    assert rate.allows("another")
    now = 2.0
    assert [rate.allows("one") for _ in range(3)] == [True, True, False]
    for number in range(2000):
        rate.allows(str(number))
    assert len(rate._buckets) <= 1000


def test_attempts_to_guess_are_held_back(board: Served) -> None:
    found = [board.get("/login?key=guess", key=False).status for _ in range(30)]
    assert found[-1] == 429
    assert board.get("/api/state", headers={"Authorization": "Bearer guess"}).status == 429
    assert board.get("/api/state").status == 200, "who has the key is not held back by who guesses"


def test_who_gives_too_many_commands_is_held_back(board: Served) -> None:
    board.log_in()
    token, refused = board.log_in(), {"command": "retry", "follower": "nobody"}
    found = [board.post("/api/commands", refused, key=False, headers=browser(board, token)).status for _ in range(30)]
    assert (found[0], found[-1]) == (404, 429)


@pytest.mark.parametrize("path", ["/nothing", "/static/../board.py", "/static/%2e%2e/board.py", "//evil.example/"])
def test_nothing_else_is_served(board: Served, path: str) -> None:
    assert board.get(path).status == 404
