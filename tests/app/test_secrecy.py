from pathlib import Path

import pytest

from copytrade.app.file_permissions import exposed


@pytest.mark.parametrize(
    ("mode", "text", "warned"),
    [(0o604, "a=canary", True), (0o602, "a=canary", True), (0o640, "a=canary", False), (0o644, "a=1", False)],
)
def test_a_file_with_secrets_that_anybody_may_read_is_named(tmp_path: Path, mode: int, text: str, warned: bool) -> None:
    file = tmp_path / ".env"
    file.write_text(text)
    file.chmod(mode)
    assert [str(file) in warning for warning in exposed([file, tmp_path / "none"], ["other", "canary"])] == [
        True
    ] * warned
