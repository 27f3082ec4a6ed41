"""The database is copied once a day while the program runs."""

from datetime import datetime, timedelta
from pathlib import Path

from actors.system.daily.backup import DailyBackup
from copytrade.core.model.orders import IST
from copytrade.settings import Storage
from copytrade.storage.database import Database


def test_a_copy_is_made_at_six_of_each_day_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    database = Database(str(path))
    database.claim("live", "1")
    database.close()
    now = datetime(2026, 11, 30, 9, 0, tzinfo=IST)
    daily = DailyBackup(Storage(database=str(path)), lambda: now)
    folder, made = tmp_path / "copy.db.backups", []
    for hours in (0, 20.9, 21.1, 30, 45.2):
        now = datetime(2026, 11, 30, 9, 0, tzinfo=IST) + timedelta(hours=hours)
        daily.look()
        assert daily.finish(20)
        made.append(len(list(folder.iterdir())) if folder.exists() else 0)
        for copy in folder.glob("*.db") if folder.exists() else ():
            copy.rename(copy.with_suffix(f".{hours}"))  # two copies in one second have one name
    assert made == [0, 0, 1, 1, 2]
