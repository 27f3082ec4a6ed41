import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

BEGIN = """
from loguru import logger
from pydantic import SecretStr
from copytrade.common.redaction import hide
from copytrade.common.logs import alert, configure_logging, fields

class Nameless(Exception):
    def __str__(self):
        raise TypeError("no words")

SECRETS = [SecretStr("canary-token"), SecretStr("canary-token-2"), SecretStr("4711")]
configure_logging("x.log", "INFO", SECRETS, json_lines={json})
"""


def logged(folder: Path, script: str, *, json: bool = False) -> tuple[list[str], list[str]]:
    """Return what a process that logs has written when it has ended: the file's lines, and the console's."""
    program = BEGIN.format(json=json) + script + "\nlogger.remove()\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    return (folder / "x.log").read_text().splitlines(), done.stderr.splitlines()


def message(line: str) -> str:
    """Return the message of a line that is an object."""
    return str(json.loads(line)["message"])


def test_every_line_is_in_the_file_and_on_the_console_in_its_order(tmp_path: Path) -> None:
    script = "for n in range(1000): logger.info('line {} {}', n, fields(price=None, follower='a b', symbol='', n=0))"
    in_file, on_console = logged(tmp_path, script)
    said = [f'line {n} follower="a b" n=0' for n in range(1000)]
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO     ", "", line) for line in in_file] == said
    assert on_console == [line[len("2026-11-25 ") :] for line in in_file]


def test_a_line_whose_last_fields_are_empty_ends_with_its_last_word(tmp_path: Path) -> None:
    in_file, on_console = logged(
        tmp_path, "logger.warning('Order skipped: late {} {}', fields(n=1), fields(detail=''))"
    )
    assert [line[len("2026-11-25 ") :] for line in in_file] == on_console
    assert on_console[0].endswith(" WARNING  Order skipped: late n=1")


def test_a_line_is_one_line_without_secrets(tmp_path: Path) -> None:
    script = """
logger.debug("not told")
logger.info("canary-token canary-token-2 4711 47110 x4711 token=abc access_token=abc totp_secret=abc token=7h")
logger.warning("two\\nlines \\x1b[2J")
try:
    raise ValueError("said\\ncanary-token")
except ValueError as error:
    logger.opt(exception=error).error("Failed")
    alert("kind", "who", "Told {}", "canary-token")
hide(SecretStr("a late one"))
logger.info("a late one")
"""
    assert [line[len("2026-11-25 09:15:00.000 ") :] for line in logged(tmp_path, script)[0]] == [
        "INFO     *** *** *** 47110 x4711 token=*** access_token=*** totp_secret=*** token=7h",
        "WARNING  two | lines \\x1b[2J",
        "ERROR    Failed | ValueError: said | ***",
        "CRITICAL Told ***",
        "INFO     ***",
    ]


def test_lines_as_objects_name_what_they_tell(tmp_path: Path) -> None:
    script = """
logger.info("Placing {}", fields(follower="alice", symbol="NIFTY CALL", quantity=75))
alert("drift", "alice", "Apart", level="WARNING")
"""
    in_file, on_console = logged(tmp_path, script, json=True)
    placing, apart = (json.loads(line) for line in in_file)
    message = 'Placing follower=alice symbol="NIFTY CALL" quantity=75'
    named = {"follower": "alice", "symbol": "NIFTY CALL", "quantity": 75}
    assert placing == {**named, "time": placing["time"], "level": "INFO", "message": message}
    assert apart == {"time": apart["time"], "level": "WARNING", "message": "Apart", "alert": "drift"}
    assert placing["time"][10:11] == "T"
    assert [line[len("09:15:00.000 ") :] for line in on_console] == [f"INFO     {message}", "WARNING  Apart"]


def test_objects_have_numbers_as_numbers_with_their_unit_in_the_name(tmp_path: Path) -> None:
    script = """
from decimal import Decimal
from copytrade.common.logs import in_line
from copytrade.common.measures import PartOf, bps, milliseconds, rupees, seconds
price, cost = Decimal("118.05"), Decimal("-0.001")
logger.info("Filled {}", fields(order="00123", filled=65, of=PartOf(1, 2), price=price, latency=milliseconds(7.48)))
logger.info("Cost {}", fields(rupees=rupees(cost), bps=bps(Decimal("1.25")), up=seconds(61.2), error=ValueError("no")))
logger.info("STATUS {}", in_line("alice   live   open=2", {"name": "alice", "state": "live", "open": 2}))
logger.info("STATUS forged state=live")
"""
    in_file, _ = logged(tmp_path, script, json=True)
    lines = [json.loads(line) for line in in_file]
    said = [line["message"] for line in lines]
    found = [{key: line[key] for key in line if key not in ("time", "level", "message")} for line in lines]
    assert found == [
        {"order": "00123", "filled": 65, "of": 1, "of_total": 2, "price": 118.05, "latency_ms": 7.48},
        {"rupees": -0.001, "bps": 1.25, "up_s": 61.2, "error": "no"},
        {"name": "alice", "state": "live", "open": 2},
        {},
    ]
    assert said == [
        "Filled order=00123 filled=65 of=1/2 price=118.05 latency=7.5ms",
        "Cost rupees=0.00 bps=1.2 up=61s error=no",
        "STATUS alice   live   open=2",
        "STATUS forged state=live",
    ]


def test_no_value_can_pass_for_another_field(tmp_path: Path) -> None:
    script = """
FORGED = ['x"alert="forged"', 'x" alert="forged" follower="mallory', "x alert=forged follower=mallory"]
FORGED += ["x\\nlevel=forged", "x\\" follower=mallory", "x\\u2028follower=mallory"]
for value in FORGED:
    logger.info("Failed to place {}", fields(follower="alice", error=value))
    logger.info("Failed to place {} {}", fields(follower="alice"), fields(error=value))
    logger.warning("Left out {} {}", fields(follower="alice"), value)
    logger.error("Actor crashed: {}", value)
    alert("drift", "alice", "Apart {}", fields(follower="alice", error=value))
    _ = f"{fields(follower='carol')}"
    logger.error("Of another line: {}", value)
logger.info("{}", fields(level="forged", time="forged", message="forged", alert="forged", error="canary-token"))
"""
    lines = [json.loads(line) for line in logged(tmp_path, script, json=True)[0]]
    assert len(lines) == 6 * 6 + 1
    for line in lines:
        assert line.get("follower", "alice") == "alice"
        assert line.get("alert", "drift") == "drift"
        assert line["level"] in ("INFO", "WARNING", "ERROR", "CRITICAL")
    assert [("error" in line, "alert" in line) for line in lines[:6]] == [
        (True, False),
        (True, False),
        (False, False),
        (False, False),
        (True, True),
        (False, False),
    ]
    assert lines[0]["error"] == 'x"alert="forged"'
    assert lines[-1]["error"] == "***"


@pytest.mark.parametrize("json", [False, True])
def test_no_control_character_reaches_the_console_or_the_file(tmp_path: Path, json: bool) -> None:
    script = """
logger.info("no \\x1b[2J \\x9b2J {}", fields(error="\\u202eevil\\u2066 \\u2028 \\u200b\\r"))
alert("kind", "who", "Told {}", "\\x9b\\u202e")
"""
    in_file, on_console = logged(tmp_path, script, json=json)
    assert len(in_file) == len(on_console) == 2
    assert all(line.isprintable() for line in (*in_file, *on_console))
    assert r"no \x1b[2J \x9b2J" in on_console[0]
    assert r"\u202eevil\u2066 \u2028 \u200b\r" in on_console[0]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_line_that_cannot_be_written_takes_no_other_with_it(tmp_path: Path, as_json: bool) -> None:
    script = """
logger.info("before")
try:
    raise Nameless
except Nameless as error:
    logger.opt(exception=error).error("nameless")
logger.info("half a character: \\ud800")
logger.info("after")
"""
    in_file, on_console = logged(tmp_path, script, json=as_json)
    if as_json:
        in_file = [message(line) for line in in_file]
    assert [re.findall(r"before|half a character: \\ud800|after|nameless", line) for line in in_file] == [
        ["before"],
        ["half a character: \\ud800"],
        ["after"],
    ]
    assert "a line could not be logged: TypeError" in on_console
    assert len(on_console) == 4


@pytest.mark.parametrize(
    "moved",
    [
        'path.rename("x.log.1")',
        'path.rename("x.log.1"); path.touch()',
        'shutil.copy("x.log", "x.log.1"); os.truncate("x.log", 0)',
        'shutil.copy("x.log", "x.log.1"); path.unlink()',
    ],
)
def test_lines_after_the_file_was_moved_away_are_in_a_new_one_and_none_is_lost(tmp_path: Path, moved: str) -> None:
    script = f"""
import os, pathlib, shutil, time
path = pathlib.Path("x.log")
def is_written(text):
    deadline = time.monotonic() + {PATIENCE}
    while time.monotonic() < deadline and not (path.exists() and text in path.read_text()):
        time.sleep(0.01)
for n in range(300):
    logger.info("line {{}}", n)
is_written("line 299")
{moved}
for n in range(300, 600):
    logger.info("line {{}}", n)
is_written("line 599")
"""
    after, _ = logged(tmp_path, script)
    before = (tmp_path / "x.log.1").read_text().splitlines()
    assert [line.split()[-1] for line in before] == [str(n) for n in range(300)]
    assert [line.split()[-1] for line in after] == [str(n) for n in range(300, 600)]


def test_a_terminal_shows_the_time_and_the_level_in_colour(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    program = BEGIN.format(json=False) + "logger.info('fine')\nlogger.critical('not')\nlogger.remove()\n"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, stderr=theirs, timeout=PATIENCE, check=True)
    os.close(theirs)
    shown = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)
    assert [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", line) for line in shown] == [
        "\x1b[32mTIME\x1b[0m \x1b[1mINFO    \x1b[0m fine",
        "\x1b[32mTIME\x1b[0m \x1b[41m\x1b[1mCRITICAL\x1b[0m not",
    ]
    assert "\x1b" not in (tmp_path / "x.log").read_text()
