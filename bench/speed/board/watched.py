"""This program with its board open in a browser, as the contestant ``watched``."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

#: Seconds that the board gets to listen.
PATIENCE = 30.0


@contextmanager
def watched(program: Path, folder: Path) -> Iterator[None]:
    """Keep the board of the copier that runs in ``folder`` open in Chromium."""
    link = _link(program, folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = browser.new_page()
        page.goto(link)
        page.get_by_role("heading", name="Followers").wait_for()
        try:
            yield
        finally:
            browser.close()


def _link(program: Path, folder: Path) -> str:
    """Return a link to log in by. Raises RuntimeError if there is none in time."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        asked = subprocess.run(
            [sys.executable, str(program), "board", "--link"], cwd=folder, capture_output=True, text=True, check=False
        )
        if asked.returncode == 0:
            return asked.stdout.strip().splitlines()[-1]
        time.sleep(0.5)
    raise RuntimeError(f"there is no board: {asked.stderr}")
