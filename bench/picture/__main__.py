"""Makes the picture that the README shows: ``python -m bench.picture docs/pictures/console.svg``.

It runs a paper session of some seconds at a pseudo-terminal, in a folder of its own.
"""

import argparse
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from bench.picture.svg import svg

_ROOT = Path(__file__).parents[2]

#: The size of the terminal.
_COLUMNS, _LINES = 100, 40

#: Seconds of the session, and how many of its lines are shown, before the summary.
_SECONDS, _SHOWN = 12, 52


def captured(seconds: float) -> str:
    """Return what a paper session of so many seconds shows at a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
    with tempfile.TemporaryDirectory() as folder:
        settings = (_ROOT / "settings.toml").read_text()
        (Path(folder) / "settings.toml").write_text(re.sub(r"(\[board\].*\nenabled = )true", r"\1false", settings))
        command = [sys.executable, str(_ROOT / "run.py"), "--duration", str(seconds)]
        known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        environment = {**known, "TERM": "xterm", "PYTHONPATH": str(_ROOT)}
        with subprocess.Popen(command, cwd=folder, stdout=theirs, stderr=theirs, env=environment) as process:
            os.close(theirs)
            written = b""
            try:
                while some := os.read(ours, 65536):
                    written += some
            except OSError:  # the session is over
                pass
        os.close(ours)
    if process.returncode:
        raise SystemExit(f"the session ended with {process.returncode}:\n{written.decode()}")
    return written.decode()


def main() -> None:
    """Run a session and write its picture."""
    parser = argparse.ArgumentParser(prog="python -m bench.picture", description="A session at a terminal, as SVG.")
    parser.add_argument("file", type=Path)
    file: Path = parser.parse_args().file
    lines = captured(_SECONDS).splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith("Session of "))
    file.write_text(svg("\n".join([*lines[: min(end, _SHOWN)], "...", "", *lines[end:]]), _COLUMNS))


if __name__ == "__main__":
    main()
