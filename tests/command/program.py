"""run.py in a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "run.py"), *arguments]


@contextmanager
def running(folder: Path, *arguments: str, umask: int = -1) -> Iterator["subprocess.Popen[str]"]:
    """Run run.py in a folder; its output goes to files there, as it would be redirected."""
    with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        process = subprocess.Popen(command(*arguments), cwd=folder, stdout=out, stderr=err, text=True, umask=umask)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def log(folder: Path) -> str:
    path = folder / "copy_trading.log"
    return path.read_text() if path.exists() else ""
