"""Options of a command may stand before or after it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from copytrade.app.arguments import parse


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--yes flatten", {"command": "flatten", "yes": True, "follower": ""}),
        ("flatten --yes", {"command": "flatten", "yes": True, "follower": ""}),
        ("--settings a.toml --yes flatten bob", {"yes": True, "follower": "bob", "settings": Path("a.toml")}),
        ("--yes --fix drift bob", {"command": "drift", "yes": True, "fix": True, "follower": "bob"}),
        ("--date 2026-11-30 report", {"command": "report", "date": date(2026, 11, 30)}),
        ("report --date 2026-11-30", {"command": "report", "date": date(2026, 11, 30)}),
        ("--date=2026-11-30 report", {"command": "report", "date": date(2026, 11, 30)}),
        ("--settings check --json status", {"command": "status", "json": True, "settings": Path("check")}),
        ("--settings check", {"command": None, "settings": Path("check")}),
        ("--verify audit", {"command": "audit", "verify": True}),
        ("--duration 5", {"command": None, "duration": 5.0}),
        ("explain pause", {"command": "explain", "order_id": "pause"}),
    ],
)
def test_an_option_is_taken_before_and_after_the_command(words: str, expected: dict[str, Any]) -> None:
    options = vars(parse(words.split(), ""))
    assert {name: options[name] for name in expected} == expected


@pytest.mark.parametrize("words", ["--yes pause", "--date 2026-11-30 check", "--yes", "--date 2026-13-01 report"])
def test_an_option_that_the_command_does_not_take_is_refused(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words.split(), "")
    assert ended.value.code == 2
    assert words.split(maxsplit=1)[0] in capsys.readouterr().err
