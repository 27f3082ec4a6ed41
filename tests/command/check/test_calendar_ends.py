"""``run.py check`` warns 45 days before the market calendar ends."""

from datetime import datetime
from pathlib import Path

import pytest

from copytrade.app.commands.check import calendar_ends
from copytrade.common import wall_clock
from copytrade.core.model.orders import IST
from copytrade.settings import load_settings
from tests.command.test_paths import SETTINGS


@pytest.mark.parametrize(
    ("day", "when"),
    [((2026, 11, 15), None), ((2026, 11, 16), "in 45 days"), ((2026, 12, 31), "in 0 days"), ((2027, 1, 1), "is over")],
)
def test_the_end_of_the_calendar_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, day: tuple[int, int, int], when: str | None
) -> None:
    (tmp_path / "mine.json").write_text('{"covers": ["2026-01-01", "2026-12-31"]}')
    more = '[market]\ncalendar = "mine.json"\n'
    (tmp_path / "settings.toml").write_text(SETTINGS.format(mode="live", more=more))
    settings = load_settings(tmp_path / "settings.toml")
    monkeypatch.setattr(wall_clock, "now", lambda: datetime(*day, 9, 0, tzinfo=IST))
    said = calendar_ends(settings)
    if when is None:
        assert said == []
    else:
        assert said[0].startswith("The market calendar ends on 2026-12-31, ")
        assert when in said[0]
