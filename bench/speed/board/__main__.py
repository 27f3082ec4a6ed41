"""How long the page of the board takes to show a change: ``python -m bench.speed.board --followers 200``.

A change of a cell in every row is given to the publisher, and the time is taken until Chromium's document has the last
of them: preparation, encoding, the stream, the script. Needs the extra ``test`` and a Chromium.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import uvicorn
from msgspec.structs import replace as with_changes
from playwright.sync_api import Page, sync_playwright

from bench.speed.board.stage import Stagehand
from copytrade.app.commands.status import market_now
from copytrade.reports.snapshot import open_to_read
from copytrade.reports.status import drifts_with, status_with
from copytrade.settings import load_settings
from copytrade.storage.files.status_file import read_status
from copytrade.web.application import application
from copytrade.web.board import Board
from copytrade.web.live.copies import CopiesOfDay
from copytrade.web.live.publisher import prepared
from copytrade.web.live.view import View, read_day

#: Notes when the last row of the followers shows what is expected.
_WATCH = """wanted => new Promise(resolve => {
  const cell = document.querySelector('[data-region="followers"] > tr:last-child [data-cell="wanted"]');
  const look = () => { if (cell.textContent === wanted) { watcher.disconnect(); resolve(Date.now()); } };
  const watcher = new MutationObserver(look);
  watcher.observe(cell, { characterData: true, childList: true, subtree: true });
  look();
})"""


class Given:
    """A board on a thread, which is given views by hand."""

    def __init__(self, stage: Stagehand) -> None:
        self._settings = load_settings(stage.settings)
        self.board = Board(self._settings)
        config = uvicorn.Config(application(self.board), port=0, log_level="error", ws="none", lifespan="off")
        self._server = uvicorn.Server(config)
        self._loop = asyncio.new_event_loop()
        self._regions = prepared(View(), {}).regions
        threading.Thread(target=lambda: self._loop.run_until_complete(self._server.serve()), daemon=True).start()
        while not self._server.started:
            time.sleep(0.01)

    @property
    def url(self) -> str:
        """Where it is."""
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}/login?key={self.board.visitors.link('bench')}"

    def give(self, view: View) -> None:
        """Have a view shown."""
        update = prepared(view, self._regions)
        self._regions = update.regions
        self._loop.call_soon_threadsafe(self.board.publisher.take, update)

    def view(self, stage: Stagehand) -> View:
        """Return what there is to be shown."""
        copier = read_status(stage.database)
        if copier is None:
            raise RuntimeError("the status cannot be read")
        with open_to_read(stage.database) as connection:
            drifts = drifts_with(connection, copier, stage.names)
            copies = CopiesOfDay().read(connection, copier.at.date())
            day = read_day(connection, copier.at.date(), drifts, copies)
        return View(status_with(copier, day.stored, market_now(self._settings)), day, "")


def milliseconds(followers: int, changes: int) -> list[float]:
    """Return how long each change took to be in the document."""
    with tempfile.TemporaryDirectory() as folder, Stagehand(Path(folder), followers) as stage:
        given = Given(stage)
        view = given.view(stage)
        given.give(view)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            page.goto(given.url)
            page.locator('[data-region="followers"] > tr').nth(followers - 1).wait_for(state="attached")
            took = [_one(given, page, view, number) for number in range(1, changes + 1)]
            with suppress(Exception):
                browser.close()
    return took


def _one(given: Given, page: Page, view: View, number: int) -> float:
    """Change a cell of every row, and return the milliseconds until the document has the last."""
    if view.status is None:
        raise RuntimeError("there is nothing to change")
    followers = [with_changes(one, wanted=number) for one in view.status.followers]
    changed = replace(view, status=with_changes(view.status, followers=followers))
    page.evaluate(f"void (window.shown = ({_WATCH})('{number}'))")
    began = time.time()
    given.give(changed)
    return float(page.evaluate("window.shown")) - began * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.speed.board", description="Change to document.")
    parser.add_argument("--followers", type=int, default=200)
    parser.add_argument("--changes", type=int, default=30)
    options = parser.parse_args()
    took = sorted(milliseconds(options.followers, options.changes))
    print(f"{options.followers} followers, {options.changes} changes of every row, change to document:")
    print(f"median {statistics.median(took):.0f} ms, slowest {took[-1]:.0f} ms")


if __name__ == "__main__":
    main()
