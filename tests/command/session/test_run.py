"""run.py as an operator runs it: a process, its exit code, its log, its database."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from copytrade.paper.broker import PaperBroker
from copytrade.paper.exchange.matching import PaperAccount
from tests.command.program import command, log, running
from tests.support.sql import opened
from tests.support.waiting import PATIENCE, eventually

SETTINGS = """
mode = "{mode}"
[board]
enabled = false
[leader]
client_id = "1000000001"
access_token = "canary-of-leader"
[[followers]]
name = "alice"
client_id = "1000000101"
access_token = "canary-of-alice"
relationship = "self"
[[followers]]
name = "bob"
client_id = "1000000102"
access_token = "canary-of-bob"
relationship = "self"
ratio = 0.5
[copy]
sizing = "fixed_ratio"
[log]
status_interval = 1
level = "DEBUG"
[paper]
speed = 3.0
failures = false
"""


CLIENTS = {"leader": "1000000001", "alice": "1000000101", "bob": "1000000102"}


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "settings.toml").write_text(SETTINGS.format(mode="paper"))
    return tmp_path


def test_a_paper_session_shows_everything_and_ends_cleanly(folder: Path) -> None:
    with running(folder) as process:
        for line in (
            "Placing follower order",
            "Order replicated successfully",
            "Order modified successfully",
            "Follower order filled",
            "Order cancelled successfully",
            "Reconnected after disconnect, fetching missed orders...",
            "missed orders, processing...",
            "Order skipped: filtered_instrument",
            "Order skipped: zero_lots",
            "STATUS alice",
            "STATUS total",
            "Rate limit reached, waiting",
        ):
            eventually(lambda line=line: line in log(folder), f"the log says {line!r}")  # type: ignore[misc]
        drift = asked(folder, "drift", "alice")
        assert (drift.returncode, drift.stderr) == (0, "")
        assert "alice:" in drift.stdout
        (paper,) = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert not is_running(paper)
    gone = asked(folder, "drift", "alice")
    assert gone.returncode == 2
    assert gone.stderr == "nothing is open: a broker on paper ends with its copier\n"
    (backup,) = (folder / "copy_trading.db.backups").iterdir()
    assert f"Database copied file={folder}/copy_trading.db.backups/{backup.name}" in log(folder)
    with opened(backup) as copied:
        assert copied.execute("SELECT count(*) FROM copy_mappings WHERE status = 'filled'").fetchone() > (0,)
    summary = (folder / "out").read_text()
    assert summary.startswith("Session of ")
    for word in ("alice", "bob", "p50 ms", "slippage", "filtered_instrument"):
        assert word in summary
    assert "crashed" not in log(folder)
    with opened(folder / "copy_trading.db") as database:
        unexplained = "SELECT count(*) FROM copy_mappings WHERE status IN ('skipped', 'failed') AND reason IS NULL"
        assert database.execute(unexplained).fetchone() == (0,)
        refused = "SELECT count(*) FROM audit_log WHERE status_code = 429"
        assert database.execute(refused).fetchone() == (0,)


def test_a_newcomer_sees_a_crash_and_a_hang_healed_and_the_log_as_objects(folder: Path) -> None:
    text = SETTINGS.format(mode="paper").replace("failures = false", "failures = true")
    text = text.replace('level = "DEBUG"', "json = true\n[supervision]\nhang_after = 0.5\n[dhan]\nrequest_timeout = 1")
    (folder / "settings.toml").write_text(text)
    with running(folder) as process:
        for line in (
            "Actor alice crashed: RuntimeError: on purpose",
            "Actor alice restarted (1)",
            "Actor bob crashed: hung: busy with one message",
            "Actor bob restarted (1)",
        ):
            eventually(lambda line=line: line in log(folder), f"the log says {line!r}")  # type: ignore[misc]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    lines = [json.loads(line) for line in log(folder).splitlines()]
    assert all({"time", "level", "message"} <= set(line) for line in lines)
    placed = next(line for line in lines if line["message"].startswith("Placing follower order"))
    assert {placed["follower"], "quantity" in placed} <= {"alice", "bob", True}
    status = [line for line in lines if line["message"].startswith("STATUS alice") and "p50_ms" in line]
    assert {(line["name"], type(line["state"]), type(line["open"]), type(line["p50_ms"])) for line in status} == {
        ("alice", str, int, float)
    }


def test_a_backup_that_fails_costs_a_warning_and_no_more(folder: Path) -> None:
    (folder / "copy_trading.db.backups").touch()
    with running(folder, "--duration", "1") as process:
        assert process.wait(PATIENCE) == 0
    assert "WARNING  Database not copied" in log(folder)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(folder: Path, number: signal.Signals) -> None:
    with running(folder) as process:
        eventually(lambda: "Order replicated successfully" in log(folder), "an order is copied")
        process.send_signal(number)
        assert process.wait(10) == 0
    assert "Stopped exit_code=0" in log(folder)


def test_the_paper_broker_ends_with_its_parent_however_that_ends(folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: "Order replicated successfully" in log(folder), "an order is copied")
        (paper,) = children_of(process.pid)
        process.kill()
        process.wait()
    eventually(lambda: not is_running(paper), "the paper broker has ended")


def test_settings_with_faults_are_refused_before_anything_starts(folder: Path) -> None:
    (folder / "settings.toml").write_text(SETTINGS.format(mode="papre") + "\nzork = 1\n[log2]\n")
    result = subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 2
    assert [line.split(":")[0] for line in result.stderr.splitlines()[1:]] == ["mode", "paper.zork", "log2"]
    assert sorted(path.name for path in folder.iterdir()) == ["settings.toml"]


def test_another_settings_file_can_be_named(folder: Path) -> None:
    (folder / "settings.toml").rename(folder / "mine.toml")
    with running(folder, "--settings", "mine.toml", "--duration", "1") as process:
        assert process.wait(PATIENCE) == 0


def test_a_second_process_on_the_same_database_is_refused(folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: "Copying begins" in log(folder), "the first runs")
        second = subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert second.returncode == 3
        assert "another process is already copying" in second.stderr
        assert process.poll() is None


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_second_process_is_refused_that_calls_the_database_by_another_name(folder: Path, link: Any) -> None:
    (folder / "second").mkdir()
    text = SETTINGS.format(mode="paper")
    (folder / "second" / "settings.toml").write_text(f'{text}[store]\ndatabase = "other.db"\n')
    with running(folder) as process:
        eventually(lambda: "Order replicated successfully" in log(folder), "the first copies")
        link(folder / "second" / "other.db", folder / "copy_trading.db")
        second = subprocess.run(
            command(), cwd=folder / "second", capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert second.returncode == 3
        assert "another process is already copying" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "Database failing" not in log(folder)


def test_a_database_that_was_deleted_while_running_is_neither_made_anew_nor_copied_at_the_stop(folder: Path) -> None:
    with running(folder) as process:
        eventually(lambda: "Order replicated successfully" in log(folder), "an order is copied")
        (folder / "copy_trading.db").unlink()
        eventually(lambda: "Database failing, entries stop" in log(folder), "it is noticed")
        pause = asked(folder, "pause")
        assert (pause.returncode, pause.stdout) == (2, "")
        assert "was deleted, moved or replaced while a copier is using it" in pause.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "No summary and no copy of the database: it is not where it was" in log(folder)
    assert not (folder / "copy_trading.db").exists()
    assert not (folder / "copy_trading.db.backups").exists()


def test_a_database_of_another_mode_is_refused(folder: Path) -> None:
    with running(folder, "--duration", "1") as process:
        assert process.wait(PATIENCE) == 0
    (folder / "settings.toml").write_text(SETTINGS.format(mode="live"))
    result = subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 2
    assert "belongs to mode paper" in result.stderr


def test_a_database_that_cannot_be_opened_is_refused(folder: Path) -> None:
    (folder / "copy_trading.db").write_bytes(b"junk" * 2000)
    result = subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 2
    assert "cannot be opened as a database" in result.stderr


def test_a_day_is_reported_and_an_order_explained(folder: Path) -> None:
    with running(folder, "--duration", "5") as process:
        assert process.wait(PATIENCE) == 0
    with opened(folder / "copy_trading.db") as database:
        (leader,) = database.execute("SELECT leader_order_id FROM copy_mappings WHERE status = 'filled'").fetchone()

    def ask(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    day = ask("report")
    assert (day.returncode, day.stderr) == (0, "")
    assert leader in day.stdout
    page = ask("report", "--html", "day.html")
    assert (page.returncode, page.stderr) == (0, "written to day.html\n")
    assert leader in (folder / "day.html").read_text()
    order = ask("explain", leader)
    assert (order.returncode, order.stderr) == (0, "")
    assert f"ct-{leader}-1" in order.stdout
    assert cut_short(folder, "report") == cut_short(folder, "explain", leader) == (-signal.SIGPIPE, "")
    nobody = ask("explain", "12345")
    assert nobody.returncode == 2
    assert "12345" in nobody.stderr


def cut_short(folder: Path, *arguments: str) -> tuple[int, str]:
    """Ask for a table that nobody reads to its end, as ``| head`` does; return the exit code and what went wrong."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            command(*arguments), cwd=folder, stdout=writes, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writes)
    return done.returncode, done.stderr


def live_settings(broker: PaperBroker) -> str:
    return SETTINGS.format(mode="live") + (
        f'[dhan]\nrest_url = "{broker.rest_url}"\nfeed_url = "{broker.feed_url}"\n'
        f'auth_url = "{broker.auth_url}"\ninstruments_url = "{broker.instruments_url}"\n'
    )


def an_order(broker: PaperBroker) -> str:
    return broker.place("1000000001", side="BUY", security_id="45674", quantity=260, price="100.05")


def test_it_copies_at_any_server_that_speaks_the_protocol(tmp_path: Path) -> None:
    names = {"1000000001": "leader", "1000000101": "alice", "1000000102": "bob"}
    accounts = [PaperAccount(client_id, f"canary-of-{name}") for client_id, name in names.items()]
    with PaperBroker(accounts) as broker:
        (tmp_path / "settings.toml").write_text(live_settings(broker))
        with running(tmp_path) as process:
            eventually(lambda: all(broker.feed_connections(client_id) for client_id in names), "all are connected")
            leader = an_order(broker)
            for client_id, quantity in (("1000000101", 260), ("1000000102", 130)):
                eventually(lambda client_id=client_id: broker.orders(client_id), "the order is copied")  # type: ignore[misc]
                (row,) = broker.orders(client_id)
                assert (row["quantity"], row["price"], row["correlationId"]) == (quantity, 100.05, f"ct-{leader}-1")
            eventually(lambda: "2 rows" in verified(tmp_path).stdout, "both requests are in the audit trail")
            assert "intact" in verified(tmp_path).stdout
            drift = asked(tmp_path, "drift")
            assert (drift.returncode, drift.stderr) == (0, "")
            assert drift.stdout.splitlines() == ["alice: nothing differs", "bob: nothing differs"]
            assert asked(tmp_path, "drift", "nobody").returncode == 2
            fixed = asked(tmp_path, "drift", "--fix", "--yes")
            assert (fixed.returncode, fixed.stderr) == (0, "")
            assert fixed.stdout.splitlines()[-1] == "there is nothing to take up again"
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    with opened(tmp_path / "copy_trading.db") as database:
        database.execute("DROP TRIGGER audit_log_refuses_update")
        database.execute("UPDATE audit_log SET response_data = '{}' WHERE id = 2")
    broken = verified(tmp_path)
    assert (broken.returncode, broken.stderr) == (1, "")
    assert "1 row before the fault" in broken.stdout
    assert "broken: row 2 is not what was written" in broken.stdout


def test_what_was_skipped_is_taken_up_again_by_command(tmp_path: Path) -> None:
    names = {"1000000001": "leader", "1000000101": "alice", "1000000102": "bob"}
    accounts = [PaperAccount(client_id, f"canary-of-{name}") for client_id, name in names.items()]
    with PaperBroker(accounts) as broker:
        at_any_hour = '\n[market]\nhours = "always"\n'  # on a busy machine what is taken up again is late
        (tmp_path / "settings.toml").write_text(live_settings(broker) + at_any_hour)
        with running(tmp_path) as process:
            eventually(lambda: all(broker.feed_connections(client_id) for client_id in names), "all are connected")
            assert asked(tmp_path, "pause", "alice").returncode == 0
            eventually(lambda: "Entries paused follower=alice" in log(tmp_path), "alice is paused")
            leader = broker.place(
                "1000000001", side="BUY", security_id="45674", quantity=260, price=0, order_type="MARKET"
            )
            eventually(lambda: "Order skipped: copying_disabled" in log(tmp_path), "alice skips it")
            assert asked(tmp_path, "resume", "alice").returncode == 0
            eventually(lambda: "Entries resumed follower=alice" in log(tmp_path), "alice is not paused any more")
            declined = asked(tmp_path, "drift", "alice", "--fix")
            assert declined.returncode == 1
            assert f"an entry of 260 at most for leader order {leader}" in declined.stdout
            assert declined.stdout.endswith("nothing was done\n")
            assert broker.orders("1000000101") == []
            fixed = asked(tmp_path, "drift", "--fix", "--yes")
            assert (fixed.returncode, fixed.stderr) == (0, "")
            eventually(lambda: broker.orders("1000000101"), "it is copied after all")
            assert [row["correlationId"] for row in broker.orders("1000000101")] == [f"ct-{leader}-1"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
    alone = asked(tmp_path, "drift", "alice", "--fix", "--yes")
    assert alone.returncode == 2
    assert "the positions cannot be read" in alone.stderr


def verified(folder: Path) -> "subprocess.CompletedProcess[str]":
    return asked(folder, "audit", "--verify")


def asked(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_a_broker_that_cannot_be_reached_at_the_start_is_waited_for(tmp_path: Path) -> None:
    accounts = [PaperAccount("1000000001", "canary-of-leader")]
    with PaperBroker(accounts) as gone:
        (tmp_path / "settings.toml").write_text(live_settings(gone))
    with running(tmp_path) as process:
        eventually(lambda: "Feed lost, reconnecting" in log(tmp_path), "it says that the feed is down")
        eventually(lambda: "STATUS total" in log(tmp_path), "it goes on")
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert (tmp_path / "copy_trading.db").exists()


def rehearsal(folder: Path, rest_url: str) -> "subprocess.CompletedProcess[str]":
    (folder / "settings.toml").write_text(SETTINGS.format(mode="sandbox") + f'[dhan]\nrest_url = "{rest_url}"\n')
    return subprocess.run(command(), cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_sandbox_mode_sends_each_kind_of_request_once_and_ends(tmp_path: Path) -> None:
    alice, bob = PaperAccount("1000000101", "canary-of-alice"), PaperAccount("1000000102", "another")
    with PaperBroker([alice, bob]) as broker:
        result = rehearsal(tmp_path, broker.rest_url)
        sent = [(write.kind, write.status) for write in broker.writes("1000000101")]
        rested = [row for row in broker.orders("1000000101") if row["orderStatus"] in ("PENDING", "TRANSIT")]
    assert result.returncode == 1
    assert result.stderr == ""
    assert sent == [("place", 200)] * 4 + [("modify", 200)] + [("cancel", 202)] * 3
    assert rested == []
    answers = [line.split() for line in result.stdout.splitlines()[:-1]]
    assert [line[:4] for line in answers if line[0] == "alice"] == [
        ["alice", what, order_type, "accepted"]
        for what, order_types in (
            ("place", ("LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_MARKET")),
            ("modify", ("LIMIT",)),
            ("cancel", ("LIMIT", "STOP_LOSS", "STOP_LOSS_MARKET")),
        )
        for order_type in order_types
    ]
    assert [line[3:6] for line in answers if line[0] == "bob"] == [["refused", "token", "DH-901"]] * 4
    assert "nothing is copied" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


def test_a_sandbox_that_takes_every_order_is_a_success(tmp_path: Path) -> None:
    names = {"1000000101": "alice", "1000000102": "bob"}
    with PaperBroker([PaperAccount(client_id, f"canary-of-{name}") for client_id, name in names.items()]) as broker:
        assert rehearsal(tmp_path, broker.rest_url).returncode == 0


def test_nothing_is_tried_out_at_the_real_broker(tmp_path: Path) -> None:
    result = rehearsal(tmp_path, "https://api.dhan.co/v2")
    assert result.returncode == 2
    assert 'needs dhan.rest_url = "https://sandbox.dhan.co/v2", not api.dhan.co' in result.stderr


def flatten(folder: Path, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command("flatten", *arguments),
        cwd=folder,
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_what_was_copied_is_closed_whether_or_not_a_copier_runs(tmp_path: Path) -> None:
    names = {"1000000001": "leader", "1000000101": "alice", "1000000102": "bob"}
    accounts = [PaperAccount(client_id, f"canary-of-{name}") for client_id, name in names.items()]
    with PaperBroker(accounts) as broker:
        settings = live_settings(broker) + '[market]\nhours = "always"\n'
        (tmp_path / "settings.toml").write_text(settings)

        def net(client_id: str) -> int:
            return sum(position.net for position in broker.exchange.positions(client_id))

        with running(tmp_path) as process:
            eventually(lambda: "Ready" in log(tmp_path), "everybody is at work")
            resting = an_order(broker)
            broker.place("1000000001", side="BUY", security_id="45674", quantity=260, order_type="MARKET")
            for client_id, quantity in (("1000000101", 260), ("1000000102", 130)):
                eventually(lambda c=client_id, q=quantity: net(c) == q, "the copy is filled")  # type: ignore[misc]
            nobody = flatten(tmp_path, "carol", "--yes")
            assert (nobody.returncode, nobody.stderr) == (2, "there is no follower carol; there are: alice, bob\n")
            declined = flatten(tmp_path, "alice", typed="n\n")
            assert declined.returncode == 1
            assert "alice: 1 order rests, held: 260 of NSE_FNO:45674 MARGIN" in declined.stdout
            assert "nothing was done" in declined.stdout
            assert flatten(tmp_path, "alice").returncode == 1
            assert net("1000000101") == 260
            done = flatten(tmp_path, "alice", typed="yes\n")
            assert (done.returncode, done.stderr) == (0, "")
            assert "alice: 1 order cancelled, closed 260 NIFTY-Dec2026-26000-CE" in done.stdout
            assert (net("1000000101"), net("1000000102")) == (0, 130)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        assert broker.order("1000000001", resting)["orderStatus"] == "PENDING"
        (tmp_path / "settings.toml").write_text(settings.replace("canary-of-leader", "one-that-is-refused"))
        before = len(broker.writes("1000000101"))
        alone = flatten(tmp_path, "--yes")
        assert alone.returncode == 0, alone.stderr
        assert "bob: 1 order cancelled, closed 130 NIFTY-Dec2026-26000-CE" in alone.stdout
        assert "alice: 0 orders cancelled, nothing was held" in alone.stdout
        assert (net("1000000101"), net("1000000102")) == (0, 0)
        assert len(broker.writes("1000000101")) == before
        assert [row["orderStatus"] for row in broker.orders("1000000102")] == ["CANCELLED", "TRADED", "TRADED"]


def test_on_paper_nothing_is_left_to_close_once_the_copier_has_ended(folder: Path) -> None:
    with running(folder, "--duration", "3") as process:
        assert process.wait(PATIENCE) == 0
    done = flatten(folder, "--yes")
    assert done.returncode == 0
    assert "nothing is open: a broker on paper ends with its copier" in done.stdout
    assert done.stdout == "nothing is open: a broker on paper ends with its copier\n"


def test_a_second_paper_session_begins_clean(folder: Path) -> None:
    for _ in range(2):
        earlier = len(log(folder))
        with running(folder) as process:
            eventually(lambda begin=earlier: "Follower order filled" in log(folder)[begin:], "a copy is filled")  # type: ignore[misc]
            eventually(lambda begin=earlier: "STATUS total" in log(folder)[begin:], "it goes on")  # type: ignore[misc]
            drift = asked(folder, "drift")
            assert (drift.returncode, drift.stderr) == (0, "")
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        new = log(folder)[earlier:]
        assert "while nobody looked" not in new
        assert "Position differs from the copies" not in new
