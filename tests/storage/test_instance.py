"""One copier a database, whatever name it is given."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from copytrade.storage.files.lock_file import AlreadyRunning, beside, hold_lock, is_running, mismatch


def by_link(folder: Path) -> str:
    (folder / "link.db").symlink_to("copy.db")
    return str(folder / "link.db")


def by_link_to_a_link(folder: Path) -> str:
    (folder / "again.db").symlink_to(by_link(folder))
    return str(folder / "again.db")


def by_hard_link(folder: Path) -> str:
    (folder / "hard.db").hardlink_to(folder / "copy.db")
    return str(folder / "hard.db")


def by_folder(folder: Path) -> str:
    (folder / "elsewhere").symlink_to(folder)
    return str(folder / "elsewhere" / "copy.db")


def by_relative_path(folder: Path) -> str:
    return os.path.relpath(folder / "copy.db")


def by_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'copy.db'}"


NAMES = [by_link, by_link_to_a_link, by_hard_link, by_folder, by_relative_path, by_url]


@pytest.mark.parametrize("name", NAMES)
def test_a_second_copier_is_refused_whatever_it_calls_the_database(
    tmp_path: Path, name: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(name)
    monkeypatch.chdir(tmp_path)
    database = str(tmp_path / "copy.db")
    with hold_lock(database):
        other = name(tmp_path)
        assert is_running(other)
        with pytest.raises(AlreadyRunning, match="another process is already copying with"):
            hold_lock(other)
    assert not is_running(other)
    with hold_lock(other):
        assert is_running(database)
        with pytest.raises(AlreadyRunning):
            hold_lock(database)


def test_the_name_counts_as_well_once_the_file_is_another(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with hold_lock(str(path)):
        path.unlink()
        with pytest.raises(AlreadyRunning, match=r"lock file .*copy\.db\.lock"):
            hold_lock(str(path))
        path.touch()
        with pytest.raises(AlreadyRunning):
            hold_lock(str(path))
    hold_lock(str(path)).close()


def test_a_refused_copier_leaves_no_lock_behind(tmp_path: Path) -> None:
    database = str(tmp_path / "copy.db")
    hard = ""
    with hold_lock(database):
        hard = by_hard_link(tmp_path)
        with pytest.raises(AlreadyRunning):
            hold_lock(hard)
    with hold_lock(hard):
        pass
    assert not is_running(database)


def test_to_look_whether_one_runs_makes_no_file(tmp_path: Path) -> None:
    assert not is_running(str(tmp_path / "copy.db"))
    assert list(tmp_path.iterdir()) == []


def test_what_belongs_to_a_database_lies_beside_the_file_and_not_beside_a_link_to_it(tmp_path: Path) -> None:
    database = tmp_path / "copy.db"
    database.touch()
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "link.db").symlink_to(database)
    assert beside(str(tmp_path / "far" / "link.db"), "unwritten") == tmp_path / "copy.db.unwritten"
    assert beside("copy.db", "unwritten") == Path("copy.db.unwritten")


def test_a_command_finds_that_the_copier_has_another_file_or_calls_it_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    assert mismatch(str(path)) == ""
    with hold_lock(str(path)):
        assert mismatch(str(path)) == ""
        assert mismatch(by_link(tmp_path)) == ""
        assert "under another name" in mismatch(by_hard_link(tmp_path))
        path.unlink()
        assert "was deleted, moved or replaced" in mismatch(str(path))
        path.touch()
        assert "was deleted, moved or replaced" in mismatch(str(path))
    assert mismatch(str(path)) == ""


def test_who_only_looks_is_taken_for_no_copier(tmp_path: Path) -> None:
    database = str(tmp_path / "copy.db")
    hold_lock(database).close()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: (is_running(database), mismatch(database)), range(200)))
        with hold_lock(database):
            pass
    assert set(found) == {(False, "")}
